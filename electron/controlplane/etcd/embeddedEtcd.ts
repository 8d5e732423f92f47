import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '#shared/etcd/crc32c.ts'
import type * as rpc from '#shared/etcd/rpc.ts'
import { ERR_COMPACTED, EtcdError } from '#shared/etcd/rpc.ts'
import type { SnapshotEncoder, SnapshotSource, StoredRevision } from '#shared/etcd/snapshotSource.ts'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { StillReader } from '#shared/etcd/stillReader.ts'
import { Database, type StoredRow, type StoreDatabase } from './database.ts'
import { compacted, emptyKey, futureRevision, leaseExists, leaseNotFound, leaseTtlTooLarge, notWritten, stopped } from './errors.ts'
import { GroupCommit } from './groupCommit.ts'
import { Lessor, MAX_LEASE_TTL, MIN_LEASE_TTL } from './lessor.ts'
import { inInterval, intervalOf, Mvcc, toBytes, toText } from './mvcc.ts'
import { mainOf, subOf } from './revision.ts'
import { checkPut, checkRange, checkTxn, WriteTxn } from './writeTxn.ts'

export interface EtcdStoreOptions {
  /** Holds `store.sqlite`; one process at a time. */
  dataDir: string
  clock: Clock
  logger: Logger
  memberName: string
  /** What `member list` shows; set once the server listens. */
  clientUrls?: string[]
  encodeSnapshot?: SnapshotEncoder
  /** A store that is only read, in place of `store.sqlite`. Its `begin` refuses every write. */
  still?: StoreDatabase
}

/** The etcd API version that is spoken, and therefore what clients may ask for. */
export const ETCD_VERSION = '3.5.16'
const RAFT_TERM = 2
const BATCH_ROWS = 1000
const REMOVED_ROWS = 200
const PROGRESS_MS = 600_000
/** etcd's --quota-backend-bytes default. */
const QUOTA_BYTES = 2 * 1024 ** 3
type Call = { signal: AbortSignal }

/** Opens or makes the store of `dataDir`. @throws when another process has it, or the file is damaged */
export function openEtcdStore(options: EtcdStoreOptions): EmbeddedEtcd {
  return new EmbeddedEtcd(options)
}

/**
 * etcd's API over one SQLite file. What is written while a commit goes to disk shares the next one: answers, of reads as well,
 * wait until what they tell is on disk.
 */
export class EmbeddedEtcd implements rpc.EtcdClient {
  readonly #options: EtcdStoreOptions
  readonly #database: StoreDatabase
  readonly #mvcc: Mvcc
  readonly #lessor: Lessor
  readonly #memberId: bigint
  readonly #clusterId: bigint
  #clientUrls: string[]
  readonly #commits: GroupCommit
  /** Revision up to which everything is on disk: what watches may tell. */
  #durableRevision: number
  readonly #wakers = new Set<() => void>()
  readonly #stop = new AbortController()

  constructor(options: EtcdStoreOptions) {
    this.#options = options
    this.#clientUrls = options.clientUrls ?? []
    this.#database = options.still ?? new Database(options.dataDir)
    this.#mvcc = new Mvcc(this.#database)
    this.#commits = new GroupCommit({
      database: this.#database,
      revision: () => this.#mvcc.revision,
      onDurable: (revision) => {
        this.#durableRevision = revision
        this.#wake()
      },
      onUndone: (error) => {
        this.#undo()
        options.logger.error('a commit failed', { error: String(error) })
      },
    })
    this.#lessor = new Lessor(options.clock, (id) => {
      void this.leaseRevoke({ id }, { signal: this.#stop.signal }).catch((error: unknown) => {
        options.logger.warn('a lease that ran out could not be revoked', { error: String(error) })
      })
    })
    this.#lessor.load(this.#database.leases(), this.#mvcc.reload())
    let token = this.#database.meta('token')
    if (token === null) {
      token = randomBytes(16).toString('hex')
      this.#database.setMeta('token', token)
    }
    // As etcd derives them (server/etcdserver/api/membership): SHA-1 of peer URLs and token, then of the member ids.
    const peerUrl = 'http://localhost:2380'
    this.#memberId = createHash('sha1')
      .update(peerUrl + token)
      .digest()
      .readBigUInt64BE(0)
    const id = Buffer.alloc(8)
    id.writeBigUInt64BE(this.#memberId)
    this.#clusterId = createHash('sha1').update(id).digest().readBigUInt64BE(0)
    this.#durableRevision = this.#mvcc.revision
  }

  set clientUrls(urls: string[]) {
    this.#clientUrls = urls
  }

  async range(request: rpc.RangeRequest, { signal }: Call): Promise<rpc.RangeResponse> {
    this.#check(signal)
    checkRange(request)
    const revision = request.revision ?? 0
    this.#mvcc.checkRevision(revision)
    const result = this.#mvcc.range(request, revision > 0 ? revision : this.#mvcc.revision)
    const header = this.#header()
    await this.#settled()
    return { header, ...result }
  }

  async put(request: rpc.PutRequest, { signal }: Call): Promise<rpc.PutResponse> {
    this.#check(signal)
    checkPut(request)
    if ((request.lease ?? 0n) !== 0n && !this.#lessor.has(request.lease ?? 0n)) throw leaseNotFound()
    const response = this.#write((txn) => txn.put(request))
    const header = this.#header()
    await this.#settled()
    return { ...response, header }
  }

  async deleteRange(request: rpc.DeleteRangeRequest, { signal }: Call): Promise<rpc.DeleteRangeResponse> {
    this.#check(signal)
    if (request.key.length === 0) throw emptyKey()
    const response = this.#write((txn) => txn.deleteRange(request))
    const header = this.#header()
    await this.#settled()
    return { ...response, header }
  }

  async txn(request: rpc.TxnRequest, { signal }: Call): Promise<rpc.TxnResponse> {
    this.#check(signal)
    checkTxn(request)
    const response = this.#write((txn) => txn.txn(request))
    const header = this.#header()
    await this.#settled()
    return { ...response, header }
  }

  async compact({ revision }: { revision: number; physical?: boolean }, { signal }: Call): Promise<{ header: rpc.ResponseHeader }> {
    this.#check(signal)
    if (revision <= this.#mvcc.compactRevision) throw compacted()
    if (revision > this.#mvcc.revision) throw futureRevision()
    this.#open()
    this.#database.setMeta('revision', String(this.#mvcc.revision))
    const dropped = this.#mvcc.compact(revision)
    await this.#settled()
    await this.#remove(dropped)
    return { header: this.#header() }
  }

  /** In many small commits, between which others have their turn. */
  async #remove(packed: readonly number[]): Promise<void> {
    for (let from = 0; from < packed.length; from += REMOVED_ROWS) {
      if (this.#stop.signal.aborted) return
      this.#open()
      this.#database.remove(packed.slice(from, from + REMOVED_ROWS))
      await this.#settled()
    }
  }

  watch(request: rpc.WatchCreateRequest, { signal }: Call): AsyncIterable<rpc.WatchResponse> {
    // The start is fixed now, not when the first answer is taken.
    return this.#watch(
      request,
      (request.startRevision ?? 0) > 0 ? (request.startRevision ?? 0) : this.#mvcc.revision + 1,
      AbortSignal.any([signal, this.#stop.signal]),
    )
  }

  async *#watch(request: rpc.WatchCreateRequest, from: number, signal: AbortSignal): AsyncGenerator<rpc.WatchResponse> {
    const interval = intervalOf(request.key, request.rangeEnd)
    const plain = { created: false, canceled: false, cancelReason: '', compactRevision: 0, events: [] }
    let next = from
    yield { ...plain, header: this.#header(), created: true }
    while (!signal.aborted) {
      if (next < this.#mvcc.compactRevision) {
        yield { ...plain, header: this.#header(), canceled: true, compactRevision: this.#mvcc.compactRevision, cancelReason: ERR_COMPACTED }
        return
      }
      const through = this.#durableRevision
      if (next > through) {
        if ((await this.#woken(signal, request.progressNotify === true)) === 'progress') yield { ...plain, header: this.#header() }
        continue
      }
      const rows = this.#mvcc.changes(next, through, BATCH_ROWS)
      const last = rows[rows.length - 1]
      next = rows.length < BATCH_ROWS || last === undefined ? through + 1 : mainOf(last.packed) + 1
      const events = rows.filter((row) => this.#wanted(row, interval, request)).map((row) => this.#event(row, request.prevKv === true))
      if (events.length > 0) yield { ...plain, header: this.#header(), events }
    }
  }

  #wanted({ kv, tombstone }: StoredRow, interval: ReturnType<typeof intervalOf>, request: rpc.WatchCreateRequest): boolean {
    return inInterval(interval, toText(kv.key)) && request.filters?.includes(tombstone ? 'NODELETE' : 'NOPUT') !== true
  }

  #event({ kv, tombstone }: StoredRow, prevKv: boolean): rpc.WatchEvent {
    const previous = prevKv && kv.modRevision > this.#mvcc.compactRevision ? this.#mvcc.get(toText(kv.key), kv.modRevision - 1) : null
    return { type: tombstone ? 'DELETE' : 'PUT', kv, ...(previous !== null && { prevKv: previous }) }
  }

  async leaseGrant({ ttlSeconds, id = 0n }: { ttlSeconds: number; id?: bigint }, { signal }: Call): Promise<rpc.LeaseGrantResponse> {
    this.#check(signal)
    if (ttlSeconds > MAX_LEASE_TTL) throw leaseTtlTooLarge()
    if (id !== 0n && this.#lessor.has(id)) throw leaseExists()
    const chosen = id === 0n ? randomBytes(8).readBigUInt64BE(0) & 0x7fff_ffff_ffff_ffffn : id
    const ttl = Math.max(ttlSeconds, MIN_LEASE_TTL)
    this.#open()
    this.#database.putLease(chosen, ttl)
    this.#lessor.grant(chosen, ttl)
    await this.#settled()
    return { header: this.#header(), id: chosen, ttlSeconds: ttl }
  }

  async leaseRevoke({ id }: { id: bigint }, { signal }: Call): Promise<{ header: rpc.ResponseHeader }> {
    this.#check(signal)
    if (!this.#lessor.has(id)) throw leaseNotFound()
    this.#open()
    this.#database.deleteLease(id)
    const keys = this.#lessor.remove(id)
    if (keys.length > 0)
      this.#write((txn) => {
        for (const key of keys) txn.deleteRange({ key: toBytes(key) })
      })
    await this.#settled()
    return { header: this.#header() }
  }

  async leaseKeepAlive({ id }: { id: bigint }, { signal }: Call): Promise<{ header: rpc.ResponseHeader; id: bigint; ttlSeconds: number }> {
    this.#check(signal)
    await this.#settled()
    return { header: this.#header(), id, ttlSeconds: this.#lessor.keepAlive(id) ?? 0 }
  }

  async leaseTimeToLive({ id, keys }: { id: bigint; keys?: boolean }, { signal }: Call): Promise<rpc.LeaseTimeToLiveResponse> {
    this.#check(signal)
    await this.#settled()
    const lease = this.#lessor.get(id)
    if (lease === null) return { header: this.#header(), id, ttlSeconds: -1, grantedTtlSeconds: 0, keys: [] }
    return {
      header: this.#header(),
      id,
      ttlSeconds: lease.remainingSeconds,
      grantedTtlSeconds: lease.ttlSeconds,
      keys: keys === true ? lease.keys.map(toBytes) : [],
    }
  }

  async leases({ signal }: Call): Promise<bigint[]> {
    this.#check(signal)
    await this.#settled()
    return this.#lessor.list().map(({ id }) => id)
  }

  members({ signal }: Call): Promise<rpc.Member[]> {
    this.#check(signal)
    return Promise.resolve([this.#member()])
  }

  async status({ signal }: Call): Promise<rpc.EtcdStatus> {
    this.#check(signal)
    await this.#settled()
    const { bytes, inUseBytes } = this.#database.size()
    const index = this.#mvcc.revision
    return {
      header: this.#header(),
      version: ETCD_VERSION,
      dbSizeBytes: bytes,
      dbSizeInUseBytes: inUseBytes,
      leader: this.#memberId,
      raftIndex: index,
      raftTerm: RAFT_TERM,
      raftAppliedIndex: index,
      errors: [],
      isLearner: false,
      storageVersion: '3.5.0',
      dbSizeQuotaBytes: QUOTA_BYTES,
    }
  }

  async hashKv({ revision = 0 }: { revision?: number }, { signal }: Call): Promise<rpc.HashKvResponse> {
    this.#check(signal)
    this.#mvcc.checkRevision(revision)
    await this.#settled()
    const { encodeKeyValue, encodeRevision } = await import('#shared/etcd/keyValueCodec.ts')
    const at = revision > 0 ? revision : this.#mvcc.revision
    const compactedAt = this.#mvcc.compactRevision
    let hash = crc32c(Buffer.from('key'))
    for (const row of this.#mvcc.changes(1, at, Number.MAX_SAFE_INTEGER)) {
      const main = mainOf(row.packed)
      // Revisions at or below the compact one count only while they are the live value (etcd's hashKV keeps those).
      if (main <= compactedAt && (row.tombstone || this.#mvcc.get(toText(row.kv.key), compactedAt)?.modRevision !== main)) continue
      hash = crc32c(encodeRevision(main, subOf(row.packed), row.tombstone), hash)
      hash = crc32c(encodeKeyValue(row.kv, { tombstone: row.tombstone }), hash)
    }
    return { header: this.#header(), hash, compactRevision: compactedAt === 0 ? -1 : compactedAt, hashRevision: at }
  }

  alarms({ signal }: Call): Promise<rpc.Alarm[]> {
    this.#check(signal)
    return Promise.resolve([])
  }

  disarm(_alarm: rpc.Alarm, { signal }: Call): Promise<void> {
    this.#check(signal)
    return Promise.resolve()
  }

  async defragment({ signal }: Call): Promise<void> {
    this.#check(signal)
    // Not within a transaction.
    await this.#commits.whenIdle(() => {
      this.#database.vacuum()
    })
  }

  async *snapshot({ signal }: Call): AsyncGenerator<{ blob: Uint8Array; remainingBytes: number }> {
    this.#check(signal)
    const encode = this.#options.encodeSnapshot
    if (encode === undefined) throw new EtcdError('Unimplemented', 'etcdserver: this store writes no snapshots')
    await this.#settled()
    const folder = mkdtempSync(join(this.#options.dataDir, 'snapshot-'))
    try {
      const path = join(folder, 'db')
      await encode(this.source(), { path, signal })
      let remainingBytes = statSync(path).size
      for await (const blob of createReadStream(path, { highWaterMark: 64 * 1024, signal }) as AsyncIterable<Buffer>) {
        remainingBytes -= blob.length
        yield { blob, remainingBytes }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** For whoever wants to read one value at a time; null where the store may change. */
  still(): StillReader | null {
    if (this.#options.still === undefined) return null
    const mvcc = this.#mvcc
    return {
      revision: mvcc.revision,
      *keys() {
        for (const { key, packed } of mvcc.live()) yield { key: utf8(key), modRevision: mainOf(packed), place: packed }
      },
      read: (place) => mvcc.at(place),
    }
  }

  /** Everything that is kept, as of now: later writes are not seen, later compactions must wait for the reader. */
  source(): SnapshotSource {
    const revision = this.#mvcc.revision
    const mvcc = this.#mvcc
    return {
      revision,
      compactRevision: mvcc.compactRevision,
      *revisions(): Generator<StoredRevision> {
        for (let from = 1; from <= revision;) {
          const rows = mvcc.changes(from, revision, BATCH_ROWS)
          for (const row of rows) yield { main: mainOf(row.packed), sub: subOf(row.packed), tombstone: row.tombstone, kv: row.kv }
          const last = rows[rows.length - 1]
          if (rows.length < BATCH_ROWS || last === undefined) return
          from = mainOf(last.packed) + 1
        }
      },
      leases: this.#lessor.list(),
      members: [this.#member()],
      clusterVersion: '3.5.0',
      otherBuckets: this.#database.buckets(),
    }
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#lessor.stop()
    this.#stop.abort(stopped())
    await this.#commits.whenIdle(() => {
      this.#wake()
      this.#database.close()
    })
  }

  #member(): rpc.Member {
    return { id: this.#memberId, name: this.#options.memberName, peerUrls: ['http://localhost:2380'], clientUrls: this.#clientUrls, isLearner: false }
  }

  #check(signal: AbortSignal): void {
    signal.throwIfAborted()
    if (this.#stop.signal.aborted) throw stopped()
  }

  #header(): rpc.ResponseHeader {
    return { clusterId: this.#clusterId, memberId: this.#memberId, revision: this.#mvcc.revision, raftTerm: RAFT_TERM }
  }

  #write<T>(work: (txn: WriteTxn) => T): T {
    this.#open()
    const txn = new WriteTxn(this.#mvcc, this.#lessor)
    try {
      const result = work(txn)
      if (txn.changed) this.#mvcc.endWrite(this.#mvcc.revision + 1)
      return result
    } catch (error) {
      // What etcd refuses, it refuses before the first change; what the disk refuses may stand half in memory.
      if (!(error instanceof EtcdError)) this.#commits.spoil(error)
      throw notWritten(error)
    }
  }

  /** Begins the commit that this work shares with others. */
  #open(): void {
    this.#commits.begin()
  }

  #undo(): void {
    this.#database.rollback()
    this.#lessor.load(this.#database.leases(), this.#mvcc.reload())
  }

  #settled(): Promise<void> {
    return this.#commits.settled()
  }

  #wake(): void {
    const wakers = [...this.#wakers]
    this.#wakers.clear()
    for (const wake of wakers) wake()
  }

  #woken(signal: AbortSignal, progress: boolean): Promise<'changed' | 'progress'> {
    return new Promise((resolve) => {
      const done = (why: 'changed' | 'progress'): void => {
        cancel()
        this.#wakers.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve(why)
      }
      const wake = (): void => {
        done('changed')
      }
      const cancel = progress
        ? this.#options.clock.schedule(PROGRESS_MS, () => {
            done('progress')
          })
        : (): void => undefined
      this.#wakers.add(wake)
      signal.addEventListener('abort', wake)
      if (signal.aborted) wake()
    })
  }
}

/** Most keys are ASCII, in which both forms are the same. */
const utf8 = (key: string): string => (/^[\0-\x7f]*$/.test(key) ? key : Buffer.from(key, 'latin1').toString('utf8'))
