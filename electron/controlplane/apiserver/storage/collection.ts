import { Emitter } from '#shared/base/emitter.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/** One stored object, in its storage version, with `metadata.resourceVersion` set. Shared by all readers: never changed in place. */
export interface Entry {
  /** The etcd key, e.g. `/registry/pods/default/web`. */
  readonly key: string
  readonly object: KubeObject
  readonly createRevision: number
  readonly modRevision: number
  /** `object` as JSON, made when first wanted. */
  json?: string
}

/** A change of one collection. For DELETED `entry` is the last state with the delete's revision. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly entry: Entry
  readonly previous: Entry | null
  readonly revision: number
}

/** Changes remembered for watches that resume. Upstream's watch cache grows to about as many. */
const HISTORY = 10_000

/** The JSON of an entry's object, kept with it. */
export function entryJson(entry: Entry): string {
  return (entry.json ??= JSON.stringify(entry.object))
}

/** The objects below one storage prefix, in key order, with their last changes. */
export class Collection {
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Emitter<StoreEvent>()
  #keys: string[] = []
  #keysStale = false
  #history: StoreEvent[] = []
  #oldest: number

  /** @param sinceRevision changes after this revision will be in the history */
  constructor(sinceRevision: number) {
    this.#oldest = sinceRevision
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  /** Entries whose key starts with `prefix` and is not before `start`, in key order. */
  *range(prefix: string, start = prefix): Generator<Entry> {
    const keys = this.#sorted()
    for (let index = lowerBound(keys, start < prefix ? prefix : start); index < keys.length; index++) {
      const key = keys[index] ?? ''
      if (!key.startsWith(prefix)) return
      const entry = this.#entries.get(key)
      if (entry !== undefined) yield entry
    }
  }

  /** Everything, in no particular order. */
  values(): IterableIterator<Entry> {
    return this.#entries.values()
  }

  /** Changes after `revision`, oldest first; null when the history does not reach back so far. */
  since(revision: number): StoreEvent[] | null {
    if (revision < this.#oldest) return null
    const events = this.#history
    let low = 0
    let high = events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((events[middle]?.revision ?? 0) <= revision) low = middle + 1
      else high = middle
    }
    return events.slice(low)
  }

  /** The oldest revision a watch may start from. */
  get oldestRevision(): number {
    return this.#oldest
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    return this.#listeners.subscribe(listener)
  }

  /** Takes the first contents; no events. */
  load(entry: Entry): void {
    this.#entries.set(entry.key, entry)
    this.#keysStale = true
  }

  put(entry: Entry): void {
    const previous = this.#entries.get(entry.key) ?? null
    if (previous === null) {
      const last = this.#keys.at(-1)
      if (!this.#keysStale && (last === undefined || last < entry.key)) this.#keys.push(entry.key)
      else this.#keysStale = true
    }
    this.#entries.set(entry.key, entry)
    this.#tell({ type: previous === null ? 'ADDED' : 'MODIFIED', entry, previous, revision: entry.modRevision })
  }

  remove(key: string, revision: number): void {
    const previous = this.#entries.get(key)
    if (previous === undefined) return
    this.#entries.delete(key)
    this.#keysStale = true
    const object = { ...previous.object, metadata: { ...previous.object.metadata, resourceVersion: String(revision) } }
    this.#tell({ type: 'DELETED', entry: { key, object, createRevision: previous.createRevision, modRevision: revision }, previous, revision })
  }

  #tell(event: StoreEvent): void {
    this.#history.push(event)
    if (this.#history.length > 2 * HISTORY) {
      const dropped = this.#history.length - HISTORY
      this.#oldest = this.#history[dropped - 1]?.revision ?? this.#oldest
      this.#history = this.#history.slice(dropped)
    }
    this.#listeners.emit(event)
  }

  #sorted(): string[] {
    if (this.#keysStale) {
      this.#keys = [...this.#entries.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
      this.#keysStale = false
    }
    return this.#keys
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}
