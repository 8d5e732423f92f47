import { failure, type Status, type StatusCause } from '../status.ts'

/** One thing wrong with one field. */
export interface FieldError {
  type: 'Required' | 'Invalid' | 'NotSupported' | 'Forbidden' | 'Duplicate' | 'TooLong' | 'TooMany' | 'NotFound' | 'TypeInvalid' | 'InternalError'
  field: string
  /** The bad value as Go would print it; '' where the type shows none. */
  value: string
  detail: string
}

const TITLES: Readonly<Record<FieldError['type'], string>> = {
  Required: 'Required value',
  Invalid: 'Invalid value',
  NotSupported: 'Unsupported value',
  Forbidden: 'Forbidden',
  Duplicate: 'Duplicate value',
  TooLong: 'Too long',
  TooMany: 'Too many',
  NotFound: 'Not found',
  TypeInvalid: 'Invalid value',
  InternalError: 'Internal error',
}

const CAUSES: Readonly<Record<FieldError['type'], string>> = {
  Required: 'FieldValueRequired',
  Invalid: 'FieldValueInvalid',
  NotSupported: 'FieldValueNotSupported',
  Forbidden: 'FieldValueForbidden',
  Duplicate: 'FieldValueDuplicate',
  TooLong: 'FieldValueTooLong',
  TooMany: 'FieldValueTooMany',
  NotFound: 'FieldValueNotFound',
  TypeInvalid: 'FieldValueTypeInvalid',
  InternalError: 'InternalError',
}

/** A value as Go's field errors show it: texts in quotes, objects as JSON. */
export function shown(value: unknown): string {
  return value === null || value === undefined ? 'null' : JSON.stringify(value)
}

export function required(field: string, detail = ''): FieldError {
  return { type: 'Required', field, value: '', detail }
}

export function invalid(field: string, value: unknown, detail: string): FieldError {
  return { type: 'Invalid', field, value: shown(value), detail }
}

export function forbidden(field: string, detail: string): FieldError {
  return { type: 'Forbidden', field, value: '', detail }
}

export function duplicate(field: string, value: unknown): FieldError {
  return { type: 'Duplicate', field, value: shown(value), detail: '' }
}

export function notSupported(field: string, value: unknown, values: readonly string[]): FieldError {
  return { type: 'NotSupported', field, value: shown(value), detail: `supported values: ${values.map((each) => JSON.stringify(each)).join(', ')}` }
}

/** What follows the field's name: `Invalid value: "x": must be …`. */
export function fieldErrorBody({ type, value, detail }: FieldError): string {
  const title = value === '' || type === 'Forbidden' || type === 'Required' ? TITLES[type] : `${TITLES[type]}: ${value}`
  return detail === '' ? title : `${title}: ${detail}`
}

/** The 422 Status of an invalid object. `kind` is the Kind, not the plural. */
export function invalidStatus(target: { group: string; kind: string; name: string }, errors: readonly FieldError[]): Status {
  const causes: StatusCause[] = errors.map((each) => ({ reason: CAUSES[each.type], message: fieldErrorBody(each), field: each.field }))
  const texts = [...new Set(errors.map((each) => `${each.field}: ${fieldErrorBody(each)}`))]
  const qualified = target.group === '' ? target.kind : `${target.kind}.${target.group}`
  const message = `${qualified} ${JSON.stringify(target.name)} is invalid: ${texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`}`
  return failure(422, 'Invalid', message, {
    ...(target.name === '' ? {} : { name: target.name }),
    ...(target.group === '' ? {} : { group: target.group }),
    ...(target.kind === '' ? {} : { kind: target.kind }),
    causes,
  })
}
