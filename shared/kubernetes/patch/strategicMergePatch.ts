import { deepCopy, deepEqual, isObject, setOwn, type JsonObject } from '../json.ts'
import { builtinSchema, type Field, type StructType, type TypeRef } from '../schema/schema.ts'
import { PatchError } from './jsonPatch.ts'

const DIRECTIVE = '$patch'
const RETAIN_KEYS = '$retainKeys'
const ORDER = '$setElementOrder/'
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/'

/**
 * Applies a strategic merge patch to a built-in object: lists with patchStrategy merge are merged by their key, the rest is as in
 * a JSON merge patch, with the directives `$patch`, `$retainKeys`, `$setElementOrder` and `$deleteFromPrimitiveList`.
 *
 * @param struct the object's type
 * @throws PatchError 400 or 500 when the patch does not fit the type
 */
export function applyStrategicMergePatch(document: JsonObject, patch: unknown, struct: StructType): JsonObject {
  if (!isObject(patch)) throw new PatchError(400, 'error decoding patch: a strategic merge patch must be an object')
  return mergeObject(deepCopy(document), patch, struct) ?? {}
}

function structOf(type: TypeRef | undefined): StructType | null {
  return type?.kind === 'struct' ? builtinSchema.struct(type.name) : null
}

/** The type of a property, looking through maps. */
function memberType(owner: StructType | TypeRef | null, name: string): { field: Field | null; type: TypeRef | undefined } {
  if (owner === null) return { field: null, type: undefined }
  if ('fields' in owner) {
    const field = owner.fields.get(name) ?? null
    return { field, type: field?.type }
  }
  return { field: null, type: owner.kind === 'map' ? owner.of : undefined }
}

function ownerOf(type: TypeRef | undefined): StructType | TypeRef | null {
  if (type === undefined) return null
  return structOf(type) ?? (type.kind === 'map' ? type : null)
}

/** @returns null when the patch says that the object goes */
function mergeObject(target: JsonObject, patch: JsonObject, owner: StructType | TypeRef | null): JsonObject | null {
  const directive = patch[DIRECTIVE]
  if (directive === 'replace') return strip(omit(patch, DIRECTIVE)) as JsonObject
  if (directive === 'delete') return null
  if (directive !== undefined && directive !== 'merge') throw new PatchError(400, `unknown patch type: ${String(directive)}`)
  const retained = patch[RETAIN_KEYS]
  if (Array.isArray(retained)) {
    for (const name of Object.keys(target)) if (!retained.includes(name)) Reflect.deleteProperty(target, name)
  }
  for (const [name, value] of Object.entries(patch)) {
    if (name === DIRECTIVE || name === RETAIN_KEYS) continue
    if (name.startsWith(DELETE_PRIMITIVES)) {
      const list = name.slice(DELETE_PRIMITIVES.length)
      const existing = target[list]
      if (Array.isArray(existing) && Array.isArray(value)) target[list] = existing.filter((each) => !value.some((gone) => deepEqual(gone, each)))
      continue
    }
    if (name.startsWith(ORDER)) {
      const list = name.slice(ORDER.length)
      if (!Object.hasOwn(patch, list)) reorderAlone(target, list, value, memberType(owner, list).field)
      continue
    }
    if (value === null) {
      Reflect.deleteProperty(target, name)
      continue
    }
    const { field, type } = memberType(owner, name)
    const existing = Object.hasOwn(target, name) ? target[name] : undefined
    const replaces = field?.patchStrategies.includes('replace') === true
    if (isObject(value)) {
      if (!isObject(existing) || replaces) {
        const merged = mergeObject({}, value, ownerOf(type))
        if (merged === null) Reflect.deleteProperty(target, name)
        else setOwn(target, name, merged)
      } else {
        const merged = mergeObject(existing, value, ownerOf(type))
        if (merged === null) Reflect.deleteProperty(target, name)
        else setOwn(target, name, merged)
      }
    } else if (Array.isArray(value) && Array.isArray(existing) && field?.patchStrategies.includes('merge') === true) {
      // A list that was not there is taken as it is, whether its items have keys or not.
      setOwn(target, name, mergeList(existing, value, field, patch[ORDER + name]))
    } else setOwn(target, name, strip(value))
  }
  return target
}

function omit(object: JsonObject, name: string): JsonObject {
  const { [name]: _, ...rest } = object
  return rest
}

/** Values that replace: nulls and directives inside them go. */
function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((each) => !isObject(each) || each[DIRECTIVE] === undefined || Object.keys(each).length > 1).map(strip)
  if (!isObject(value)) return value
  const result: JsonObject = {}
  for (const [name, each] of Object.entries(value)) {
    if (each === null || name === DIRECTIVE || name === RETAIN_KEYS || name.startsWith(ORDER) || name.startsWith(DELETE_PRIMITIVES)) continue
    setOwn(result, name, strip(each))
  }
  return result
}

function goMap(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goMap).join(' ')}]`
  if (value === null) return '<nil>'
  if (!isObject(value)) return String(value)
  return `map[${Object.keys(value)
    .sort()
    .map((key) => `${key}:${goMap(value[key])}`)
    .join(' ')}]`
}

function keyOf(item: unknown, key: string): unknown {
  if (!isObject(item) || !Object.hasOwn(item, key)) throw new PatchError(500, `map: ${goMap(item)} does not contain declared merge key: ${key}`)
  return item[key]
}

function mergeList(existing: unknown[], patch: unknown[], field: Field, order: unknown): unknown[] {
  const key = field.patchMergeKey
  if (key === null) {
    const merged = [...existing]
    for (const item of patch) if (!merged.some((each) => deepEqual(each, item))) merged.push(deepCopy(item))
    return sortByOrder(merged, Array.isArray(order) ? order : patch, existing, (item) => item)
  }
  const itemOwner = field.type.kind === 'list' ? ownerOf(field.type.of) : null
  if (patch.some((item) => isObject(item) && item[DIRECTIVE] === 'replace')) {
    const replaced = patch.filter((item) => !isObject(item) || item[DIRECTIVE] === undefined)
    for (const item of replaced) keyOf(item, key)
    return replaced.map(strip)
  }
  let merged = [...existing]
  for (const item of patch) {
    if (isObject(item) && item[DIRECTIVE] === 'delete') {
      const gone = keyOf(item, key)
      merged = merged.filter((each) => !isObject(each) || !deepEqual(each[key], gone))
      continue
    }
    const id = keyOf(item, key)
    const at = merged.findIndex((each) => isObject(each) && deepEqual(each[key], id))
    const base = at < 0 ? {} : (merged[at] as JsonObject)
    const result = mergeObject(base, item as JsonObject, itemOwner)
    if (result === null) continue
    if (at < 0) merged.push(result)
    else merged[at] = result
  }
  // What is left alone must have a key as well.
  for (const item of merged) keyOf(item, key)
  // Without an order of its own, the patch's items stand as the patch has them.
  const sequence = Array.isArray(order) ? order : patch.filter((item) => !isObject(item) || item[DIRECTIVE] === undefined)
  return sortByOrder(merged, sequence, existing, (item) => (isObject(item) ? item[key] : item), key)
}

function reorderAlone(target: JsonObject, list: string, order: unknown, field: Field | null): void {
  const existing = target[list]
  if (!Array.isArray(existing) || !Array.isArray(order)) return
  const key = field?.patchMergeKey ?? null
  target[list] = sortByOrder(existing, order, existing, (item) => (key !== null && isObject(item) ? item[key] : item), key ?? undefined)
}

/**
 * Puts the ordered items into the order's sequence; the others (which only the server has) keep their place relative to the
 * items that stood before them in the live list.
 */
function sortByOrder(items: unknown[], order: unknown[], live: unknown[], idOf: (item: unknown) => unknown, key?: string): unknown[] {
  const ids = order.map((each) => (key !== undefined && isObject(each) ? each[key] : each))
  const rank = (item: unknown): number => ids.findIndex((id) => deepEqual(id, idOf(item)))
  const liveRank = (item: unknown): number => live.findIndex((each) => deepEqual(idOf(each), idOf(item)))
  const ordered = items.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b))
  const serverOnly = items.filter((item) => rank(item) < 0)
  const result: unknown[] = []
  let [left, right] = [0, 0]
  while (left < ordered.length && right < serverOnly.length) {
    const [a, b] = [liveRank(ordered[left]), liveRank(serverOnly[right])]
    // An item that the live list lacks goes first: the patch put it there.
    if (a < 0 || (b >= 0 && a < b)) result.push(ordered[left++])
    else result.push(serverOnly[right++])
  }
  return [...result, ...ordered.slice(left), ...serverOnly.slice(right)]
}
