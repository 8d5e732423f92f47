import type { SnapshotStatus } from '#shared/contract/backups.ts'
import { decodeRevisionKey, WireError } from '#shared/etcd/mvccpb.ts'
import type { LeafPage } from './bbolt/tree.ts'
import { leavesOf } from './bbolt/tree.ts'
import { Crc32c } from './crc32c.ts'
import { PageUse } from './pageUse.ts'
import { SnapshotError } from './snapshotError.ts'
import { SnapshotFile } from './snapshotFile.ts'

/** Bytes read between two turns of the event loop: some milliseconds' work. */
const BYTES_PER_TURN = 8 * 1024 * 1024

export interface ReadOptions {
  signal: AbortSignal
  onProgress?: (progress: { readBytes: number; totalBytes: number }) => void
}

/**
 * What `etcdctl snapshot status` says of a file, by reading every page in use: CRC-32C over bucket names, keys and values in
 * order; the last revision; the elements of all buckets; the size without trailer. The structure is checked on the way.
 * @throws SnapshotError, the system's error, or the signal's reason
 * @see https://github.com/etcd-io/etcd/blob/release-3.5/etcdutl/snapshot/v3_snapshot.go
 */
export async function snapshotStatus(path: string, options: ReadOptions): Promise<SnapshotStatus> {
  const file = new SnapshotFile(path, { recycle: true })
  try {
    return await statusOf(file, options)
  } finally {
    file.close()
  }
}

/** As {@link snapshotStatus}, of an open file. `onLeaf` sees each leaf of the `key` bucket. */
export async function statusOf(file: SnapshotFile, { signal, onProgress }: ReadOptions, onLeaf?: (leaf: LeafPage) => void): Promise<SnapshotStatus> {
  const { pages } = file
  const use = new PageUse(pages)
  // The root's own pages, which opening the file has walked already.
  for (const _ of leavesOf(pages, { page: pages.meta.rootPage, inline: null }, use.enter)) continue
  const crc = new Crc32c()
  let totalKeys = 0
  let revision = 0
  let turnEndsAt = BYTES_PER_TURN
  for (const bucket of file.buckets) {
    crc.update(Buffer.from(bucket.name))
    let last: { leaf: LeafPage } | null = null
    for (const leaf of leavesOf(pages, bucket.root, use.enter)) {
      totalKeys += leaf.count
      hashLeaf(crc, leaf)
      if (bucket.name === 'key') {
        onLeaf?.(leaf)
        if (leaf.count > 0) last = { leaf }
      }
      if (use.bytes >= turnEndsAt) {
        turnEndsAt = use.bytes + BYTES_PER_TURN
        onProgress?.({ readBytes: use.bytes, totalBytes: pages.databaseBytes })
        await new Promise((resolve) => setImmediate(resolve))
        signal.throwIfAborted()
      }
    }
    if (last !== null) revision = revisionOf(last.leaf)
  }
  use.checkFreelist()
  onProgress?.({ readBytes: pages.databaseBytes, totalBytes: pages.databaseBytes })
  const { storageVersion } = file
  return {
    hash: crc.value,
    revision,
    totalKeys: storageVersion === '' ? totalKeys : countLiveKeys(file),
    totalSizeBytes: pages.databaseBytes,
    version: storageVersion,
  }
}

/** Keys and values of a leaf in order; a nested bucket's value counts as empty. */
function hashLeaf(crc: Crc32c, leaf: LeafPage): void {
  if (leaf.contiguous) {
    crc.update(leaf.bytes, leaf.dataStart, leaf.dataEnd)
    return
  }
  for (let index = 0; index < leaf.count; index++) {
    crc.update(leaf.key(index))
    if (!leaf.isBucket(index)) crc.update(leaf.value(index))
  }
}

function revisionOf(leaf: LeafPage): number {
  try {
    return decodeRevisionKey(leaf.key(leaf.count - 1)).main
  } catch (error) {
    if (error instanceof WireError) throw new SnapshotError('damaged', `page ${String(leaf.page)} ends with a key that is no revision`, { cause: error })
    throw error
  }
}

/** What etcd 3.6 counts in place of elements: keys that exist at the last revision. */
function countLiveKeys(file: SnapshotFile): number {
  const live = new Set<string>()
  for (const { tombstone, kv } of file.revisions()) {
    const key = Buffer.from(kv.key.buffer, kv.key.byteOffset, kv.key.byteLength).toString('latin1')
    if (tombstone) live.delete(key)
    else live.add(key)
  }
  return live.size
}
