import { Optional } from '@marcbachmann/cel-js'
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { fromBase64, toBase64 } from '../codec/base64.ts'
import { parseDuration } from '../codec/times.ts'
import { isObject, setOwn, type JsonObject } from '../json.ts'
import { escapeIdentifier } from './escaping.ts'
import type { CelType } from './interface.ts'

/** A value of a declared object type; keys are escaped names. Each type has a subclass of its own, by which it is known. */
export class CelObject extends Map<string, unknown> {}

/** A list that knows how its elements are told apart. */
const listTypes = new WeakMap<object, { listType: 'set' | 'map'; keys: readonly string[] }>()

const objectClasses = new WeakMap<object, new (entries?: Iterable<[string, unknown]>) => CelObject>()

/** The class of a declared object type's values. */
export function objectClass(type: CelType & { kind: 'object' }): new (entries?: Iterable<[string, unknown]>) => CelObject {
  let found = objectClasses.get(type)
  if (found === undefined) {
    found = class extends CelObject {}
    objectClasses.set(type, found)
  }
  return found
}

/** An object whose fields are computed when an expression reads them, such as a policy's `variables`. */
export class LazyObject extends Map<string, unknown> {
  readonly #read: (field: string) => unknown

  constructor(read: (field: string) => unknown) {
    super()
    this.#read = read
  }

  override get(field: string): unknown {
    return this.#read(field)
  }

  override has(field: string): boolean {
    return this.#read(field) !== undefined
  }
}

/** JSON as CEL sees it: whole numbers are int, others double. Values that are no JSON pass. */
export function dynamicValue(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map(dynamicValue)
  if (!isObject(value) || Object.getPrototypeOf(value) !== Object.prototype) return value
  return new Map(Object.entries(value).map(([key, each]) => [key, dynamicValue(each)]))
}

/** JSON as a value of a declared type; what does not fit is taken as it is and fails where it is used. */
export function typedValue(value: unknown, type: CelType): unknown {
  if (type.kind === 'optional') return value === undefined || value === null ? Optional.none() : Optional.of(typedValue(value, type.of))
  if (value === null) return null
  switch (type.kind) {
    case 'int':
      return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : dynamicValue(value)
    case 'uint':
      return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? new UnsignedInt(BigInt(value)) : dynamicValue(value)
    case 'double':
      return value
    case 'bytes':
      return typeof value === 'string' ? (fromBase64(value) ?? value) : value
    case 'timestamp':
      return typeof value === 'string' ? new Date(/^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00:00Z` : value) : value
    case 'duration': {
      const nanoseconds = typeof value === 'string' ? parseDuration(value) : null
      return nanoseconds === null ? value : durationOf(nanoseconds)
    }
    case 'list': {
      if (!Array.isArray(value)) return dynamicValue(value)
      const list = value.map((each: unknown) => typedValue(each, type.element))
      if (type.listType === 'set' || type.listType === 'map') listTypes.set(list, { listType: type.listType, keys: type.keys ?? [] })
      return list
    }
    case 'map':
      return isObject(value) ? new Map(Object.entries(value).map(([key, each]) => [key, typedValue(each, type.value)])) : dynamicValue(value)
    case 'object': {
      if (value instanceof Map || !isObject(value)) return value
      const object = new (objectClass(type))()
      for (const [name, field] of Object.entries(type.fields)) {
        // A null is as good as absent: nullable fields of objects do not exist for rules.
        const escaped = Object.hasOwn(value, name) && value[name] !== undefined && value[name] !== null ? escapeIdentifier(name) : null
        if (escaped !== null) object.set(escaped, typedValue(value[name], field))
      }
      return object
    }
    case 'dyn':
      return dynamicValue(value)
    default:
      return value
  }
}

export function durationOf(nanoseconds: bigint): Duration {
  return new Duration(nanoseconds / 1_000_000_000n, Number(nanoseconds % 1_000_000_000n))
}

export function durationNanoseconds(duration: Duration): bigint {
  return duration.seconds * 1_000_000_000n + BigInt(duration.nanos)
}

/** JSON of a CEL value, as an expression's result is written into a message or a patch. */
export function celToJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof UnsignedInt) return Number(value.valueOf())
  if (value instanceof Uint8Array) return toBase64(value)
  if (value instanceof Date) return value.toISOString().replace(/\.000Z$/, 'Z')
  if (value instanceof Duration) return value.toString()
  if (value instanceof Optional) return value.hasValue() ? celToJson(value.value()) : null
  if (Array.isArray(value)) return value.map(celToJson)
  if (value instanceof Map || isObject(value)) {
    const result: JsonObject = {}
    for (const [key, each] of value instanceof Map ? value : Object.entries(value)) setOwn(result, String(key), celToJson(each))
    return result
  }
  return value
}

export function isNumber(value: unknown): value is bigint | number | UnsignedInt {
  return typeof value === 'bigint' || typeof value === 'number' || value instanceof UnsignedInt
}

/** CEL's equality: numbers by value whatever their type, lists by their list type, maps and objects by their entries. */
export function celEquals(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (isNumber(a) && isNumber(b)) {
    const [left, right] = [a.valueOf(), b.valueOf()]
    // Across int and double CEL compares the numbers themselves, which == does exactly.
    return left == right
  }
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime()
  if (a instanceof Duration) return b instanceof Duration && durationNanoseconds(a) === durationNanoseconds(b)
  if (a instanceof Uint8Array) return b instanceof Uint8Array && a.length === b.length && a.every((byte, index) => byte === b[index])
  if (a instanceof Optional) return b instanceof Optional && a.hasValue() === b.hasValue() && (!a.hasValue() || celEquals(a.value(), b.value()))
  if (Array.isArray(a)) return Array.isArray(b) && equalLists(a, b)
  const [left, right] = [entriesOf(a), entriesOf(b)]
  if (left !== null && right !== null) {
    if (left.size !== right.size) return false
    for (const [key, value] of left) if (!right.has(key) || !celEquals(value, right.get(key))) return false
    return true
  }
  return hasEquals(a) && a.equals(b)
}

function hasEquals(value: unknown): value is { equals(other: unknown): boolean } {
  return typeof value === 'object' && value !== null && 'equals' in value && typeof value.equals === 'function'
}

/** The entries of a map, a declared object, or a map that the expression made. */
export function entriesOf(value: unknown): Map<unknown, unknown> | null {
  if (value instanceof Map) return value as Map<unknown, unknown>
  return isObject(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value) as null) ? new Map(Object.entries(value)) : null
}

function equalLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false
  const kind = listTypes.get(a) ?? listTypes.get(b)
  if (kind === undefined) return a.every((each, index) => celEquals(each, b[index]))
  if (kind.listType === 'set') return a.every((each) => b.some((other) => celEquals(each, other)))
  return a.every((each) => {
    const other = b.find((candidate) => sameKeys(each, candidate, kind.keys))
    return other !== undefined && celEquals(each, other)
  })
}

function sameKeys(a: unknown, b: unknown, keys: readonly string[]): boolean {
  if (!(a instanceof Map) || !(b instanceof Map)) return false
  return keys.every((key) => celEquals(a.get(escapeIdentifier(key) ?? key), b.get(escapeIdentifier(key) ?? key)))
}

/** `a + b`: sets unite, lists of type map take the right side's items in place of those with the same keys. */
export function concatenate(a: readonly unknown[], b: readonly unknown[]): unknown[] {
  const kind = listTypes.get(a) ?? listTypes.get(b)
  let result: unknown[]
  if (kind === undefined) return [...a, ...b]
  if (kind.listType === 'set') result = [...a, ...b.filter((each) => !a.some((other) => celEquals(each, other)))]
  else {
    const over = (each: unknown): unknown => b.find((other) => sameKeys(each, other, kind.keys)) ?? each
    result = [...a.map(over), ...b.filter((each) => !a.some((other) => sameKeys(each, other, kind.keys)))]
  }
  listTypes.set(result, kind)
  return result
}

/** Negative, zero or positive; null when the values have no order. */
export function compareValues(a: unknown, b: unknown): number | null {
  if (isNumber(a) && isNumber(b)) {
    const [left, right] = [a.valueOf(), b.valueOf()]
    return left < right ? -1 : left > right ? 1 : 0
  }
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b)
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime()
  if (a instanceof Duration && b instanceof Duration) {
    const difference = durationNanoseconds(a) - durationNanoseconds(b)
    return difference < 0n ? -1 : difference > 0n ? 1 : 0
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    for (let index = 0; index < Math.min(a.length, b.length); index++) {
      const difference = (a[index] ?? 0) - (b[index] ?? 0)
      if (difference !== 0) return difference
    }
    return a.length - b.length
  }
  return null
}

/** By code points, as Go compares UTF-8. */
function compareText(a: string, b: string): number {
  if (a === b) return 0
  const [left, right] = [Array.from(a), Array.from(b)]
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const difference = (left[index]?.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}
