import { isObject } from '../json.ts'
import type { FieldError } from '../validation/fieldError.ts'

/** JSON as Go's encoder writes it: keys of maps sorted, `<`, `>` and `&` escaped. */
export function goJson(value: unknown, { sorted = true } = {}): string {
  const inner = (each: unknown): string => goJson(each, { sorted })
  if (Array.isArray(value)) return `[${value.map(inner).join(',')}]`
  if (isObject(value)) {
    const keys = sorted ? Object.keys(value).sort() : Object.keys(value)
    return `{${keys.map((key) => `${inner(key)}:${inner(value[key])}`).join(',')}}`
  }
  return JSON.stringify(value ?? null).replace(/[<>&\u2028\u2029]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A bad value in a message: texts as Go's `%q`, everything else as its JSON. */
export function goShown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : goJson(value)
}

/** A value within a path of structured-merge-diff: `[key="a"]`. @see structured-merge-diff value.ToString */
export function pathShown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pathShown).join(',')}]`
  if (!isObject(value)) return goShown(value)
  return Object.entries(value)
    .map(([key, each]) => `${key}=${pathShown(each)}`)
    .join('')
}

/** A decoded value as Go's `%v` prints it. */
export function goPrinted(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(goPrinted).join(' ')}]`
  if (!isObject(value)) return typeof value === 'string' ? value : JSON.stringify(value)
  return `map[${Object.keys(value)
    .sort()
    .map((key) => `${key}:${goPrinted(value[key])}`)
    .join(' ')}]`
}

export const invalidValue = (field: string, value: unknown, detail: string): FieldError => ({ type: 'Invalid', field, value: goShown(value), detail })
/** An invalid value that the message leaves out. */
export const invalidOmitted = (field: string, detail: string): FieldError => ({ type: 'Invalid', field, value: '', detail })
export const requiredValue = (field: string, detail = ''): FieldError => ({ type: 'Required', field, value: '', detail })
export const forbiddenValue = (field: string, detail: string): FieldError => ({ type: 'Forbidden', field, value: '', detail })
export const duplicateValue = (field: string, value: unknown): FieldError => ({ type: 'Duplicate', field, value: goShown(value), detail: '' })
export const unsupportedValue = (field: string, value: unknown, values: readonly string[]): FieldError => ({
  type: 'NotSupported',
  field,
  value: goShown(value),
  detail: values.length === 0 ? '' : `supported values: ${values.map((each) => JSON.stringify(each)).join(', ')}`,
})
export const tooLong = (field: string, max: number): FieldError => ({
  type: 'TooLong',
  field,
  value: '',
  detail: max < 0 ? 'value is too long' : `may not be more than ${String(max)} ${max === 1 ? 'byte' : 'bytes'}`,
})
export const tooMany = (field: string, actual: number, max: number): FieldError => ({
  type: 'TooMany',
  field,
  value: String(actual),
  detail: max < 0 ? 'has too many items' : `must have at most ${String(max)} ${max === 1 ? 'item' : 'items'}`,
})

/** A word of which only some are known. */
export function* enumErrors(field: string, value: string, accepted: readonly string[]): Iterable<FieldError> {
  if (value === '') yield requiredValue(field)
  else if (!accepted.includes(value)) yield unsupportedValue(field, value, accepted)
}
