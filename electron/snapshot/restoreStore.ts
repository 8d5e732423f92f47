import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { RestoreProgress } from '#shared/contract/backups.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import type { SnapshotSource } from '#shared/etcd/snapshotSource.ts'
import { objectPlace } from './objectCounts.ts'
import { SnapshotError } from './snapshotError.ts'
import { SnapshotFile } from './snapshotFile.ts'

/** The cluster whose store is replaced. `electron/controlplane` and its composition implement it; here nobody knows them. */
export interface RestoreTarget {
  /** The store's own directory, which nothing else lies in. */
  readonly storeDir: string
  /** Of the running cluster; asked for again after `start`. */
  etcd(): EtcdClient
  /** Resolves when nothing has the store open any more. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Fills an empty directory with a store, durably. `onProgress` counts revisions. */
  loadStore(source: SnapshotSource, options: { dataDir: string; signal: AbortSignal; onProgress?: (revisions: number) => void }): Promise<void>
}

type RestoreStep = Exclude<RestoreProgress, { phase: 'done' }>
type RestoreResult = Extract<RestoreProgress, { phase: 'done' }>

export interface RestoreOptions {
  path: string
  clock: Clock
  signal: AbortSignal
  onProgress: (progress: RestoreStep) => void
}

/**
 * How far above the highest revision either side has seen the restored store begins. Watchers and caches that remember a
 * revision from before the restore then ask for one that is compacted, and list anew instead of missing changes.
 */
const REVISION_MARGIN = 1000

/**
 * Replaces a running cluster's store by a snapshot's contents. The new store is built beside the old one first, so the cluster
 * is down only for two renames; the old store is kept. When anything fails, the old store is back in place and running.
 * @throws SnapshotError, the system's error, or the signal's reason (before the old store was moved; then it is too late)
 */
export async function restoreStore(target: RestoreTarget, { path, clock, signal, onProgress }: RestoreOptions): Promise<RestoreResult> {
  const startedMs = clock.now()
  onProgress({ phase: 'comparing', detail: 'counting what is there now', ratio: null })
  const before = await countObjects(target.etcd(), signal)
  const { keptDataDir, newDir } = await freeNames(target.storeDir, startedMs)
  const file = new SnapshotFile(path)
  try {
    const source = bumped(file.source(), before.revision)
    onProgress({ phase: 'writing', detail: 'building the new store beside the old one', ratio: null })
    await mkdir(newDir, { recursive: true, mode: 0o700 })
    await target.loadStore(source, {
      dataDir: newDir,
      signal,
      onProgress: (revisions) => onProgress({ phase: 'writing', detail: `${String(revisions)} revisions written`, ratio: null }),
    })
    signal.throwIfAborted()
  } catch (error) {
    await rm(newDir, { recursive: true, force: true })
    throw error
  } finally {
    file.close()
  }
  await swap(target, { keptDataDir, newDir, onProgress })
  onProgress({ phase: 'comparing', detail: 'counting what is there after the restore', ratio: null })
  const after = await countObjects(target.etcd(), signal)
  return {
    phase: 'done',
    before: before.counts,
    after: after.counts,
    keptDataDir,
    revisionBefore: before.revision,
    revisionAfter: after.revision,
    durationMs: clock.now() - startedMs,
  }
}

async function swap(
  target: RestoreTarget,
  { keptDataDir, newDir, onProgress }: { keptDataDir: string; newDir: string; onProgress: (progress: RestoreStep) => void },
): Promise<void> {
  onProgress({ phase: 'stopping', detail: 'stopping the cluster', ratio: null })
  await target.stop()
  let moved = false
  try {
    await rename(target.storeDir, keptDataDir)
    moved = true
    await rename(newDir, target.storeDir)
    onProgress({ phase: 'starting', detail: 'starting the cluster on the restored store', ratio: null })
    await target.start()
  } catch (error) {
    await target.stop().catch(() => undefined)
    if (moved) {
      await rm(target.storeDir, { recursive: true, force: true })
      await rename(keptDataDir, target.storeDir)
    }
    await rm(newDir, { recursive: true, force: true })
    await target.start()
    throw new Error(`the restore failed and the previous data is back in place: ${(error as Error).message}`, { cause: error })
  }
}

/** The same contents at a revision above `atLeast`, everything below it compacted, as `--bump-revision --mark-compacted` do. */
function bumped(source: SnapshotSource, atLeast: number): SnapshotSource {
  const revision = Math.max(source.revision, atLeast) + REVISION_MARGIN
  return { ...source, revision, compactRevision: revision, revisions: () => source.revisions() }
}

/** Live Kubernetes objects by resource, and the store's revision, read page by page over the etcd API. */
export async function countObjects(etcd: EtcdClient, signal: AbortSignal): Promise<{ counts: Record<string, number>; revision: number }> {
  const counts: Record<string, number> = {}
  const encoder = new TextEncoder()
  const end = encoder.encode('/registry0')
  let key = encoder.encode('/registry/')
  let revision = 0
  for (;;) {
    const page = await etcd.range({ key, rangeEnd: end, limit: 5000, keysOnly: true, ...(revision > 0 ? { revision } : {}) }, { signal })
    revision ||= page.header.revision
    for (const kv of page.kvs) {
      const place = objectPlace(Buffer.from(kv.key).toString('utf8'))
      if (place !== null) counts[place.resource] = (counts[place.resource] ?? 0) + 1
    }
    const last = page.kvs.at(-1)
    if (!page.more || last === undefined) return { counts, revision }
    key = new Uint8Array([...last.key, 0])
  }
}

async function freeNames(storeDir: string, nowMs: number): Promise<{ keptDataDir: string; newDir: string }> {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')
  const keptDataDir = `${storeDir}.before-restore-${stamp}`
  const there = await stat(keptDataDir).catch(() => null)
  if (there !== null) throw new SnapshotError('exists', `${keptDataDir} is already there; a restore ran this very second in ${dirname(storeDir)}`)
  const newDir = `${storeDir}.restoring`
  await rm(newDir, { recursive: true, force: true })
  return { keptDataDir, newDir }
}
