import { goJson } from '../customresource/shown.ts'
import { isObject, setOwn, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { builtinSchema, type StructType, type TypeRef } from '../schema/schema.ts'
import { applyJsonPatch } from './jsonPatch.ts'
import { applyMergePatch } from './mergePatch.ts'

/** Of the releases between 1.20 and it nothing is known. */
const ORDER_KEPT_SINCE = 36

/**
 * The text of what a JSON or merge patch made, as a refusal shows it. The server's library (evanphx/json-patch) reads no further than the patch reaches: what
 * version 4 has read is written with sorted members, and what it has not stays as it was, in the order of Go's fields. Version 5, with which a 1.36 was
 * measured, keeps the order in what it has read as well.
 *
 * @param struct null for a custom resource, which has no fields in Go
 */
export function shownPatch(current: KubeObject, { type, patch }: { type: string; patch: unknown }, struct: StructType | null, minor: number): string {
  const before = (struct === null ? JSON.parse(goJson(current)) : inGoOrder(current, { kind: 'struct', name: struct.name })) as JsonObject
  const isJsonPatch = type.startsWith('application/json')
  const after = isJsonPatch ? applyJsonPatch(before, patch) : applyMergePatch(before, patch)
  if (minor >= ORDER_KEPT_SINCE) return goJson(after, { sorted: false })
  return goJson(isJsonPatch ? readByJsonPatch(after, patch) : readByMergePatch(before, after, patch), { sorted: false })
}

function inGoOrder(value: unknown, type: TypeRef): unknown {
  if (Array.isArray(value)) return value.map((each) => inGoOrder(each, type.kind === 'list' ? type.of : type))
  if (!isObject(value)) return value
  const struct = type.kind === 'struct' ? builtinSchema.struct(type.name) : null
  const result: JsonObject = {}
  const own = Object.keys(value)
  if (struct === null) for (const name of own.sort()) setOwn(result, name, type.kind === 'map' ? inGoOrder(value[name], type.of) : sorted(value[name]))
  else {
    const places = new Map(['kind', 'apiVersion', ...struct.fields.keys()].map((name, place) => [name, place]))
    own.sort((a, b) => (places.get(a) ?? Infinity) - (places.get(b) ?? Infinity))
    for (const name of own) setOwn(result, name, inGoOrder(value[name], struct.fields.get(name)?.type ?? { kind: 'scalar', scalar: 'json' }))
  }
  return result
}

/** Whatever is within as well. */
function sorted(value: unknown): unknown {
  return JSON.parse(goJson(value))
}

function readByJsonPatch(result: unknown, patch: unknown): unknown {
  const read = new Set<string>([''])
  for (const operation of Array.isArray(patch) ? (patch as unknown[]) : [])
    for (const member of ['path', 'from']) {
      const path = isObject(operation) ? operation[member] : undefined
      if (typeof path !== 'string') continue
      for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) read.add(path.slice(0, end))
    }
  const walk = (value: unknown, path: string): unknown => {
    if (!read.has(path)) return value
    if (Array.isArray(value)) return value.map((each, index) => walk(each, `${path}/${String(index)}`))
    if (!isObject(value)) return value
    const found: JsonObject = {}
    for (const name of Object.keys(value).sort()) setOwn(found, name, walk(value[name], `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`))
    return found
  }
  return walk(result, '')
}

function readByMergePatch(before: unknown, after: unknown, patch: unknown): unknown {
  if (!isObject(before) || !isObject(patch) || !isObject(after)) return sorted(after)
  const found: JsonObject = {}
  for (const name of Object.keys(after).sort())
    setOwn(found, name, Object.hasOwn(patch, name) ? readByMergePatch(before[name], after[name], patch[name]) : after[name])
  return found
}
