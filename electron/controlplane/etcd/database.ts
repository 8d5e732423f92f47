import { closeSync, fdatasync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { KeyValue } from '#shared/etcd/rpc.ts'
import { mainOf } from './revision.ts'
import type { BinaryText } from './sortedKeys.ts'

/** One stored change. A tombstone has empty value, createRevision 0 and version 0. */
export interface StoredRow {
  packed: number
  tombstone: boolean
  kv: KeyValue
}

/** A row of `revisions`, in the order of its columns. */
type RevisionRow = [revision: number, key: Uint8Array, value: Uint8Array, createRevision: number, version: number, lease: string, tombstone: number]

const SCHEMA = `
CREATE TABLE IF NOT EXISTS revisions (
  revision INTEGER PRIMARY KEY,
  key BLOB NOT NULL,
  value BLOB NOT NULL,
  create_revision INTEGER NOT NULL,
  version INTEGER NOT NULL,
  lease TEXT NOT NULL,
  tombstone INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS leases (id TEXT PRIMARY KEY, ttl_seconds INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS buckets (bucket TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (bucket, key));
`

/** What the store needs of its file; a snapshot that is only read offers the same. */
export type StoreDatabase = Pick<
  Database,
  | 'begin'
  | 'commit'
  | 'sync'
  | 'rollback'
  | 'insert'
  | 'read'
  | 'scan'
  | 'index'
  | 'remove'
  | 'meta'
  | 'setMeta'
  | 'leases'
  | 'putLease'
  | 'deleteLease'
  | 'buckets'
  | 'size'
  | 'vacuum'
  | 'close'
>

/**
 * The store's file: `<dataDir>/store.sqlite`, write-ahead logged. A COMMIT writes the log, `sync` brings it onto the disk on
 * another thread; SQLite itself sees to it that the log is there before the file and the file before the log begins anew
 * (`synchronous=NORMAL`). One process at a time: `locking_mode=EXCLUSIVE` holds the file from the first write until it is closed.
 */
export class Database {
  readonly path: string
  readonly #sqlite: DatabaseSync
  readonly #insert: StatementSync
  readonly #select: StatementSync
  readonly #scan: StatementSync
  readonly #remove: StatementSync
  /** The log, opened once more to be synced. */
  #log: number | null = null

  /**
   * @param filling for a new store that is thrown away unless it is filled whole: nothing is on disk before `flush`
   * @throws when another process has the store open, or the file is no store
   */
  constructor(dataDir: string, { filling = false }: { filling?: boolean } = {}) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    this.path = join(dataDir, 'store.sqlite')
    this.#sqlite = new DatabaseSync(this.path)
    try {
      this.#sqlite.exec(
        filling
          ? 'PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000;'
          : 'PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-16000;',
      )
      this.#sqlite.exec('BEGIN IMMEDIATE')
      this.#sqlite.exec(SCHEMA)
      this.#sqlite.exec('COMMIT')
    } catch (error) {
      this.#sqlite.close()
      const { errcode } = error as { errcode?: number }
      if (errcode === 5 || errcode === 6)
        throw new Error(`the data directory ${dataDir} is in use by another process; stop that one or choose another directory`, { cause: error })
      throw new Error(`cannot open the store ${this.path}: ${(error as Error).message}`, { cause: error })
    }
    this.#insert = this.#sqlite.prepare('INSERT INTO revisions (revision, key, value, create_revision, version, lease, tombstone) VALUES (?, ?, ?, ?, ?, ?, ?)')
    this.#select = this.#sqlite.prepare('SELECT * FROM revisions WHERE revision = ?')
    this.#scan = this.#sqlite.prepare('SELECT * FROM revisions WHERE revision >= ? AND revision < ? ORDER BY revision LIMIT ?')
    // Arrays cost half of what objects do.
    this.#select.setReturnArrays(true)
    this.#scan.setReturnArrays(true)
    this.#remove = this.#sqlite.prepare('DELETE FROM revisions WHERE revision = ?')
  }

  begin(): void {
    this.#sqlite.exec('BEGIN IMMEDIATE')
  }

  /** Safe from a crash of this process when it returns; from one of the machine only after `sync`. */
  commit(): void {
    this.#sqlite.exec('COMMIT')
  }

  /** All that was committed before the call is on disk when it resolves. @throws the system's error */
  sync(): Promise<void> {
    this.#log ??= openSync(`${this.path}-wal`, 'r+')
    const log = this.#log
    return new Promise((resolve, reject) => {
      fdatasync(log, (error) => {
        if (error === null) resolve()
        else reject(error)
      })
    })
  }

  /** Brings a store that was filled onto the disk, which commits alone do not then. */
  flush(): void {
    const file = openSync(this.path, 'r')
    try {
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }

  rollback(): void {
    if (this.#sqlite.isTransaction) this.#sqlite.exec('ROLLBACK')
  }

  insert({ packed, tombstone, kv }: StoredRow): void {
    this.#insert.run(packed, kv.key, kv.value, kv.createRevision, kv.version, kv.lease.toString(), tombstone ? 1 : 0)
  }

  read(packed: number): StoredRow | null {
    const row = this.#select.get(packed) as unknown as RevisionRow | undefined
    return row === undefined ? null : fromRow(row)
  }

  /** At most `limit` rows of [from, below), ascending. */
  scan(from: number, below: number, limit: number): StoredRow[] {
    return (this.#scan.all(from, below, limit) as unknown as RevisionRow[]).map(fromRow)
  }

  /** Every row without its value, ascending: what the key index is rebuilt from. */
  *index(): Generator<{ packed: number; key: BinaryText; tombstone: boolean; lease: bigint }> {
    const statement = this.#sqlite.prepare('SELECT revision, key, lease, tombstone FROM revisions ORDER BY revision')
    statement.setReturnArrays(true)
    for (const [packed, key, lease, tombstone] of statement.iterate() as unknown as Iterable<[number, Uint8Array, string, number]>)
      yield { packed, key: Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1'), tombstone: tombstone !== 0, lease: leaseOf(lease) }
  }

  remove(packed: number[]): void {
    for (const revision of packed) this.#remove.run(revision)
  }

  meta(name: string): string | null {
    const row = this.#sqlite.prepare('SELECT value FROM meta WHERE name = ?').get(name) as { value: string } | undefined
    return row?.value ?? null
  }

  setMeta(name: string, value: string): void {
    this.#sqlite.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value').run(name, value)
  }

  leases(): { id: bigint; ttlSeconds: number }[] {
    return (this.#sqlite.prepare('SELECT id, ttl_seconds FROM leases').all() as { id: string; ttl_seconds: number }[]).map((row) => ({
      id: BigInt(row.id),
      ttlSeconds: row.ttl_seconds,
    }))
  }

  putLease(id: bigint, ttlSeconds: number): void {
    this.#sqlite.prepare('INSERT INTO leases (id, ttl_seconds) VALUES (?, ?)').run(id.toString(), ttlSeconds)
  }

  deleteLease(id: bigint): void {
    this.#sqlite.prepare('DELETE FROM leases WHERE id = ?').run(id.toString())
  }

  buckets(): Map<string, { key: Uint8Array; value: Uint8Array }[]> {
    const buckets = new Map<string, { key: Uint8Array; value: Uint8Array }[]>()
    for (const row of this.#sqlite.prepare('SELECT bucket, key, value FROM buckets ORDER BY bucket, key').all() as {
      bucket: string
      key: Uint8Array
      value: Uint8Array
    }[]) {
      const entries = buckets.get(row.bucket) ?? []
      entries.push({ key: row.key, value: row.value })
      buckets.set(row.bucket, entries)
    }
    return buckets
  }

  putBucketEntry(bucket: string, key: Uint8Array, value: Uint8Array): void {
    this.#sqlite.prepare('INSERT INTO buckets (bucket, key, value) VALUES (?, ?, ?)').run(bucket, key, value)
  }

  /** Bytes of the file, and of the pages in use. */
  size(): { bytes: number; inUseBytes: number } {
    const pragma = (name: string): number => Number(Object.values(this.#sqlite.prepare(`PRAGMA ${name}`).get() ?? {})[0] ?? 0)
    const pageSize = pragma('page_size')
    const pages = pragma('page_count')
    return { bytes: pages * pageSize, inUseBytes: (pages - pragma('freelist_count')) * pageSize }
  }

  /** Gives free pages back to the file system. */
  vacuum(): void {
    this.#sqlite.exec('VACUUM')
  }

  close(): void {
    if (this.#log !== null) closeSync(this.#log)
    this.#log = null
    this.#sqlite.close()
  }
}

const leaseOf = (text: string): bigint => (text === '0' ? 0n : BigInt(text))

function fromRow([revision, key, value, createRevision, version, lease, tombstone]: RevisionRow): StoredRow {
  return {
    packed: revision,
    tombstone: tombstone !== 0,
    kv: { key, value, createRevision, modRevision: mainOf(revision), version, lease: leaseOf(lease) },
  }
}
