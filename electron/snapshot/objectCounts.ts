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

/** Counts the objects alive at the last revision, from a store's history in order. Memory: one entry for each live key. */
export class ObjectCounter {
  readonly #live = new Set<string>()

  see(key: Uint8Array, tombstone: boolean): void {
    const text = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
    if (tombstone) this.#live.delete(text)
    else this.#live.add(text)
  }

  counts(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const key of this.#live) {
      const place = objectPlace(key)
      if (place !== null) counts[place.resource] = (counts[place.resource] ?? 0) + 1
    }
    return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
