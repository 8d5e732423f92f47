import { decodeKey, decodeKeyValue, decodeLease, decodeRevisionKey, encodeRevisionKey, WireError } from '#shared/etcd/mvccpb.ts'
import type { Member } from '#shared/etcd/rpc.ts'
import type { SnapshotSource, StoredRevision } from '#shared/etcd/snapshotSource.ts'
import { elementsFrom, lastElement, leavesFrom, type Element } from './bbolt/cursor.ts'
import { PageFile } from './bbolt/pageFile.ts'
import { bucketRoot, leavesOf, type BucketRoot, type LeafPage, type OnPage } from './bbolt/tree.ts'
import { SnapshotError } from './snapshotError.ts'

/** Buckets that SnapshotSource has a field for; all others travel as they are. */
const INTERPRETED = new Set(['key', 'lease', 'members', 'cluster', 'meta'])
/** The buckets besides `key` hold settings; more than this is no etcd's. */
const MAX_SMALL_ENTRIES = 1_000_000
const EMPTY = new Uint8Array(0)

/** One of etcd's buckets, all of which lie at the top. */
export interface Bucket {
  name: string
  root: BucketRoot
}

/**
 * An etcd snapshot file opened for reading: what `etcdctl snapshot save` wrote, or a member's `snap/db`. Reading is
 * synchronous, page by page with bounded memory; whoever reads much hands the event loop its turns in between.
 */
export class SnapshotFile {
  readonly pages: PageFile
  readonly buckets: Bucket[]

  /**
   * @param options.recycle what `revisions` gives is good only until the next one, see PageFile @default false
   * @throws SnapshotError, or the system's error (ENOENT …)
   */
  constructor(path: string, options: { recycle?: boolean } = {}) {
    this.pages = new PageFile(path, options)
    try {
      this.buckets = this.#readBuckets()
      if (!this.buckets.some((bucket) => bucket.name === 'key'))
        throw new SnapshotError('not-a-snapshot', `${path} is a bbolt database but no etcd snapshot: it has no bucket "key"`)
    } catch (error) {
      this.pages.close()
      throw error
    }
  }

  /** Every kept revision, ascending. Keys and values are views of a page, good as long as they are referred to. */
  *revisions(onPage?: OnPage): Generator<StoredRevision> {
    const bucket = this.#bucket('key')
    if (bucket === null) return
    for (const leaf of leavesOf(this.pages, bucket.root, onPage)) for (let index = 0; index < leaf.count; index++) yield this.#revision({ leaf, index })
  }

  /**
   * Every kept revision's key, ascending, without looking at values; keys as text of one byte a character.
   * @throws SnapshotError damaged, also when revisions do not ascend
   */
  *keys(): Generator<{ main: number; sub: number; tombstone: boolean; key: string }> {
    const bucket = this.#bucket('key')
    if (bucket === null) return
    let last = { main: -1, sub: 0 }
    for (const leaf of leavesFrom(this.pages, bucket.root, EMPTY))
      for (let index = 0; index < leaf.count; index++) {
        const revision = this.#decode(leaf.page, () => decodeRevisionKey(leaf.key(index)))
        if (revision.main < last.main || (revision.main === last.main && revision.sub <= last.sub))
          throw this.pages.damage(leaf.page, `has revision ${String(revision.main)} after ${String(last.main)}`)
        last = revision
        yield { ...revision, key: this.#keyText(leaf, index) }
      }
  }

  /** The key of a record, which etcd writes as its first field. */
  #keyText(leaf: LeafPage, index: number): string {
    const { bytes } = leaf
    const at = leaf.valueStart(index)
    const end = leaf.valueEnd(index)
    const length = bytes[at + 1] ?? 128
    if (bytes[at] === 0x0a && length < 128 && at + 2 + length <= end) return bytes.toString('latin1', at + 2, at + 2 + length)
    const key = this.#decode(leaf.page, () => decodeKey(leaf.value(index)))
    return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
  }

  /** Kept revisions from main.sub on, reading only the pages on the way there. */
  *revisionsFrom(main: number, sub: number): Generator<StoredRevision> {
    const bucket = this.#bucket('key')
    if (bucket === null) return
    const from = encodeRevisionKey({ main, sub, tombstone: false })
    for (const element of elementsFrom(this.pages, bucket.root, from)) yield this.#revision(element)
  }

  #revision({ leaf, index }: Element): StoredRevision {
    return this.#decode(leaf.page, () => {
      const revision = decodeRevisionKey(leaf.key(index))
      const kv = decodeKeyValue(leaf.value(index))
      return { ...revision, kv: revision.tombstone ? { ...kv, modRevision: revision.main } : kv }
    })
  }

  /** A bucket other than `key`, whole. Empty when there is none. */
  entries(name: string): { key: Uint8Array; value: Uint8Array }[] {
    const bucket = this.#bucket(name)
    const entries: { key: Uint8Array; value: Uint8Array }[] = []
    if (bucket === null) return entries
    for (const leaf of leavesOf(this.pages, bucket.root))
      for (let index = 0; index < leaf.count; index++) {
        if (entries.length >= MAX_SMALL_ENTRIES) throw this.pages.damage(leaf.page, `makes bucket "${name}" longer than etcd's ever is`)
        entries.push({ key: Uint8Array.from(leaf.key(index)), value: Uint8Array.from(leaf.value(index)) })
      }
    return entries
  }

  /** `storageVersion`, which etcd writes since 3.6; '' before. */
  get storageVersion(): string {
    return text(this.#meta('storageVersion'))
  }

  /** 0 = never compacted. */
  get compactRevision(): number {
    return Math.max(
      0,
      ...['finishedCompactRev', 'scheduledCompactRev']
        .map((name) => this.#meta(name))
        .map((value) => (value === null ? 0 : this.#decode(0, () => decodeRevisionKey(value.subarray(0, 17)).main))),
    )
  }

  /** The store's contents. Finds the last revision by reading the rightmost pages only. */
  source(): SnapshotSource {
    const { compactRevision } = this
    const otherBuckets = new Map<string, { key: Uint8Array; value: Uint8Array }[]>()
    for (const { name } of this.buckets) if (!INTERPRETED.has(name)) otherBuckets.set(name, this.entries(name))
    return {
      revision: Math.max(this.#lastRevision(), compactRevision, 1),
      compactRevision,
      revisions: () => this.revisions(),
      leases: this.entries('lease').map(({ value }) => this.#decode(0, () => decodeLease(value))),
      members: this.entries('members').map(({ key, value }) => this.#member(text(key), text(value))),
      clusterVersion: text(this.entries('cluster').find((entry) => text(entry.key) === 'clusterVersion')?.value ?? null) || '3.5.0',
      otherBuckets,
    }
  }

  close(): void {
    this.pages.close()
  }

  #lastRevision(): number {
    const bucket = this.#bucket('key')
    const last = bucket === null ? null : lastElement(this.pages, bucket.root)
    return last === null ? 0 : this.#decode(last.leaf.page, () => decodeRevisionKey(last.leaf.key(last.index)).main)
  }

  #readBuckets(): Bucket[] {
    const buckets: Bucket[] = []
    for (const leaf of leavesOf(this.pages, { page: this.pages.meta.rootPage, inline: null }))
      for (let index = 0; index < leaf.count; index++) {
        if (!leaf.isBucket(index)) throw this.pages.damage(leaf.page, 'has a top-level element that is no bucket')
        if (buckets.length >= 1000) throw this.pages.damage(leaf.page, 'makes for more buckets than etcd has')
        buckets.push({ name: leaf.key(index).toString('utf8'), root: bucketRoot(this.pages, leaf, index) })
      }
    return buckets
  }

  #bucket(name: string): Bucket | null {
    return this.buckets.find((bucket) => bucket.name === name) ?? null
  }

  #meta(name: string): Uint8Array | null {
    return this.entries('meta').find((entry) => text(entry.key) === name)?.value ?? null
  }

  #member(id: string, json: string): Member {
    let value: { peerURLs?: unknown; clientURLs?: unknown; name?: unknown; isLearner?: unknown }
    let memberId: bigint
    try {
      value = JSON.parse(json) as typeof value
      memberId = BigInt(`0x${id}`)
    } catch (error) {
      throw new SnapshotError('damaged', `member "${id}" is not described by valid JSON`, { cause: error })
    }
    const urls = (list: unknown): string[] => (Array.isArray(list) ? list.filter((url) => typeof url === 'string') : [])
    return {
      id: memberId,
      name: typeof value.name === 'string' ? value.name : '',
      peerUrls: urls(value.peerURLs),
      clientUrls: urls(value.clientURLs),
      isLearner: value.isLearner === true,
    }
  }

  #decode<T>(page: number, decode: () => T): T {
    try {
      return decode()
    } catch (error) {
      if (error instanceof WireError)
        throw new SnapshotError('damaged', `page ${String(page)} holds a record that cannot be read: ${error.message}`, { cause: error })
      throw error
    }
  }
}

function text(bytes: Uint8Array | null): string {
  return bytes === null ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}
