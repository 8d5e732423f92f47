import { Emitter } from '#shared/base/emitter.ts'
import type { Entry } from './entry.ts'
import { KeyList } from './keyList.ts'

/** A change of one collection. For DELETED `entry` is the last state with the delete's revision. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly entry: Entry
  readonly previous: Entry | null
  readonly revision: number
}

/** Changes remembered for watches that resume: upstream's watch cache grows to about as many. At most about so many bytes of JSON. */
const HISTORY = 10_000
const HISTORY_BYTES = 16 * 1024 * 1024
/** Lines that watches send at once and that are joined for all of them. */
const MAX_SHARED_LINES = 256
/** Kept whatever they weigh. */
const LEAST_HISTORY = 1_000

type Listeners = Map<string, Emitter<StoreEvent>>

/** The objects below one storage prefix, in key order, with their last changes. */
export class Collection {
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Emitter<StoreEvent>()
  readonly #nodeListeners: Listeners = new Map()
  readonly #keyListeners: Listeners = new Map()
  readonly #keys = new KeyList()
  /** Keys of pods by the node they are bound to. */
  readonly #byNode = new Map<string, Set<string>>()
  /** Whether there are entries whose node only reading them tells. */
  #unplaced = false
  /** Whether the keys are still to be put in order. */
  #keysStale = false
  #history: StoreEvent[] = []
  #historyBytes = 0
  #oldest: number
  /** What the last event looks like in each form that a watch wants. */
  #lastEvent: StoreEvent | null = null
  readonly #lastForms = new Map<string, Uint8Array>()
  #lastJoined: { lines: readonly Uint8Array[]; bytes: Uint8Array } = { lines: [], bytes: new Uint8Array(0) }

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
    for (const key of this.#sorted().from(start < prefix ? prefix : start)) {
      if (!key.startsWith(prefix)) return
      const entry = this.#entries.get(key)
      if (entry !== undefined) yield entry
    }
  }

  /** The same of the pods that are bound to a node; of entries whose node is not known all, as they have to be read. */
  *rangeOnNode(node: string, prefix: string, start = prefix): Generator<Entry> {
    if (this.#unplaced) {
      yield* this.range(prefix, start)
      return
    }
    const first = start < prefix ? prefix : start
    for (const key of [...(this.#byNode.get(node) ?? [])].sort()) {
      if (key < first || !key.startsWith(prefix)) continue
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

  /** The bytes of an event in a form, made once for all watches that want that form. */
  shared(event: StoreEvent, form: string, make: () => Uint8Array): Uint8Array {
    if (this.#lastEvent !== event) {
      this.#lastEvent = event
      this.#lastForms.clear()
    }
    let bytes = this.#lastForms.get(form)
    if (bytes === undefined) {
      bytes = make()
      this.#lastForms.set(form, bytes)
    }
    return bytes
  }

  /** Lines in one piece, made once for watches that are as far as each other, as most are. */
  joined(lines: readonly Uint8Array[]): Uint8Array {
    const [only] = lines
    if (only !== undefined && lines.length === 1) return only
    // Who is far behind is so alone.
    if (lines.length > MAX_SHARED_LINES) return Buffer.concat(lines)
    const { lines: last } = this.#lastJoined
    if (last.length !== lines.length || !lines.every((line, index) => line === last[index])) this.#lastJoined = { lines, bytes: Buffer.concat(lines) }
    return this.#lastJoined.bytes
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    return this.#listeners.subscribe(listener)
  }

  /**
   * As `onEvent`, for who asks for the pods of one node: told of pods that are or were bound to it, and of those whose node only reading them
   * tells. A thousand kubelets watch so; each of them asking whether each pod is its own would take longer than the writes (upstream's
   * cacher has `spec.nodeName` as a trigger for the same reason).
   */
  onEventOfNode(node: string, listener: (event: StoreEvent) => void): () => void {
    return subscribed(this.#nodeListeners, node, listener)
  }

  /** As `onEvent`, for who asks for one object, as each kubelet does for its node. */
  onEventOfKey(key: string, listener: (event: StoreEvent) => void): () => void {
    return subscribed(this.#keyListeners, key, listener)
  }

  /** No change up to `revision` is in the history. */
  forgetUntil(revision: number): void {
    this.#oldest = revision
  }

  /** Takes the first contents; no events. */
  load(entry: Entry): void {
    this.#place(entry, this.#entries.get(entry.key))
    this.#entries.set(entry.key, entry)
    this.#keysStale = true
  }

  put(entry: Entry): void {
    const previous = this.#entries.get(entry.key) ?? null
    // Kept in order one by one: sorting tens of thousands of keys anew for each list would take longer than the list.
    if (previous === null && !this.#keysStale) this.#keys.add(entry.key)
    this.#place(entry, previous ?? undefined)
    this.#entries.set(entry.key, entry)
    this.#tell({ type: previous === null ? 'ADDED' : 'MODIFIED', entry, previous, revision: entry.modRevision })
  }

  /** @param last the last state with the delete's revision */
  remove(key: string, last: (previous: Entry) => Entry): void {
    const previous = this.#entries.get(key)
    if (previous === undefined) return
    this.#entries.delete(key)
    this.#place(undefined, previous)
    if (!this.#keysStale) this.#keys.remove(key)
    const entry = last(previous)
    this.#tell({ type: 'DELETED', entry, previous, revision: entry.modRevision })
  }

  #place(entry: Entry | undefined, previous: Entry | undefined): void {
    if (entry !== undefined && entry.node === undefined) this.#unplaced = true
    if (entry !== undefined && entry.node === previous?.node) return
    if (previous?.node !== undefined && previous.node !== '') {
      const keys = this.#byNode.get(previous.node)
      keys?.delete(previous.key)
      if (keys?.size === 0) this.#byNode.delete(previous.node)
    }
    if (entry?.node === undefined || entry.node === '') return
    const keys = this.#byNode.get(entry.node)
    if (keys === undefined) this.#byNode.set(entry.node, new Set([entry.key]))
    else keys.add(entry.key)
  }

  #tell(event: StoreEvent): void {
    this.#history.push(event)
    this.#historyBytes += event.entry.json.length
    const { length } = this.#history
    if (length > 2 * HISTORY || (this.#historyBytes > 2 * HISTORY_BYTES && length > 2 * LEAST_HISTORY)) this.#dropHalf()
    this.#listeners.emit(event)
    this.#keyListeners.get(event.entry.key)?.emit(event)
    if (this.#nodeListeners.size > 0) for (const each of this.#nodeListenersOf(event)) each.emit(event)
  }

  #nodeListenersOf({ entry, previous }: StoreEvent): Iterable<Emitter<StoreEvent>> {
    if (entry.node === undefined || (previous !== null && previous.node === undefined)) return [...this.#nodeListeners.values()]
    const nodes = new Set([entry.node, previous?.node ?? entry.node])
    return [...nodes].flatMap((node) => this.#nodeListeners.get(node) ?? [])
  }

  #dropHalf(): void {
    const kept = this.#history.slice(Math.ceil(this.#history.length / 2))
    this.#oldest = this.#history[this.#history.length - kept.length - 1]?.revision ?? this.#oldest
    this.#history = kept
    this.#historyBytes = kept.reduce((sum, { entry }) => sum + entry.json.length, 0)
  }

  #sorted(): KeyList {
    if (this.#keysStale) {
      this.#keys.fill([...this.#entries.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
      this.#keysStale = false
    }
    return this.#keys
  }
}

function subscribed(listeners: Listeners, key: string, listener: (event: StoreEvent) => void): () => void {
  const emitter = listeners.get(key) ?? new Emitter<StoreEvent>()
  listeners.set(key, emitter)
  const stop = emitter.subscribe(listener)
  return () => {
    stop()
    if (emitter.size === 0 && listeners.get(key) === emitter) listeners.delete(key)
  }
}
