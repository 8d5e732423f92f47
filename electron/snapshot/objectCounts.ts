import { KeySet } from './keySet.ts'

const PREFIX = '/registry/'
/** Where etcd's path differs from the resource's name. */
const NAMES: Record<string, string> = {
  minions: 'nodes',
  controllers: 'replicationcontrollers',
  ingress: 'ingresses',
  podsecuritypolicy: 'podsecuritypolicies',
  'services/specs': 'services',
  'services/endpoints': 'endpoints',
}

/**
 * A Kubernetes object's place in etcd. Built-in kinds lie under `/registry/<resource>/…`, those of other groups under
 * `/registry/<group>/<resource>/…`, of which the group has a dot.
 */
export interface ObjectPlace {
  /** Plural, with the group for custom resources: `pods`, `crontabs.stable.example.com`. */
  resource: string
  /** '' for cluster-scoped objects. */
  namespace: string
  name: string
}

/** Null for keys that are no Kubernetes object's. */
export function objectPlace(key: string): ObjectPlace | null {
  if (!key.startsWith(PREFIX)) return null
  const parts = key.slice(PREFIX.length).split('/')
  let [resource = ''] = parts
  let rest = parts.slice(1)
  if (rest.length === 0 || resource === 'ranges') return null
  if (resource === 'services' || resource.includes('.')) {
    const second = rest[0] ?? ''
    resource = resource === 'services' ? (NAMES[`services/${second}`] ?? `services/${second}`) : `${second}.${resource}`
    rest = rest.slice(1)
  } else resource = NAMES[resource] ?? resource
  const name = rest.at(-1)
  if (name === undefined || rest.length > 2) return null
  return { resource, namespace: rest.length === 2 ? (rest[0] ?? '') : '', name }
}

/**
 * Counts the objects alive at the last revision, from a store's history in order. Memory: eight bytes and a half-empty table for each
 * live key, which is known by 64 bits of a hash: that two of a million keys share one has a chance of one in 37 millions.
 */
export class ObjectCounter {
  readonly #live = new KeySet()
  readonly #counts = new Map<string, number>()

  see(key: Uint8Array, tombstone: boolean): void {
    if (tombstone ? !this.#live.delete(key) : !this.#live.add(key)) return
    const place = objectPlace(Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1'))
    if (place !== null) this.#counts.set(place.resource, (this.#counts.get(place.resource) ?? 0) + (tombstone ? -1 : 1))
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
