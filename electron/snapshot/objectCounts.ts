import { KeySet } from './keySet.ts'

const PREFIX = '/registry/'
const SLASH = 0x2f
const DOT = 0x2e
/** The hash of `/registry/services`, as ObjectCounter makes it. */
const SERVICES = [...Buffer.from(`${PREFIX}services`)].reduce((hash, byte) => (Math.imul(hash, 31) + byte) | 0, 0)
/** No object's key has more. */
const MOST_SEGMENTS = 6
/** What is remembered of prefixes; keys that are no Kubernetes object's may have a new one each. */
const MOST_KINDS = 10_000
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
  readonly #counts = new Map<string, { count: number }>()
  /** By a hash of the first segments and of how many there are; null for what is no object. */
  readonly #kinds = new Map<number, { count: number } | null>()

  /** The key lies in `bytes` from `start` to `end`. */
  see(bytes: Buffer, start: number, end: number, tombstone: boolean): void {
    if (tombstone ? !this.#live.delete(bytes, start, end) : !this.#live.add(bytes, start, end)) return
    const kind = this.#kindOf(bytes, start, end)
    if (kind !== null) kind.count += tombstone ? -1 : 1
  }

  /** What objectPlace finds of a key; known again by a hash of its first segments, which are the same for all of a kind. */
  #kindOf(bytes: Buffer, start: number, end: number): { count: number } | null {
    let segments = 1
    let hash = 0
    let hashed = 2
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0
      if (byte === SLASH && at >= start + PREFIX.length) {
        segments++
        // Of `services` and of what has a dot the second segment counts too.
        if (segments === 2 && hash === SERVICES) hashed = 3
      } else if (byte === DOT && segments === 1) hashed = 3
      if (segments < hashed) hash = (Math.imul(hash, 31) + byte) | 0
    }
    const place = (Math.imul(hash, MOST_SEGMENTS + 1) + Math.min(segments, MOST_SEGMENTS)) | 0
    let kind = this.#kinds.get(place)
    if (kind === undefined) {
      const resource = objectPlace(bytes.toString('latin1', start, end))?.resource ?? null
      kind = resource === null ? null : (this.#counts.get(resource) ?? { count: 0 })
      if (resource !== null && kind !== null) this.#counts.set(resource, kind)
      if (this.#kinds.size < MOST_KINDS) this.#kinds.set(place, kind)
    }
    return kind
  }

  counts(): Record<string, number> {
    const counts = [...this.#counts].map(([resource, { count }]) => [resource, count] as const)
    return Object.fromEntries(counts.filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
