import type { Random } from '#shared/base/random.ts'
import { deepEqual, isObject, type JsonObject } from '#shared/kubernetes/json.ts'

/** What makes one object of another by RFC 7386; metadata that is the server's is left alone. */
export function mergePatch(from: JsonObject, to: JsonObject, root = true): JsonObject {
  const patch: JsonObject = {}
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    if (root && (key === 'apiVersion' || key === 'kind')) continue
    const [was, now] = [from[key], to[key]]
    if (deepEqual(was, now)) continue
    if (key === 'metadata' && isObject(was) && isObject(now)) patch[key] = mergePatch(own(was), own(now), false)
    else if (now === undefined) patch[key] = null
    else patch[key] = isObject(was) && isObject(now) ? mergePatch(was, now, false) : now
  }
  return patch
}

const SERVER_METADATA = new Set(['managedFields', 'resourceVersion', 'uid', 'creationTimestamp', 'generation', 'selfLink', 'name', 'namespace'])

function own(metadata: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !SERVER_METADATA.has(key)))
}

/** The same by RFC 6902. */
export function jsonPatch(from: JsonObject, to: JsonObject, path = ''): JsonObject[] {
  const operations: JsonObject[] = []
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    if (path === '/metadata' && SERVER_METADATA.has(key)) continue
    const [was, now] = [from[key], to[key]]
    if (deepEqual(was, now)) continue
    const at = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (now === undefined) operations.push({ op: 'remove', path: at })
    else if (isObject(was) && isObject(now)) operations.push(...jsonPatch(was, now, at))
    else operations.push({ op: was === undefined ? 'add' : 'replace', path: at, value: now })
  }
  return operations
}

/** An apply configuration: a random part of an object, with what identifies it and what its lists are keyed by. */
export function partOf(object: JsonObject, random: Random): JsonObject {
  const { status: _, ...rest } = object
  return part(rest, random, 0) as JsonObject
}

const KEPT = new Set([
  'apiVersion',
  'kind',
  'metadata',
  'name',
  'namespace',
  'port',
  'protocol',
  'containerPort',
  'mountPath',
  'ip',
  'key',
  'type',
  'selector',
  'template',
  'matchLabels',
  'uid',
])

function part(value: unknown, random: Random, depth: number): unknown {
  if (Array.isArray(value))
    return value.length > 1 && random.below(4) === 0 ? part(value.slice(1), random, depth) : (value as unknown[]).map((each) => part(each, random, depth + 1))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) => (KEPT.has(key) || random.below(10) > 2 ? [[key, part(each, random, depth + 1)] as const] : [])),
  )
}
