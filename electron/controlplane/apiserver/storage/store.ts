import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { StillReader } from '#shared/etcd/stillReader.ts'
import type { Bytes, EtcdClient, KeyValue, TxnRequest, WatchResponse } from '#shared/etcd/rpc.ts'
import { decodeObject, type Decoded } from '#shared/kubernetes/codec/codec.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { Collection, type StoreEvent } from './collection.ts'
import { ParsedObjects, StoredEntry, type Entry, type StoredValue } from './entry.ts'
import { EntryReader, LazyEntry } from './lazyEntry.ts'
import { withNestedKinds } from './nestedKinds.ts'
import { PLAIN_VALUES, type ValueTransformer } from './encryption/sealedValues.ts'
import { TtlLeases } from './ttlLeases.ts'

const ROOT = '/registry/'
const PAGE = 2_000
const RETRY_MS = 500

/** On objects of an opened snapshot that stand for a value nobody can read; says why. */
export const UNREADABLE = 'drydock.invalid/unreadable'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** What is asked of etcd about one object, as upstream's metrics name it. */
export type EtcdOperation = 'create' | 'update' | 'delete'

/** What was written and not yet seen by the watch: its object need not be decoded again. */
interface PendingWrite {
  value: Bytes
  object: KubeObject
}

/**
 * The API server's view of etcd: all of `/registry/` in memory, kept by one watch, written through transactions. A write
 * resolves only when it is durable and the memory shows it, so whoever wrote reads its own write.
 *
 * Same keys as upstream. Reads understand protobuf and JSON.
 */
export class Store {
  readonly #etcd: EtcdClient
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #collections = new Map<string, Collection>()
  readonly #pending = new Map<string, PendingWrite>()
  readonly #waiters = new Set<{ revision: number; resolve: () => void }>()
  readonly #leases: TtlLeases
  readonly #parsed = new ParsedObjects()
  readonly #values: ValueTransformer
  /** Keys whose values should be written anew, though their objects stay the same. */
  readonly #stale = new Set<string>()
  #revision = 0
  #loadedRevision = 0
  #following = false

  readonly #observe: (operation: EtcdOperation, prefix: string, seconds: number) => void
  readonly #still: StillReader | null
  readonly #kindOf: (prefix: string) => { apiVersion: string; kind: string }

  /**
   * @param options.still of a store that never changes: its values are read when they are asked for
   * @param options.kindOf what lies below a prefix, for values of such a store that cannot be read
   * @param options.observe told how long etcd took for what
   */
  constructor(options: {
    etcd: EtcdClient
    clock: Clock
    logger: Logger
    values?: ValueTransformer
    still?: StillReader | null
    kindOf?: (prefix: string) => { apiVersion: string; kind: string }
    observe?: (operation: EtcdOperation, prefix: string, seconds: number) => void
  }) {
    this.#observe = options.observe ?? (() => undefined)
    this.#still = options.still ?? null
    this.#kindOf = options.kindOf ?? (() => ({ apiVersion: 'v1', kind: 'Unknown' }))
    this.#values = options.values ?? PLAIN_VALUES
    this.#etcd = options.etcd
    this.#clock = options.clock
    this.#logger = options.logger
    this.#leases = new TtlLeases(options.etcd, options.clock)
  }

  /** Whether the memory is being kept. */
  get isFollowing(): boolean {
    return this.#following
  }

  /** Asks etcd for anything. @throws EtcdError when it does not answer */
  async ping(signal: AbortSignal): Promise<void> {
    await this.#etcd.range({ key: encoder.encode(ROOT), keysOnly: true, limit: 1 }, { signal })
  }

  /** The objects below each prefix. */
  *sizes(): Generator<[prefix: string, size: number]> {
    for (const [prefix, collection] of this.#collections) yield [prefix, collection.size]
  }

  /** Whether the value in etcd was written with an older key, or not encrypted: an update writes it even when nothing changes. */
  isStale(key: string): boolean {
    return this.#stale.has(key)
  }

  /** The last revision the memory shows. */
  get revision(): number {
    return this.#revision
  }

  /** @param prefix the path below `/registry/`, e.g. `pods` or `services/specs` */
  collection(prefix: string): Collection {
    let collection = this.#collections.get(prefix)
    if (collection === undefined) {
      collection = new Collection(this.#loadedRevision)
      this.#collections.set(prefix, collection)
    }
    return collection
  }

  /** Reads everything once. @throws EtcdError */
  async load(signal: AbortSignal): Promise<void> {
    if (this.#still !== null) {
      this.#loadStill(this.#still)
      return
    }
    let revision = 0
    let key: Bytes = encoder.encode(ROOT)
    const rangeEnd = encoder.encode('/registry0')
    for (;;) {
      const page = await this.#etcd.range({ key, rangeEnd, limit: PAGE, revision }, { signal })
      if (revision === 0) {
        revision = page.header.revision
        this.#loadAt(revision)
      }
      for (const kv of page.kvs) {
        const entry = this.#decode(kv)
        if (entry !== null) this.collection(prefixOf(entry.key)).load(entry)
      }
      const last = page.kvs.at(-1)
      if (!page.more || last === undefined) break
      key = encoder.encode(`${decoder.decode(last.key)}\0`)
    }
    this.#revision = revision
  }

  /** Of changes until now nothing is remembered, in the collections either that somebody has asked for before. */
  #loadAt(revision: number): void {
    this.#loadedRevision = revision
    for (const collection of this.#collections.values()) collection.forgetUntil(revision)
  }

  #loadStill(still: StillReader): void {
    this.#loadAt(still.revision)
    const reader = new EntryReader((key, place) => {
      const kv = still.read(place)
      return this.#decode(kv) ?? this.#unreadable(key, kv)
    })
    for (const each of still.keys()) if (each.key.startsWith(ROOT)) this.collection(prefixOf(each.key)).load(new LazyEntry(each, reader))
    this.#revision = still.revision
  }

  /** Stands for a value that nobody here can read, as what is encrypted with a key that was not given: that it is there is shown. */
  #unreadable(key: string, kv: KeyValue): Entry {
    const prefix = prefixOf(key)
    const path = key.slice(ROOT.length + prefix.length + 1).split('/')
    const sealed = /^k8s:enc:([^:]+):v\d+:([^:]*):/.exec(Buffer.from(kv.value.subarray(0, 200)).toString('latin1'))
    const why = sealed === null ? 'the stored value cannot be read' : `encrypted at rest: provider ${sealed[1] ?? ''}, key ${sealed[2] ?? ''}`
    const object: KubeObject = {
      ...this.#kindOf(prefix),
      metadata: { name: path.at(-1) ?? '', ...(path.length > 1 ? { namespace: path[0] ?? '' } : {}), annotations: { [UNREADABLE]: why } },
    }
    return this.#entry(key, { object, unknown: null }, { create: kv.createRevision, mod: kv.modRevision })
  }

  /** Follows etcd until the signal aborts. A watch that was cut off resumes after the last revision seen. */
  async follow(signal: AbortSignal): Promise<void> {
    const everything = Uint8Array.of(0)
    while (!signal.aborted) {
      try {
        for await (const response of this.#etcd.watch({ key: everything, rangeEnd: everything, startRevision: this.#revision + 1 }, { signal })) {
          this.#following = true
          if (response.compactRevision > 0) throw new Error(`etcd has compacted revision ${String(this.#revision)}`)
          this.#apply(response)
        }
      } catch (error) {
        this.#following = false
        if (signal.aborted) return
        this.#logger.error('the watch of etcd failed', { error: error instanceof Error ? error.message : String(error) })
        if (error instanceof Error && error.message.startsWith('etcd has compacted')) await this.#reload(signal)
      }
      await this.#clock.sleep(RETRY_MS, { signal }).catch(() => undefined)
    }
  }

  /**
   * Changes of a collection after `since` that its history does not reach back to, read from etcd: what a watch missed while the
   * server was not running. The caller goes on with `collection.since(through)`.
   *
   * @returns null when etcd has compacted them
   */
  async earlier(prefix: string, since: number, signal: AbortSignal): Promise<{ events: StoreEvent[]; through: number } | null> {
    const through = this.collection(prefix).oldestRevision
    const everything = Uint8Array.of(0)
    const events: StoreEvent[] = []
    const stop = new AbortController()
    // Of all keys: there the change `through` is sure to come, in one collection none may ever do.
    const changes = this.#etcd.watch(
      { key: everything, rangeEnd: everything, startRevision: since + 1, prevKv: true },
      { signal: AbortSignal.any([signal, stop.signal]) },
    )
    for await (const response of changes) {
      if (response.compactRevision > 0) return null
      for (const { kv, prevKv } of response.events) {
        if (kv.modRevision > through) break
        const key = decoder.decode(kv.key)
        if (!key.startsWith(ROOT) || prefixOf(key) !== prefix) continue
        const previous = prevKv === undefined ? null : this.#decode(prevKv)
        const deleted = kv.createRevision === 0
        const entry = !deleted
          ? this.#decode(kv)
          : previous === null
            ? null
            : this.#entry(key, previous, { create: previous.createRevision, mod: kv.modRevision })
        if (entry !== null) events.push({ type: deleted ? 'DELETED' : previous === null ? 'ADDED' : 'MODIFIED', entry, previous, revision: kv.modRevision })
      }
      if ((response.events.at(-1)?.kv.modRevision ?? 0) >= through) break
    }
    stop.abort()
    return { events, through }
  }

  /** Resolves when the memory shows everything that was written to etcd before the call, by anybody. */
  async fresh(signal: AbortSignal): Promise<void> {
    const { header } = await this.#etcd.range({ key: encoder.encode(ROOT), keysOnly: true, limit: 1 }, { signal })
    await this.reached(header.revision)
  }

  /** Resolves when the memory shows `revision`. */
  reached(revision: number): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.add({ revision, resolve }))
  }

  /** @returns the new entry; null when the key exists */
  async create(key: string, object: KubeObject, value: Bytes, options: { ttlSeconds?: number; signal: AbortSignal }): Promise<Entry | null> {
    const lease = options.ttlSeconds === undefined ? 0n : await this.#leases.lease(options.ttlSeconds, options.signal)
    return this.#put({ key, modRevision: 0, unknown: null }, object, value, { lease, signal: options.signal })
  }

  /** @returns the new entry; null when the key is not at `modRevision` any more */
  update(previous: Entry, object: KubeObject, value: Bytes, signal: AbortSignal): Promise<Entry | null> {
    return this.#put(previous, object, value, { lease: 0n, signal })
  }

  /** @returns the delete's revision; null when the key is not at that revision any more */
  async remove(previous: Entry, signal: AbortSignal): Promise<number | null> {
    const key = Buffer.from(previous.key)
    const started = performance.now()
    const answer = await this.#etcd.txn(guarded(key, previous.modRevision, { type: 'deleteRange', request: { key } }), { signal })
    this.#observe('delete', prefixOf(previous.key), (performance.now() - started) / 1000)
    await this.reached(answer.header.revision)
    return answer.succeeded ? answer.header.revision : null
  }

  async #put(
    { key: path, modRevision, unknown }: Pick<Entry, 'key' | 'modRevision' | 'unknown'>,
    object: KubeObject,
    plain: Bytes,
    { lease, signal }: { lease: bigint; signal: AbortSignal },
  ): Promise<Entry | null> {
    const key = Buffer.from(path)
    const prefix = prefixOf(path)
    const value = this.#values.seal(prefix, path, plain)
    // What is kept of fields that the object does not show is read from the bytes.
    if (unknown === null) this.#pending.set(path, { value, object })
    try {
      const request = lease === 0n ? { key, value } : { key, value, lease }
      const started = performance.now()
      const answer = await this.#etcd.txn(guarded(key, modRevision, { type: 'put', request }), { signal })
      this.#observe(modRevision === 0 ? 'create' : 'update', prefix, (performance.now() - started) / 1000)
      const { revision } = answer.header
      await this.reached(revision)
      if (!answer.succeeded) return null
      const entry = this.collection(prefix).get(path)
      // Somebody may have written again already; the caller gets what it wrote.
      return entry?.modRevision === revision
        ? entry
        : this.#entry(path, { object, unknown: null }, { create: entry?.createRevision ?? revision, mod: revision })
    } finally {
      if (this.#pending.get(path)?.value === value) this.#pending.delete(path)
    }
  }

  #apply(response: WatchResponse): void {
    for (const { type, kv } of response.events) {
      const key = decoder.decode(kv.key)
      if (!key.startsWith(ROOT)) continue
      if (type === 'DELETE') this.#remove(this.collection(prefixOf(key)), key, kv.modRevision)
      else {
        const entry = this.#decode(kv)
        if (entry !== null) this.collection(prefixOf(key)).put(entry)
      }
    }
    const last = response.events.at(-1)
    if (last !== undefined) this.#advance(last.kv.modRevision)
    else if (!response.created) this.#advance(response.header.revision)
  }

  #advance(revision: number): void {
    if (revision > this.#revision) this.#revision = revision
    for (const waiter of this.#waiters) {
      if (waiter.revision > this.#revision) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  /** After etcd forgot what was missed: the difference between memory and store is told as changes of now. */
  async #reload(signal: AbortSignal): Promise<void> {
    const seen = new Set<string>()
    const page = await this.#etcd.range({ key: encoder.encode(ROOT), rangeEnd: encoder.encode('/registry0') }, { signal })
    for (const kv of page.kvs) {
      const entry = this.#decode(kv)
      if (entry === null) continue
      seen.add(entry.key)
      const collection = this.collection(prefixOf(entry.key))
      if (collection.get(entry.key)?.modRevision !== entry.modRevision) collection.put(entry)
    }
    for (const collection of this.#collections.values())
      for (const { key } of [...collection.values()]) if (!seen.has(key)) this.#remove(collection, key, page.header.revision)
    this.#advance(page.header.revision)
  }

  #entry(key: string, { object, unknown }: StoredValue, revisions: { create: number; mod: number }): Entry {
    return new StoredEntry(key, { object: atRevision(object, revisions.mod), unknown }, revisions, this.#parsed)
  }

  #remove(collection: Collection, key: string, revision: number): void {
    collection.remove(key, (previous) => this.#entry(key, previous, { create: previous.createRevision, mod: revision }))
  }

  /** What was just written was written as it should be. */
  #current(key: string, object: KubeObject): KubeObject {
    this.#stale.delete(key)
    return object
  }

  #opened(key: string, value: Bytes): Bytes {
    const { bytes, stale } = this.#values.open(prefixOf(key), key, value)
    if (stale) this.#stale.add(key)
    else this.#stale.delete(key)
    return bytes
  }

  #read(key: string, value: Bytes): Pick<Decoded, 'object' | 'kept'> {
    const { object, kept } = decodeObject(this.#opened(key, value))
    return { object: withNestedKinds(object), kept }
  }

  #decode(kv: KeyValue): Entry | null {
    const key = decoder.decode(kv.key)
    const pending = this.#pending.get(key)
    try {
      const { object, kept } =
        pending !== undefined && sameBytes(pending.value, kv.value) ? { object: this.#current(key, pending.object), kept: null } : this.#read(key, kv.value)
      if (typeof object.metadata !== 'object') return null
      return this.#entry(key, { object, unknown: kept }, { create: kv.createRevision, mod: kv.modRevision })
    } catch (error) {
      this.#logger.warn('a stored value cannot be read and is not served', { key, error: error instanceof Error ? error.message : String(error) })
      return null
    }
  }
}

function atRevision(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }
}

function guarded(key: Bytes, modRevision: number, success: TxnRequest['success'][number]): TxnRequest {
  return { compare: [{ result: 'EQUAL', target: 'MOD', key, modRevision }], success: [success], failure: [] }
}

function sameBytes(a: Bytes, b: Bytes): boolean {
  return a === b || (a.length === b.length && Buffer.compare(a, b) === 0)
}

/** The storage prefix of a key: one path element, two for services and for groups with a dot. */
export function prefixOf(key: string): string {
  const [first = '', second = ''] = key.slice(ROOT.length).split('/', 2)
  return first === 'services' || first.includes('.') ? `${first}/${second}` : first
}
