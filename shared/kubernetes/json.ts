/** Any JSON object. */
export type JsonObject = Record<string, unknown>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object that stands there; an empty one where there is none, so that what is missing is read as undefined. */
export function objectAt(value: unknown): JsonObject {
  return isObject(value) ? value : {}
}

/** Sets an own property even when it is called `__proto__`. */
export function setOwn(target: JsonObject, name: string, value: unknown): void {
  if (name === '__proto__') Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
  else target[name] = value
}

/** Structural equality of JSON values; the order of keys does not matter, and an undefined property is none. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((each, index) => deepEqual(each, b[index]))
  if (!isObject(a) || !isObject(b)) return false
  const keys = Object.keys(a).filter((key) => a[key] !== undefined)
  return keys.length === Object.keys(b).filter((key) => b[key] !== undefined).length && keys.every((key) => Object.hasOwn(b, key) && deepEqual(a[key], b[key]))
}

/** A copy that shares nothing with the value. */
export function deepCopy<T>(value: T): T {
  if (Array.isArray(value)) return value.map((each: unknown) => deepCopy(each)) as T
  if (!isObject(value)) return value
  const copy: JsonObject = {}
  for (const key of Object.keys(value)) setOwn(copy, key, deepCopy(value[key]))
  return copy as T
}
