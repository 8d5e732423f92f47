import { memoized } from '../../base/memo.ts'
import { deepCopy, isObject, setOwn, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { canonicalQuantity, parseQuantity } from '../quantity.ts'
import { builtinSchema, type Field, type Scalar, type StructType, type TypeRef } from '../schema/schema.ts'
import { fromBase64 } from './base64.ts'
import { DecodeError } from './protobufReader.ts'
import { isUnion } from './schemaUnions.ts'
import { durationText, parseDuration, parseTime, timeText } from './times.ts'
import { zero } from './messageDecoder.ts'

export interface Canonical {
  object: KubeObject
  /** Paths of fields that the type does not have, as strict decoding names them: `spec.bogus`, `spec.containers[0].x`. */
  unknown: string[]
}

interface Walk {
  unknown: string[]
  /** Protobuf does not tell an empty list from none; kinds that are stored as JSON keep the difference. */
  emptyIsNull: boolean
  emptied: string[]
  /** Reading from maps, as a strategic merge patch does, takes empty bytes for none. */
  fromMaps: boolean
}

const EMPTIED = new WeakMap<object, readonly string[]>()

/**
 * Paths of empty lists and maps that were written and are gone or null in the canonical object, and have got no default since: Go tells them
 * from those that were never made, which is all that storage can give back, wherever upstream compares by reflect.DeepEqual.
 */
export function emptiedPaths(canonical: object): readonly string[] {
  return (EMPTIED.get(canonical) ?? []).filter((path) => isBare(valueAt(canonical, path)))
}

const isBare = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0)

const child = (value: unknown, step: string): unknown =>
  isObject(value) ? (Object.hasOwn(value, step) ? value[step] : undefined) : Array.isArray(value) ? (value[Number(step)] as unknown) : undefined

/**
 * The members and indexes on the way to what a path names. Keys of maps may have dots themselves: the longest that is there counts.
 *
 * @param path as in `spec.containers[0].ports`
 */
export function stepsTo(object: unknown, path: string): string[] {
  const parts = path.match(/[^.[\]]+/g) ?? []
  const steps: string[] = []
  let value = object
  for (let at = 0; at < parts.length;) {
    let end = parts.length
    while (end > at + 1 && child(value, parts.slice(at, end).join('.')) === undefined) end -= 1
    const step = parts.slice(at, end).join('.')
    steps.push(step)
    value = child(value, step)
    at = end
  }
  return steps
}

const valueAt = (object: unknown, path: string): unknown => stepsTo(object, path).reduce(child, object)

/** Lets an object know what was written empty in a field that it has from a canonical one. */
export function keepEmptied(object: KubeObject, canonical: KubeObject, field: string): KubeObject {
  const emptied = emptiedPaths(canonical).filter((path) => path.startsWith(`${field}.`))
  if (emptied.length > 0) EMPTIED.set(object, emptied)
  return object
}

const JSON_STORED = ['apiextensions.', 'apiregistration.']

/** A copy of a canonical object that knows the same of what was written. */
export function copyCanonical(canonical: KubeObject): KubeObject {
  const copy = deepCopy(canonical)
  const emptied = EMPTIED.get(canonical)
  if (emptied !== undefined) EMPTIED.set(copy, emptied)
  return copy
}

/**
 * What is left of JSON after Go has decoded it into the type and encoded it again: unknown fields, nulls and `omitempty` zeros
 * gone, non-pointer structs there, quantities and times in their canonical text.
 *
 * @throws DecodeError with Go's message when a value is not of its field's type
 */
export function canonicalize(object: KubeObject, struct: StructType, { fromMaps = false } = {}): Canonical {
  const walk: Walk = { unknown: [], emptyIsNull: !JSON_STORED.some((room) => struct.name.startsWith(room)), emptied: [...emptiedPaths(object)], fromMaps }
  const result = canonicalStruct(object, struct, '', walk)
  const { kind, apiVersion } = object
  const canonical = { ...(kind === undefined ? {} : { kind }), ...(apiVersion === undefined ? {} : { apiVersion }), ...result } as KubeObject
  if (walk.emptied.length > 0) EMPTIED.set(canonical, walk.emptied)
  return { object: canonical, unknown: walk.unknown }
}

/** An object whose parts are canonical, with the fields of its metadata, spec and status in the order of their types. */
export function inFieldOrder(object: KubeObject, struct: StructType): KubeObject {
  const result: KubeObject = { ...object }
  for (const name of ['metadata', 'spec', 'status']) {
    const [value, type] = [object[name], struct.fields.get(name)?.type]
    const inner = type?.kind === 'struct' ? builtinSchema.struct(type.name) : null
    if (inner === null || !isObject(value)) continue
    const ordered: JsonObject = {}
    for (const field of inner.fields.keys()) if (Object.hasOwn(value, field)) ordered[field] = value[field]
    Object.assign(result, { [name]: ordered })
  }
  return result
}

function goType(type: TypeRef): string {
  switch (type.kind) {
    case 'struct':
      return type.name.replace(/^[a-z]+\./, '')
    case 'list':
      return `[]${goType(type.of)}`
    case 'map':
      return `map[string]${goType(type.of)}`
    default:
      return type.scalar
  }
}

function mismatch(value: unknown, path: string, type: TypeRef): DecodeError {
  const found = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  return new DecodeError(`json: cannot unmarshal ${found} into Go struct field ${path.replace(/^\./, '').replace(/\[\d+\]/g, '')} of type ${goType(type)}`)
}

function canonicalStruct(value: unknown, struct: StructType, path: string, walk: Walk): JsonObject {
  const given = value === undefined || value === null ? {} : value
  if (!isObject(given)) throw mismatch(value, path, { kind: 'struct', name: struct.name })
  for (const name of Object.keys(given)) {
    if (struct.fields.has(name) || (struct.typed && (name === 'apiVersion' || name === 'kind'))) continue
    walk.unknown.push(path === '' ? name : `${path}.${name}`)
  }
  const result: JsonObject = {}
  // An object within another, such as a claim template, has its kind beside its fields.
  if (struct.typed && path !== '')
    for (const name of ['kind', 'apiVersion']) if (typeof given[name] === 'string' && given[name] !== '') result[name] = given[name]
  for (const { field, leftOut, text } of planOf(struct)) {
    const own = Object.hasOwn(given, field.name) ? given[field.name] : undefined
    if (leftOut && (own === undefined || own === null)) continue
    if (text && typeof own === 'string' && own !== '') {
      result[field.name] = own
      continue
    }
    const next = path === '' ? field.name : `${path}.${field.name}`
    const canonical = canonicalField(field, own, next, walk)
    if (canonical !== undefined) result[field.name] = canonical
  }
  return result
}

interface PlannedField {
  field: Field
  /** When it is absent, nothing stands for it, which is so of most fields of most objects. */
  leftOut: boolean
  /** Plain text, which stays as it is. */
  text: boolean
}

const PLANS = new WeakMap<StructType, readonly PlannedField[]>()

/** A struct's fields in their order, as far as they are walked. */
function planOf(struct: StructType): readonly PlannedField[] {
  const known = PLANS.get(struct)
  if (known !== undefined) return known
  const plan = [...struct.fields.values()]
    .filter(({ name }) => !struct.typed || (name !== 'apiVersion' && name !== 'kind'))
    .map((field) => ({
      field,
      leftOut: absentValue(field) === undefined,
      text: field.type.kind === 'scalar' && field.type.scalar === 'string',
    }))
  PLANS.set(struct, plan)
  return plan
}

/** What stands for an absent field; a struct within is told by `{}`. */
function absentValue({ type, pointer, omitEmpty, omitZero }: Field): unknown {
  if (type.kind === 'struct' && !pointer) return {}
  // Go's omitempty does not see that a time is zero.
  if (!pointer && !omitZero && type.kind === 'scalar' && (type.scalar === 'time' || type.scalar === 'microtime')) return null
  // Nor that a quantity is, or a number or text.
  if (!pointer && type.kind === 'scalar' && type.scalar === 'quantity') return '0'
  if (!pointer && type.kind === 'scalar' && type.scalar === 'intstr') return 0
  if (omitEmpty) return undefined
  return pointer ? null : zero(type, { unknown: [], depth: 0 })
}

function canonicalField(field: Field, value: unknown, path: string, walk: Walk): unknown {
  const { type } = field
  const absent = value === undefined || value === null
  if (absent) return type.kind === 'struct' && !field.pointer ? canonicalValue(type, {}, path, walk) : absentValue(field)
  const canonical = canonicalValue(type, value, path, walk)
  if (isEmpty(type, canonical)) walk.emptied.push(path)
  if (walk.emptyIsNull && !field.omitEmpty && isEmpty(type, canonical)) return null
  if (!field.omitEmpty || field.pointer || type.kind === 'struct') return canonical
  if (canonical === '' || canonical === 0 || canonical === false) return type.kind === 'scalar' && type.scalar === 'intstr' ? canonical : undefined
  return isEmpty(type, canonical) ? undefined : canonical
}

function isEmpty(type: TypeRef, value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : type.kind === 'map' && isObject(value) && Object.keys(value).length === 0
}

function canonicalValue(type: TypeRef, value: unknown, path: string, walk: Walk): unknown {
  switch (type.kind) {
    case 'struct': {
      if (isUnion(type.name)) return value
      const struct = builtinSchema.struct(type.name)
      return struct === null ? value : canonicalStruct(value, struct, path, walk)
    }
    case 'list':
      if (!Array.isArray(value)) throw mismatch(value, path, type)
      return (value as unknown[]).map((item, index) => canonicalValue(type.of, item, `${path}[${String(index)}]`, walk))
    case 'map': {
      if (!isObject(value)) throw mismatch(value, path, type)
      const result: JsonObject = {}
      for (const [key, item] of Object.entries(value)) setOwn(result, key, canonicalValue(type.of, item, `${path}.${key}`, walk))
      return result
    }
    case 'scalar':
      if (type.scalar === 'string' && typeof value === 'string') return value
      if (walk.fromMaps && type.scalar === 'bytes' && value === '') walk.emptied.push(path)
      return canonicalScalar(type.scalar, value, path)
  }
}

function canonicalScalar(scalar: Scalar, value: unknown, path: string): unknown {
  const type: TypeRef = { kind: 'scalar', scalar }
  if (scalar === 'json' || scalar === 'raw' || scalar === 'fieldsv1') return value
  if (value === null || value === undefined) return zero(type, { unknown: [], depth: 0 })
  switch (scalar) {
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(value, path, type)
      return value
    case 'int32':
    case 'int64':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw mismatch(value, path, type)
      if (scalar === 'int32' && Math.abs(value) > 2_147_483_648) throw mismatch(value, path, type)
      return value
    case 'float64':
      if (typeof value !== 'number') throw mismatch(value, path, type)
      return value
    case 'intstr':
      if (typeof value !== 'string' && typeof value !== 'number') throw mismatch(value, path, type)
      return value
    case 'quantity':
      if ((typeof value !== 'string' && typeof value !== 'number') || parseQuantity(String(value)) === null)
        throw new DecodeError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
      return canonicalQuantity(value)
    default:
      if (typeof value !== 'string') throw mismatch(value, path, type)
      return canonicalText(scalar, value)
  }
}

function canonicalText(scalar: Scalar, value: string): string | null {
  switch (scalar) {
    case 'time':
    case 'microtime': {
      if (scalar === 'time' && isCanonicalTime(value)) return value
      const time = parseTime(value)
      if (time === null) throw new DecodeError(`parsing time "${value}" as "2006-01-02T15:04:05Z07:00": cannot parse "${value}" as "2006"`)
      return timeText(time.seconds, time.nanos, scalar === 'time' ? 0 : 6)
    }
    case 'duration': {
      const duration = parseDuration(value)
      if (duration === null) throw new DecodeError(`time: invalid duration "${value}"`)
      return durationText(duration)
    }
    case 'bytes':
      if (fromBase64(value.replace(/[\r\n]/g, '')) === null) throw new DecodeError('illegal base64 data at input byte 0')
      return value.replace(/[\r\n]/g, '')
    default:
      return value
  }
}

/** Whether it is written as times are, in whole seconds of UTC. */
const isCanonicalTime = memoized((text) => {
  const time = parseTime(text)
  return time !== null && timeText(time.seconds, time.nanos, 0) === text
}, 4096)
