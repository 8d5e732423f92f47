import { createHash } from 'node:crypto'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { TRAILER_BYTES } from './bbolt/format.ts'
import { writeFully } from './bbolt/pageWriter.ts'
import { SnapshotError } from './snapshotError.ts'

export interface SaveProgress {
  receivedBytes: number
  /** Null until the server has said how much there is. */
  totalBytes: number | null
  bytesPerSecond: number
  /** Null until the rate and the total are known. */
  secondsLeft: number | null
}

export interface SaveOptions {
  etcd: Pick<EtcdClient, 'snapshot'>
  path: string
  clock: Clock
  signal: AbortSignal
  onProgress?: (progress: SaveProgress) => void
}

export interface SavedSnapshot {
  path: string
  fileSizeBytes: number
  /** Of the whole file, hex. */
  sha256: string
  durationMs: number
}

/**
 * Streams a snapshot of an etcd into `path` as `etcdctl snapshot save` does: into `path.part` (mode 0600), the SHA-256 at its
 * end checked against the bytes received, flushed to disk, then renamed. A file that is already at `path` is not touched, and
 * after any failure nothing new is there.
 * @throws SnapshotError exists or trailer; EtcdError; the system's error (ENOSPC …); or the signal's reason
 */
export async function saveSnapshot({ etcd, path, clock, signal, onProgress }: SaveOptions): Promise<SavedSnapshot> {
  const startedMs = clock.now()
  const part = `${path}.part`
  if (await exists(path)) throw new SnapshotError('exists', `${path} is already there; choose another name`)
  const file = await open(part, 'w', 0o600)
  try {
    const received = await receive(file, { etcd, signal, clock, startedMs, onProgress: onProgress ?? (() => undefined) })
    await file.sync()
    await file.close()
    signal.throwIfAborted()
    if (await exists(path)) throw new SnapshotError('exists', `${path} has appeared meanwhile; choose another name`)
    await rename(part, path)
    await syncDirectory(dirname(path))
    return { path, ...received, durationMs: clock.now() - startedMs }
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(part, { force: true })
    throw error
  }
}

async function receive(
  file: FileHandle,
  {
    etcd,
    signal,
    clock,
    startedMs,
    onProgress,
  }: { etcd: Pick<EtcdClient, 'snapshot'>; signal: AbortSignal; clock: Clock; startedMs: number; onProgress: (progress: SaveProgress) => void },
): Promise<{ fileSizeBytes: number; sha256: string }> {
  const bodyHash = createHash('sha256')
  // The trailer is not marked in the stream: the last 32 bytes are it, so that many are held back from the body's hash.
  let held = Buffer.alloc(0)
  let receivedBytes = 0
  for await (const { blob, remainingBytes } of etcd.snapshot({ signal })) {
    signal.throwIfAborted()
    if (blob.length === 0) continue
    await writeFully(file, blob, receivedBytes)
    receivedBytes += blob.length
    if (blob.length >= TRAILER_BYTES) {
      bodyHash.update(held)
      bodyHash.update(blob.subarray(0, blob.length - TRAILER_BYTES))
      held = Buffer.from(blob.subarray(blob.length - TRAILER_BYTES))
    } else {
      const tail = Buffer.concat([held, blob])
      const keep = Math.min(TRAILER_BYTES, tail.length)
      bodyHash.update(tail.subarray(0, tail.length - keep))
      held = Buffer.from(tail.subarray(tail.length - keep))
    }
    const seconds = (clock.now() - startedMs) / 1000
    const bytesPerSecond = seconds > 0 ? receivedBytes / seconds : 0
    // The server's count leaves the trailer out: its last pieces may say 0 remain.
    const totalBytes = remainingBytes > 0 ? receivedBytes + remainingBytes : receivedBytes
    onProgress({ receivedBytes, totalBytes, bytesPerSecond, secondsLeft: bytesPerSecond > 0 ? (totalBytes - receivedBytes) / bytesPerSecond : null })
  }
  signal.throwIfAborted()
  if (receivedBytes % 512 !== TRAILER_BYTES)
    throw new SnapshotError(
      'trailer',
      `the snapshot's stream ended after ${String(receivedBytes)} bytes without the SHA-256 that etcd sends last; nothing was kept`,
    )
  const whole = bodyHash.copy().update(held).digest('hex')
  const found = bodyHash.digest('hex')
  if (found !== held.toString('hex')) throw new SnapshotError('trailer', `the bytes received do not match the SHA-256 that etcd sent; nothing was kept`)
  return { fileSizeBytes: receivedBytes, sha256: whole }
}

async function exists(path: string): Promise<boolean> {
  try {
    await (await open(path, 'r')).close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Makes the rename itself durable; some file systems cannot, which is no failure of the snapshot. */
async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, 'r')
    await directory.sync().finally(() => directory.close())
  } catch (error) {
    if (!['EISDIR', 'EPERM', 'EINVAL', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
