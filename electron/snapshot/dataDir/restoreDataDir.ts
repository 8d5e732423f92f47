import { mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { SnapshotSource, StoredRevision } from '#shared/etcd/snapshotSource.ts'
import { writeDatabase } from '../encodeSnapshot.ts'
import { SnapshotError } from '../snapshotError.ts'
import { SnapshotFile } from '../snapshotFile.ts'
import { checkTrailer } from '../trailer/checkTrailer.ts'
import { membershipOf, type MembershipOptions } from './membership.ts'
import { FIRST_TERM, snapBytes, WAL_SEGMENT_BYTES, walBytes } from './raftState.ts'

export interface RestoreDataDirOptions extends MembershipOptions {
  snapshot: string
  /** Made by this; must be absent or empty. */
  dataDir: string
  /** @default `member/wal` in the data directory */
  walDir?: string | undefined
  /** For a copied database, which has no SHA-256 at its end. @default false */
  skipHashCheck?: boolean
  /**
   * Lets the store begin this many revisions above the snapshot's, everything below compacted, so that watches from before
   * the restore are cancelled instead of missing changes. 0 leaves revisions as they are. @default 0
   */
  bumpRevision?: number
  signal: AbortSignal
  /** Revisions written so far. */
  onProgress?: (revisions: number) => void
}

export interface RestoredDataDir {
  memberId: bigint
  clusterId: bigint
  /** At which the member starts. */
  revision: number
}

/**
 * Makes the data directory that one etcd member starts from, out of a snapshot: what `etcdutl snapshot restore` does, for
 * etcd 3.4 to 3.6. Run once per member with the same file and the same cluster. The directory appears whole or not at all.
 * @throws SnapshotError, Error that names the flag, the system's error, or the signal's reason
 */
export async function restoreDataDir(options: RestoreDataDirOptions): Promise<RestoredDataDir> {
  const { snapshot, dataDir, signal, bumpRevision = 0 } = options
  const membership = membershipOf(options)
  await mustBeEmpty(dataDir, 'data-dir')
  if (options.walDir !== undefined) await mustBeEmpty(options.walDir, 'wal-dir')
  if (options.skipHashCheck !== true) {
    const { check } = await checkTrailer(snapshot, { signal })
    if (check.verdict === 'suspicious') throw new SnapshotError('trailer', `${snapshot}: ${check.detail}; give --skip-hash-check to restore it all the same`)
    if (check.verdict === 'broken') throw new SnapshotError('trailer', `${snapshot}: ${check.detail}; nothing was restored`)
  }
  const building = `${dataDir}.restoring-${String(process.pid)}`
  const walBuilding = options.walDir === undefined ? join(building, 'member/wal') : `${options.walDir}.restoring-${String(process.pid)}`
  const file = new SnapshotFile(snapshot)
  try {
    await mkdir(join(building, 'member/snap'), { recursive: true, mode: 0o700 })
    await mkdir(walBuilding, { recursive: true, mode: 0o700 })
    const count = membership.members.length
    const source = { ...file.source(), members: membership.members }
    const revision = source.revision + bumpRevision
    await writeFileDurably(join(building, 'member/snap/db'), 0o600, (handle) =>
      writeDatabase(counted(bumpRevision === 0 ? source : bumped(source, revision), options.onProgress), handle, {
        signal,
        meta: { consistentIndex: count, confState: false, ...(bumpRevision === 0 ? {} : { scheduledCompactRevision: revision }) },
      }),
    )
    const name = `${hex(FIRST_TERM)}-${hex(count)}.snap`
    await writeFileDurably(join(building, 'member/snap', name), 0o644, async (handle) => {
      await handle.write(snapBytes(membership))
    })
    await writeFileDurably(join(walBuilding, `${hex(0)}-${hex(0)}.wal`), 0o600, async (handle) => {
      await handle.write(walBytes(membership))
      await handle.truncate(WAL_SEGMENT_BYTES)
    })
    signal.throwIfAborted()
    if (options.walDir !== undefined) await moveInPlace(walBuilding, options.walDir)
    await moveInPlace(building, dataDir)
    return { memberId: membership.self.id, clusterId: membership.clusterId, revision }
  } catch (error) {
    await rm(building, { recursive: true, force: true })
    await rm(walBuilding, { recursive: true, force: true })
    throw error
  } finally {
    file.close()
  }
}

/** etcd itself compacts up to the scheduled revision when it starts; the last record, without a key, holds the place. */
function bumped(source: SnapshotSource, revision: number): SnapshotSource {
  const place: StoredRevision = {
    main: revision,
    sub: 0,
    tombstone: false,
    kv: { key: new Uint8Array(0), value: new Uint8Array(0), createRevision: 0, modRevision: 0, version: 0, lease: 0n },
  }
  return {
    ...source,
    revision,
    revisions: function* () {
      yield* source.revisions()
      yield place
    },
  }
}

function counted(source: SnapshotSource, onProgress: ((revisions: number) => void) | undefined): SnapshotSource {
  if (onProgress === undefined) return source
  return {
    ...source,
    revisions: function* () {
      let count = 0
      for (const revision of source.revisions()) {
        if (++count % 10_000 === 0) onProgress(count)
        yield revision
      }
      onProgress(count)
    },
  }
}

const hex = (value: number): string => value.toString(16).padStart(16, '0')

async function mustBeEmpty(path: string, flag: string): Promise<void> {
  const entries = await readdir(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  if (entries.length > 0) throw new SnapshotError('exists', `${flag} ${JSON.stringify(path)} not empty or could not be read; move what is there away first`)
}

async function writeFileDurably(path: string, mode: number, write: (handle: Awaited<ReturnType<typeof open>>) => Promise<void>): Promise<void> {
  const handle = await open(path, 'wx+', mode)
  try {
    await write(handle)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function moveInPlace(from: string, to: string): Promise<void> {
  if ((await stat(to).catch(() => null)) !== null) await rmdir(to)
  await mkdir(dirname(to), { recursive: true })
  await rename(from, to)
  const parent = await open(dirname(to), 'r')
  await parent.sync().finally(() => parent.close())
}
