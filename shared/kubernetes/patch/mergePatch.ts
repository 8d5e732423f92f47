import { deepCopy, isObject, setOwn, type JsonObject } from '../json.ts'

/** Applies an RFC 7386 patch: objects merge, null deletes, everything else replaces. Shares nothing with its arguments. */
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return deepCopy(patch)
  const result: JsonObject = isObject(document) ? deepCopy(document) : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, name)
    else setOwn(result, name, applyMergePatch(Object.hasOwn(result, name) ? result[name] : undefined, value))
  }
  return result
}

/** The merge patch that makes `to` of `from`. */
export function diffMergePatch(from: JsonObject, to: JsonObject): JsonObject {
  const patch: JsonObject = {}
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name) || to[name] === undefined) setOwn(patch, name, null)
  for (const [name, value] of Object.entries(to)) {
    const before = Object.hasOwn(from, name) ? from[name] : undefined
    if (isObject(before) && isObject(value)) {
      const nested = diffMergePatch(before, value)
      if (Object.keys(nested).length > 0) setOwn(patch, name, nested)
    } else if (value !== undefined && JSON.stringify(before) !== JSON.stringify(value)) setOwn(patch, name, deepCopy(value))
  }
  return patch
}
