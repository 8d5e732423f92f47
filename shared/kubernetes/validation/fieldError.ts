import { failure, type Status, type StatusCause } from '../status.ts'
import { goSyntax } from './goSyntax.ts'

/** One thing wrong with one field. */
export interface FieldError {
  type: 'Required' | 'Invalid' | 'NotSupported' | 'Forbidden' | 'Duplicate' | 'TooLong' | 'TooMany' | 'NotFound' | 'TypeInvalid' | 'InternalError'
  field: string
  /** The bad value as the error shows it; '' where the type shows none. */
  value: string
  detail: string
  /** The same value as releases before 1.33 showed it, where that differs. */
  goValue?: string
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

/** A value with the Go type that upstream holds it in: `[]string`, `map[string]string`, or the table's name of a struct. */
export interface Typed {
  typed: string
  of: unknown
  /** The old text, where it does not follow from the type. */
  go?: string
}

/** Marks a value whose text depends on its Go type. */
export const typed = (type: string, of: unknown): Typed => ({ typed: type, of })

/** A value whose old text is given. */
export const withGoText = (of: unknown, go: string): Typed => ({ typed: '', of, go })

function isTyped(value: unknown): value is Typed {
  return typeof value === 'object' && value !== null && 'typed' in value && typeof value.typed === 'string'
}

/** A value as Go's field errors show it: texts in quotes, objects as JSON. */
export function shown(value: unknown): string {
  return value === null || value === undefined ? 'null' : JSON.stringify(value)
}

/** Before 1.33 a nil pointer was shown as the text null, in quotes. */
const NIL = '"null"'

function valueOf(value: unknown): { value: string; goValue?: string } {
  if (value === null || value === undefined) return { value: 'null', goValue: NIL }
  if (!isTyped(value)) return { value: shown(value) }
  const { of, go, typed: type } = value
  const nil = (of === null || of === undefined) && !type.startsWith('[]') && !type.startsWith('map') && type !== 'core.ResourceList'
  return { value: shown(of), goValue: go ?? (nil ? NIL : goSyntax(of, type)) }
}

export function required(field: string, detail = ''): FieldError {
  return { type: 'Required', field, value: '', detail }
}

export function invalid(field: string, value: unknown, detail: string): FieldError {
  return { type: 'Invalid', field, ...valueOf(value), detail }
}

export function forbidden(field: string, detail: string): FieldError {
  return { type: 'Forbidden', field, value: '', detail }
}

export function duplicate(field: string, value: unknown, detail = ''): FieldError {
  return { type: 'Duplicate', field, ...valueOf(value), detail }
}

export function notFound(field: string, value: unknown): FieldError {
  return { type: 'NotFound', field, ...valueOf(value), detail: '' }
}

export function notSupported(field: string, value: unknown, values: readonly string[]): FieldError {
  return { type: 'NotSupported', field, ...valueOf(value), detail: `supported values: ${values.map((each) => JSON.stringify(each)).join(', ')}` }
}

/** @param maxBytes the limit; releases before 1.32 said it in other words */
export function tooLong(field: string, maxBytes: number): FieldError {
  return { type: 'TooLong', field, value: '', detail: `may not be more than ${String(maxBytes)} bytes` }
}

export function tooMany(field: string, count: number, max: number): FieldError {
  return { type: 'TooMany', field, value: String(count), detail: `must have at most ${String(max)} items` }
}

export function internal(field: string, detail: string): FieldError {
  return { type: 'InternalError', field, value: '', detail }
}

/** What follows the field's name: `Invalid value: "x": must be …`. */
export function fieldErrorBody({ type, value, detail }: FieldError): string {
  const title = value === '' || type === 'Forbidden' || type === 'Required' ? TITLES[type] : `${TITLES[type]}: ${value}`
  return detail === '' ? title : `${title}: ${detail}`
}

/** Minor releases that first showed values as JSON, and that first told limits of length as they are told now. */
const JSON_VALUES_SINCE = 33
const LENGTH_WORDS_SINCE = 32
/** Minor release that first told the limit a request is above. */
const LIMIT_TOLD_SINCE = 27
const ABOVE_LIMIT = /^(?<told>must be (?:less than or )?equal to \S+ limit) of .*$/

/** Errors in the words of a release. */
export function worded(errors: readonly FieldError[], minor: number): FieldError[] {
  return errors.map(({ goValue, ...error }) => {
    if (goValue !== undefined && minor < JSON_VALUES_SINCE) return { ...error, value: goValue }
    if (error.type === 'TooLong' && minor < LENGTH_WORDS_SINCE) return { ...error, detail: error.detail.replace('may not be more than', 'must have at most') }
    const told = minor < LIMIT_TOLD_SINCE ? ABOVE_LIMIT.exec(error.detail)?.groups?.['told'] : undefined
    return told === undefined ? error : { ...error, detail: told }
  })
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
