import type { SnapshotSource } from '#shared/etcd/snapshotSource.ts'
import { Database } from './database.ts'
import { packRevision } from './revision.ts'

const BATCH = 5_000

/**
 * Fills an empty data directory with a snapshot's contents, so that a store opened there goes on at the snapshot's revision.
 * Durable when it resolves. Members are not taken over: the store that opens here is a cluster of its own.
 *
 * @throws the signal's reason, or the system's error; the directory is then to be thrown away
 */
export async function loadStore(
  source: SnapshotSource,
  { dataDir, signal, onProgress }: { dataDir: string; signal: AbortSignal; onProgress?: (revisions: number) => void },
): Promise<void> {
  const database = new Database(dataDir, { filling: true })
  try {
    let count = 0
    database.begin()
    for (const { main, sub, tombstone, kv } of source.revisions()) {
      database.insert({
        packed: packRevision(main, sub),
        tombstone,
        kv: tombstone ? { ...kv, value: new Uint8Array(0), createRevision: 0, version: 0, lease: 0n } : kv,
      })
      if (++count % BATCH !== 0) continue
      database.commit()
      onProgress?.(count)
      // Others get their turn: a large store takes seconds.
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
      signal.throwIfAborted()
      database.begin()
    }
    for (const { id, ttlSeconds } of source.leases) database.putLease(id, ttlSeconds)
    for (const [bucket, entries] of source.otherBuckets) for (const { key, value } of entries) database.putBucketEntry(bucket, key, value)
    database.setMeta('revision', String(source.revision))
    if (source.compactRevision > 0) database.setMeta('compactRevision', String(source.compactRevision))
    database.commit()
    database.flush()
    onProgress?.(count)
  } finally {
    database.close()
  }
}
