import type { SeededRandom } from '#shared/base/random.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { RandomKind } from './schemas.ts'
import type { Operation } from './side.ts'

function pick<T>(random: SeededRandom, values: readonly T[]): T {
  const value = values[random.below(values.length)]
  if (value === undefined) throw new Error('nothing to pick from')
  return value
}

const chance = (random: SeededRandom, percent: number): boolean => random.below(100) < percent

const TEXTS = ['a', 'ab', 'abc', 'bad', 'one', 'two', 'three', 'X1', 'xyz', 'a longer text', '', '5%', 'é🙂']
const FORMATTED = ['2024-01-02T03:04:05Z', '2024-01-02', '10.0.0.1', 'a@b.c', 'aGVsbG8=', '1h30m', '9f3a1b2c-0000-4000-8000-000000000001', 'nonsense']

/** A random value for a schema: mostly right, now and then of another type, with fields it does not know. */
export function valueFor(random: SeededRandom, schema: JsonObject, wild = 6): unknown {
  if (chance(random, wild)) return pick(random, [1, 2.5, 'wild', true, null, [], {}, [1], { a: 1 }])
  if (schema['x-kubernetes-int-or-string'] === true) return chance(random, 50) ? random.below(6) : pick(random, ['5%', 'x', '10%'])
  if (schema['x-kubernetes-embedded-resource'] === true) return embedded(random)
  switch (schema['type']) {
    case 'integer':
      return chance(random, 3) ? 5_000_000_000 : random.below(8) - 1
    case 'number':
      return pick(random, [0, 1, 1.5, 2.25, 4.75, -3])
    case 'boolean':
      return chance(random, 60)
    case 'string':
      if (schema['format'] !== undefined) return pick(random, FORMATTED)
      return Array.isArray(schema['enum']) && chance(random, 85) ? pick(random, schema['enum'] as unknown[]) : pick(random, TEXTS)
    case 'array':
      return Array.from({ length: random.below(4) }, () => valueFor(random, isObject(schema['items']) ? schema['items'] : {}, wild))
    case 'object':
      return objectFor(random, schema, wild)
    default:
      return chance(random, 50) ? { free: [1, { deep: null }] } : 'free'
  }
}

function embedded(random: SeededRandom): JsonObject {
  return {
    ...(chance(random, 90) ? { apiVersion: 'v1' } : {}),
    ...(chance(random, 90) ? { kind: pick(random, ['Pod', 'ConfigMap', 'bad kind']) } : {}),
    ...(chance(random, 60) ? { metadata: { name: 'inner', labels: { a: 'b' }, ...(chance(random, 30) ? { bogus: 1 } : {}) } } : {}),
    data: { x: 1 },
  }
}

function objectFor(random: SeededRandom, schema: JsonObject, wild: number): JsonObject {
  const result: JsonObject = {}
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  for (const [name, property] of Object.entries(properties))
    if (isObject(property) && (chance(random, 60) || (required.includes(name) && chance(random, 95)))) result[name] = valueFor(random, property, wild)
  if (isObject(schema['additionalProperties']))
    for (let count = random.below(4); count > 0; count--)
      result[pick(random, ['k1', 'k2', 'k3', 'alongerkey'])] = valueFor(random, schema['additionalProperties'], wild)
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) result['anything'] = { list: [1, 'x', null] }
  if (chance(random, wild)) result['bogus'] = 'unknown'
  return result
}

export const OBJECTS = ['n1', 'n2', 'n3', 'n4']
const MANAGERS = ['red', 'blue', 'green']
const LABELS = ['app=a', 'app!=a', 'app in (a,b)', 'tier', '!tier', 'app=a,tier=x', 'app=c']

const TYPES = {
  json: 'application/json',
  merge: 'application/merge-patch+json',
  patch: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

export function pathOf({ group, plural, namespaced }: RandomKind, name = '', subresource = ''): string {
  return `/apis/${group}/v1${namespaced ? '/namespaces/default' : ''}/${plural}${name === '' ? '' : `/${name}`}${subresource === '' ? '' : `/${subresource}`}`
}

const schemaAt = (schema: JsonObject, name: string): JsonObject => {
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  return isObject(properties[name]) ? properties[name] : {}
}

/** A random request to objects of a kind. */
export function randomOperation(random: SeededRandom, kind: RandomKind): Operation {
  const name = pick(random, OBJECTS)
  const about = `${kind.kind} ${name}`
  const wild = pick(random, [0, 0, 0, 3, 8])
  const spec = (): unknown => valueFor(random, schemaAt(kind.schema, 'spec'), wild)
  const status = (): unknown => valueFor(random, schemaAt(kind.schema, 'status'), wild)
  const labels = chance(random, 50) ? { labels: { app: pick(random, ['a', 'b']), ...(chance(random, 40) ? { tier: 'x' } : {}) } } : {}
  const whole = (metadata: JsonObject = {}, body: JsonObject = { spec: spec() }): JsonObject => ({
    apiVersion: `${kind.group}/v1`,
    kind: kind.kind,
    metadata: { name, ...labels, ...metadata },
    ...body,
  })
  const validation = pick(random, ['', '', 'fieldValidation=Strict', 'fieldValidation=Ignore', 'fieldValidation=Warn', 'dryRun=All'])
  const query = (...parts: string[]): string => {
    const all = [...parts, validation].filter((part) => part !== '')
    return all.length === 0 ? '' : `?${all.join('&')}`
  }
  const manager = (): string => `fieldManager=${pick(random, MANAGERS)}`
  const finalizers = chance(random, 8) ? { finalizers: pick(random, [['drydock.test/keep'], ['plain'], ['a.b/c', 'drydock.test/keep']]) } : {}
  const subresource = kind.status && chance(random, 20) ? 'status' : ''
  switch (random.below(22)) {
    case 0:
    case 1:
    case 2:
      return {
        method: 'POST',
        path: pathOf(kind) + query(chance(random, 50) ? manager() : ''),
        contentType: TYPES.json,
        body: whole(finalizers, chance(random, 20) ? { spec: spec(), status: status() } : { spec: spec() }),
      }
    case 3:
    case 4:
      return {
        method: 'PUT',
        path: pathOf(kind, name) + query(manager()),
        contentType: TYPES.json,
        about,
        body: whole({
          ...finalizers,
          ...(chance(random, 92) ? { resourceVersion: '$rv' } : chance(random, 50) ? { resourceVersion: '1' } : {}),
          ...(chance(random, 10) ? { uid: '$uid' } : {}),
        }),
      }
    case 5:
      return {
        method: 'PUT',
        path: pathOf(kind, name, 'status') + query(manager()),
        contentType: TYPES.json,
        about,
        body: whole({ resourceVersion: '$rv' }, { spec: spec(), status: status() }),
      }
    case 6:
    case 7:
    case 8:
      return {
        method: 'PATCH',
        path: pathOf(kind, name, subresource) + query(manager()),
        contentType: TYPES.merge,
        about,
        body: {
          ...(chance(random, 40)
            ? { metadata: { ...labels, ...(chance(random, 20) ? { finalizers: [] } : {}), ...(chance(random, 10) ? { annotations: { note: 'x' } } : {}) } }
            : {}),
          ...(subresource === 'status' || chance(random, 20) ? { status: status() } : {}),
          ...(chance(random, 80) ? { spec: partial(random, spec()) } : {}),
        },
      }
    case 9:
    case 10:
      return { method: 'PATCH', path: pathOf(kind, name, subresource) + query(manager()), contentType: TYPES.patch, about, body: jsonPatch(random, spec) }
    case 11:
    case 12:
    case 13:
    case 14:
      return {
        method: 'PATCH',
        path: pathOf(kind, name, subresource) + query(manager(), chance(random, 40) ? 'force=true' : ''),
        contentType: TYPES.apply,
        about,
        body: { ...whole({}, subresource === 'status' ? { status: status() } : { spec: partial(random, spec()) }) },
      }
    case 15:
      return { method: 'DELETE', path: pathOf(kind, name), about, ...(chance(random, 50) ? { contentType: TYPES.json, body: deleteOptions(random) } : {}) }
    case 16:
      return {
        method: 'GET',
        path: pathOf(kind, name),
        about,
        ...(chance(random, 30)
          ? {
              headers: {
                accept: pick(random, ['application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', 'application/json;as=Table;v=v1;g=meta.k8s.io']),
              },
            }
          : {}),
      }
    case 17:
      return kind.scale
        ? chance(random, 50)
          ? { method: 'GET', path: pathOf(kind, name, 'scale'), about }
          : {
              method: 'PATCH',
              path: pathOf(kind, name, 'scale') + `?${manager()}`,
              contentType: TYPES.merge,
              about,
              body: { spec: { replicas: random.below(9) - 1 } },
            }
        : { method: 'GET', path: pathOf(kind, name, 'scale'), about }
    case 18:
      return chance(random, 10)
        ? { method: 'DELETE', path: `${pathOf(kind)}?labelSelector=${encodeURIComponent(pick(random, LABELS))}` }
        : { method: 'GET', path: `${pathOf(kind)}?labelSelector=${encodeURIComponent(pick(random, LABELS))}` }
    case 19:
      return {
        method: 'GET',
        path: `${pathOf(kind)}?fieldSelector=${encodeURIComponent(pick(random, ['spec.choice=abc', 'spec.choice!=abc', 'metadata.name=n1', 'spec.nope=1', 'spec.choice=', 'metadata.namespace=default']))}`,
      }
    case 20:
      return { method: 'GET', path: `${pathOf(kind)}?limit=${String(1 + random.below(3))}` }
    default:
      return { method: 'GET', path: pathOf(kind), headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } }
  }
}

/** Some of an object's fields, some of them null. */
function partial(random: SeededRandom, value: unknown): unknown {
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).flatMap(([key, each]) => (chance(random, 40) ? [] : [[key, chance(random, 6) ? null : each]])))
}

function jsonPatch(random: SeededRandom, spec: () => unknown): unknown[] {
  const value = spec()
  const entries = isObject(value) ? Object.entries(value) : []
  const escape = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')
  const one = (): unknown => {
    switch (random.below(6)) {
      case 0:
        return { op: 'replace', path: '/spec', value }
      case 1:
        return { op: 'remove', path: `/spec/${pick(random, ['choice', 'replicas', 'list', 'set', 'nothing'])}` }
      case 2:
        return { op: 'add', path: '/metadata/labels', value: { app: 'a' } }
      case 3:
        return { op: 'test', path: '/spec/choice', value: pick(random, TEXTS) }
      case 4:
        return { op: 'add', path: '/spec/set/-', value: pick(random, TEXTS) }
      default: {
        const [name, each] = entries.length === 0 ? ['choice', 'abc'] : pick(random, entries)
        return { op: 'add', path: `/spec/${escape(name)}`, value: each }
      }
    }
  }
  return Array.from({ length: 1 + random.below(2) }, one)
}

function deleteOptions(random: SeededRandom): JsonObject {
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    ...(chance(random, 30) ? { propagationPolicy: pick(random, ['Background', 'Foreground', 'Orphan', 'Wrong']) } : {}),
    ...(chance(random, 30) ? { preconditions: pick(random, [{ uid: '$uid' }, { uid: 'wrong' }, { resourceVersion: '1' }]) } : {}),
  }
}
