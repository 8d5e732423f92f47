import { createHash } from 'node:crypto'
import { EtcdError } from '#shared/etcd/rpc.ts'
import type { StoredRevision } from '#shared/etcd/snapshotSource.ts'
import { SnapshotFile } from '#electron/snapshot/snapshotFile.ts'
import type { StoredRow, StoreDatabase } from './etcd/database.ts'
import { mainOf, packRevision, subOf } from './etcd/revision.ts'

/**
 * A snapshot file as a store's database, read in place: opening it costs one pass over its keys, and a value is read when it is asked
 * for. It refuses every write. Its leases are not told: one that ran out would have to take keys with it.
 */
export class SnapshotDatabase implements StoreDatabase {
  readonly #file: SnapshotFile
  readonly #meta: ReadonlyMap<string, string>

  readonly #revision: number

  /**
   * @param atRevision shows the store as it was then; null = as it is in the file
   * @throws SnapshotError; Error when the file does not reach back so far; or the system's error
   */
  constructor(path: string, atRevision: number | null = null) {
    this.#file = new SnapshotFile(path)
    try {
      const { revision, compactRevision } = this.#file.source()
      this.#revision = atRevision ?? revision
      if (this.#revision > revision || this.#revision < Math.max(1, compactRevision))
        throw new Error(`${path} does not hold revision ${String(atRevision)}: it has ${String(Math.max(1, compactRevision))} to ${String(revision)}`)
      this.#meta = new Map([
        ['revision', String(this.#revision)],
        ...(compactRevision > 0 ? [['compactRevision', String(compactRevision)] as const] : []),
        ['token', createHash('sha1').update(path).digest('hex').slice(0, 32)],
      ])
    } catch (error) {
      this.#file.close()
      throw error
    }
  }

  *index(): Generator<{ packed: number; key: string; tombstone: boolean; lease: bigint }> {
    const file = new SnapshotFile(this.#file.pages.path, { recycle: true })
    try {
      for (const { main, sub, tombstone, key } of file.keys()) {
        if (main > this.#revision) return
        // A restore that bumped revisions leaves one record without a key.
        if (key.length > 0) yield { packed: packRevision(main, sub), key, tombstone, lease: 0n }
      }
    } finally {
      file.close()
    }
  }

  read(packed: number): StoredRow | null {
    for (const revision of this.#file.revisionsFrom(mainOf(packed), subOf(packed))) return packedOf(revision) === packed ? rowOf(revision) : null
    return null
  }

  scan(from: number, below: number, limit: number): StoredRow[] {
    const rows: StoredRow[] = []
    for (const revision of this.#file.revisionsFrom(mainOf(from), subOf(from))) {
      if (rows.length >= limit || packedOf(revision) >= below || revision.main > this.#revision) break
      if (revision.kv.key.length > 0) rows.push(rowOf(revision))
    }
    return rows
  }

  meta(name: string): string | null {
    return this.#meta.get(name) ?? null
  }

  leases(): [] {
    return []
  }

  buckets(): Map<string, { key: Uint8Array; value: Uint8Array }[]> {
    return this.#file.source().otherBuckets
  }

  size(): { bytes: number; inUseBytes: number } {
    const bytes = this.#file.pages.databaseBytes
    return { bytes, inUseBytes: bytes }
  }

  close(): void {
    this.#file.close()
  }

  begin(): never {
    throw new EtcdError('PermissionDenied', 'etcdserver: this store shows a snapshot and takes no writes')
  }

  readonly insert = this.begin.bind(this)
  readonly remove = this.begin.bind(this)
  readonly setMeta = this.begin.bind(this)
  readonly putLease = this.begin.bind(this)
  readonly deleteLease = this.begin.bind(this)
  readonly vacuum = this.begin.bind(this)

  /** Nothing was begun. */
  commit(): void {
    return
  }

  sync(): Promise<void> {
    return Promise.resolve()
  }

  rollback(): void {
    return
  }
}

const packedOf = ({ main, sub }: StoredRevision): number => packRevision(main, sub)

/** A copy: the pages that a revision's bytes are views of would stay in memory with it. */
function rowOf(revision: StoredRevision): StoredRow {
  const { tombstone, kv, main } = revision
  const key = Uint8Array.from(kv.key)
  return {
    packed: packedOf(revision),
    tombstone,
    kv: tombstone
      ? { key, value: new Uint8Array(0), createRevision: 0, modRevision: main, version: 0, lease: 0n }
      : { ...kv, key, value: Uint8Array.from(kv.value) },
  }
}
