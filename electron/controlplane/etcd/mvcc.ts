import type { KeyValue, RangeRequest } from '#shared/etcd/rpc.ts'
import type { StoredRow, StoreDatabase } from './database.ts'
import { compacted, futureRevision } from './errors.ts'
import { KeyIndex } from './keyIndex.ts'
import { mainOf, packRevision } from './revision.ts'
import type { BinaryText } from './sortedKeys.ts'

export const toText = (bytes: Uint8Array): BinaryText => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
export const toBytes = (text: BinaryText): Uint8Array => Buffer.from(text, 'latin1')

/** The half-open interval a request names; `end` null = to the last key; a single key when `only`. */
export interface KeyInterval {
  start: BinaryText
  end: BinaryText | null
  only: boolean
}

export function intervalOf(key: Uint8Array, rangeEnd: Uint8Array | undefined): KeyInterval {
  const start = toText(key)
  if (rangeEnd === undefined || rangeEnd.length === 0) return { start, end: `${start}\0`, only: true }
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { start, end: null, only: false }
  return { start, end: toText(rangeEnd), only: false }
}

export const inInterval = (interval: KeyInterval, key: BinaryText): boolean =>
  interval.only ? key === interval.start : key >= interval.start && (interval.end === null || key < interval.end)

const CACHED_BYTES = 64 * 1024 * 1024
/** Of which so many are given up together. */
const FORGOTTEN_BYTES = CACHED_BYTES / 16
const RECENT_ROWS = 20_000
const RECENT_BYTES = 32 * 1024 * 1024

/**
 * Multi-version store: synchronous reads at any kept revision, and one write at a time. The caller brackets writes in the
 * database's transaction; `revision` moves on in memory at `endWrite`, so that what follows in the same turn sees it.
 */
export class Mvcc {
  readonly #database: StoreDatabase
  #index = new KeyIndex()
  #revision = 1
  /** Main revision of the last change in the index: `revision`, or one more within a write. */
  #latest = 1
  #compactRevision = 0
  readonly #cache = new Map<number, KeyValue>()
  #cachedBytes = 0
  #recent: StoredRow[] = []
  #recentBytes = 0

  /** Empty until `reload`. */
  constructor(database: StoreDatabase) {
    this.#database = database
  }

  get revision(): number {
    return this.#revision
  }

  get compactRevision(): number {
    return this.#compactRevision
  }

  /** Reads the index anew from disk: at start, and after a failed commit. @returns keys by lease */
  reload(): Map<bigint, Set<BinaryText>> {
    this.#index = new KeyIndex()
    this.#cache.clear()
    this.#cachedBytes = 0
    this.#recent = []
    this.#recentBytes = 0
    this.#compactRevision = Number(this.#database.meta('compactRevision') ?? 0)
    let last = Math.max(1, Number(this.#database.meta('revision') ?? 0), this.#compactRevision)
    const leaseOf = new Map<BinaryText, bigint>()
    const filling = this.#index.filling()
    for (const { key, packed, tombstone, lease } of this.#database.index()) {
      filling.add(key, packed, tombstone)
      last = Math.max(last, mainOf(packed))
      if (lease !== 0n && !tombstone) leaseOf.set(key, lease)
      else if (leaseOf.size > 0) leaseOf.delete(key)
    }
    filling.end()
    this.#revision = last
    this.#latest = last
    const byLease = new Map<bigint, Set<BinaryText>>()
    for (const [key, lease] of leaseOf) {
      const keys = byLease.get(lease) ?? new Set()
      keys.add(key)
      byLease.set(lease, keys)
    }
    return byLease
  }

  /** @throws compacted, futureRevision */
  checkRevision(revision: number): void {
    if (revision > this.#revision) throw futureRevision()
    if (revision > 0 && revision < this.#compactRevision) throw compacted()
  }

  get(key: BinaryText, atMain: number): KeyValue | null {
    const packed = this.#index.visible(key, atMain)
    return packed === null ? null : this.#read(packed)
  }

  /** etcd's Range at `atMain`, after its revision was checked. */
  range(request: RangeRequest, atMain: number): { kvs: KeyValue[]; count: number; more: boolean } {
    const interval = intervalOf(request.key, request.rangeEnd)
    const limit = request.limit ?? 0
    const filtered =
      (request.minModRevision ?? 0) > 0 || (request.maxModRevision ?? 0) > 0 || (request.minCreateRevision ?? 0) > 0 || (request.maxCreateRevision ?? 0) > 0
    const order = (request.sortOrder ?? 'NONE') === 'NONE' && (request.sortTarget ?? 'KEY') !== 'KEY' ? 'ASCEND' : (request.sortOrder ?? 'NONE')
    const fetch = limit > 0 && order === 'NONE' && !filtered ? limit : Infinity
    let found: number[] = []
    let count = 0
    if (interval.only) {
      const packed = this.#index.visible(interval.start, atMain)
      if (packed !== null) {
        count = 1
        found.push(packed)
      }
    } else {
      const { start, end } = interval
      // What exists now is counted without looking at each key.
      if (atMain < this.#latest) {
        this.#index.each(start, end, atMain, (packed) => {
          count += 1
          if (found.length < fetch && request.countOnly !== true) found.push(packed)
        })
      } else {
        count = this.#index.count(start, end)
        if (request.countOnly !== true) found = this.#index.first(start, end, { atMain, limit: fetch })
      }
    }
    if (request.countOnly === true) return { kvs: [], count, more: false }
    let kvs = found.map((packed) => this.#read(packed))
    if (filtered)
      kvs = kvs.filter(
        (kv) =>
          within(kv.modRevision, request.minModRevision, request.maxModRevision) &&
          within(kv.createRevision, request.minCreateRevision, request.maxCreateRevision),
      )
    if (order !== 'NONE') sortKeyValues(kvs, request.sortTarget ?? 'KEY', order)
    const more = fetch === Infinity ? limit > 0 && kvs.length > limit : count > limit
    if (limit > 0 && kvs.length > limit) kvs = kvs.slice(0, limit)
    if (request.keysOnly === true) kvs = kvs.map((kv) => ({ ...kv, value: new Uint8Array(0) }))
    return { kvs, count, more }
  }

  /** Every key that exists now, in order, with the revision that wrote it. */
  live(): { key: BinaryText; packed: number }[] {
    const found: { key: BinaryText; packed: number }[] = []
    this.#index.each('', null, this.#revision, (packed, key) => found.push({ key, packed }))
    return found
  }

  /** What a revision wrote. */
  at(packed: number): KeyValue {
    return this.#read(packed)
  }

  /** Keys of the interval that exist at `atMain`. */
  keys(interval: KeyInterval, atMain: number): BinaryText[] {
    if (interval.only) return this.#index.visible(interval.start, atMain) === null ? [] : [interval.start]
    const keys: BinaryText[] = []
    this.#index.each(interval.start, interval.end, atMain, (_, key) => keys.push(key))
    return keys
  }

  /** One change within the write of main revision `revision + 1`. */
  write(row: StoredRow): void {
    this.#latest = mainOf(row.packed)
    this.#database.insert(row)
    this.#index.add(toText(row.kv.key), row.packed, row.tombstone)
    this.#recent.push(row)
    this.#recentBytes += row.kv.value.length + row.kv.key.length
    if (!row.tombstone) this.#remember(row.packed, row.kv)
  }

  endWrite(main: number): void {
    this.#revision = main
    while (this.#recent.length > RECENT_ROWS * 2 || (this.#recentBytes > RECENT_BYTES && this.#recent.length > 1)) {
      const dropped = this.#recent.splice(0, Math.ceil(this.#recent.length / 2))
      for (const { kv } of dropped) this.#recentBytes -= kv.value.length + kv.key.length
    }
  }

  /** Changes from main revision `from` to `through`, at most about `limit`, never part of a main revision. */
  changes(from: number, through: number, limit: number): StoredRow[] {
    const first = this.#recent[0]
    const low = packRevision(from, 0)
    const below = packRevision(through + 1, 0)
    let rows: StoredRow[]
    if (first !== undefined && mainOf(first.packed) < from) {
      let start = lowerBound(this.#recent, low)
      rows = []
      for (; start < this.#recent.length && rows.length < limit; start++) {
        const row = this.#recent[start]
        if (row === undefined || row.packed >= below) break
        rows.push(row)
      }
    } else rows = this.#database.scan(low, below, limit)
    const last = rows[rows.length - 1]
    if (rows.length < limit || last === undefined) return rows
    // The limit may have cut a main revision in two: read the rest of it.
    const rest = this.#database.scan(last.packed + 1, packRevision(mainOf(last.packed) + 1, 0), Number.MAX_SAFE_INTEGER)
    return [...rows, ...rest]
  }

  /**
   * Makes revisions that compaction at `revision` drops unreadable, inside the database's transaction.
   *
   * @returns the packed revisions whose rows can be removed, at leisure: after a crash the next compaction names them again
   */
  compact(revision: number): number[] {
    const dropped = this.#index.compact(revision)
    for (const packed of dropped) this.#forget(packed)
    this.#database.setMeta('compactRevision', String(revision))
    this.#compactRevision = revision
    return dropped
  }

  #read(packed: number): KeyValue {
    const cached = this.#cache.get(packed)
    if (cached !== undefined) return cached
    const row = this.#database.read(packed)
    if (row === null) throw new Error(`the store lost revision ${String(mainOf(packed))}: its file is damaged; restore a backup`)
    this.#remember(packed, row.kv)
    return row.kv
  }

  #remember(packed: number, kv: KeyValue): void {
    this.#cache.set(packed, kv)
    this.#cachedBytes += kv.value.length + kv.key.length + 200
    if (this.#cachedBytes <= CACHED_BYTES) return
    // Many at once: a map goes past the places of those that have left it each time it is asked for its first.
    for (const [oldest] of this.#cache) {
      if (this.#cachedBytes <= CACHED_BYTES - FORGOTTEN_BYTES) break
      this.#forget(oldest)
    }
  }

  #forget(packed: number): void {
    const kv = this.#cache.get(packed)
    if (kv === undefined) return
    this.#cache.delete(packed)
    this.#cachedBytes -= kv.value.length + kv.key.length + 200
  }
}

const within = (revision: number, min = 0, max = 0): boolean => (min === 0 || revision >= min) && (max === 0 || revision <= max)

function sortKeyValues(kvs: KeyValue[], target: NonNullable<RangeRequest['sortTarget']>, order: 'ASCEND' | 'DESCEND'): void {
  const sign = order === 'ASCEND' ? 1 : -1
  const compare: Record<typeof target, (a: KeyValue, b: KeyValue) => number> = {
    KEY: (a, b) => Buffer.compare(a.key, b.key),
    VALUE: (a, b) => Buffer.compare(a.value, b.value),
    VERSION: (a, b) => a.version - b.version,
    CREATE: (a, b) => a.createRevision - b.createRevision,
    MOD: (a, b) => a.modRevision - b.modRevision,
  }
  kvs.sort((a, b) => sign * compare[target](a, b))
}

function lowerBound(rows: StoredRow[], packed: number): number {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((rows[middle]?.packed ?? 0) < packed) low = middle + 1
    else high = middle
  }
  return low
}
