import { createHash } from 'node:crypto'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { TRAILER_BYTES } from './bbolt/format.ts'
import { writeFully } from './bbolt/pageWriter.ts'
import { checkSealing, isEncrypted, seal, type Sealing } from './envelope/envelope.ts'
import { BatchWriter } from './batchWriter.ts'
import { SnapshotError } from './snapshotError.ts'

/** Between two reports of progress. */
const PROGRESS_BYTES = 1 << 20

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
  /** @default as it is */
  sealing?: Sealing
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
export async function saveSnapshot({ etcd, path, clock, signal, onProgress, sealing = { compress: false } }: SaveOptions): Promise<SavedSnapshot> {
  const startedMs = clock.now()
  checkSealing(sealing)
  const part = `${path}.part`
  if (await exists(path)) throw new SnapshotError('exists', `${path} is already there; choose another name`)
  const file = await open(part, 'w', 0o600)
  try {
    const received = await receive(file, { etcd, sealing, signal, clock, startedMs, onProgress: onProgress ?? (() => undefined) })
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

interface Receiving {
  etcd: Pick<EtcdClient, 'snapshot'>
  sealing: Sealing
  signal: AbortSignal
  clock: Clock
  startedMs: number
  onProgress: (progress: SaveProgress) => void
}

async function receive(file: FileHandle, options: Receiving): Promise<{ fileSizeBytes: number; sha256: string }> {
  const { sealing } = options
  const check = new TrailerCheck()
  if (!sealing.compress && !isEncrypted(sealing)) {
    const writer = new BatchWriter(file)
    for await (const blob of received(options, check)) {
      const waiting = writer.write(blob)
      if (waiting !== null) await waiting
    }
    return { fileSizeBytes: await writer.end(), sha256: check.sha256 }
  }
  let written = 0
  const hash = createHash('sha256')
  await seal(received(options, check), sealing, async (bytes) => {
    await writeFully(file, bytes, written)
    hash.update(bytes)
    written += bytes.length
  })
  return { fileSizeBytes: written, sha256: hash.digest('hex') }
}

/** The bytes of a snapshot as etcd sends them, which end only when they match the SHA-256 that ends them. */
async function* received({ etcd, signal, clock, startedMs, onProgress }: Receiving, check: TrailerCheck): AsyncGenerator<Uint8Array> {
  let receivedBytes = 0
  let toldBytes = -PROGRESS_BYTES
  for await (const { blob, remainingBytes } of etcd.snapshot({ signal })) {
    signal.throwIfAborted()
    if (blob.length === 0) continue
    check.see(blob)
    yield blob
    receivedBytes += blob.length
    if (receivedBytes - toldBytes < PROGRESS_BYTES && remainingBytes > 0) continue
    toldBytes = receivedBytes
    const seconds = (clock.now() - startedMs) / 1000
    const bytesPerSecond = seconds > 0 ? receivedBytes / seconds : 0
    // The server's count leaves the trailer out: its last pieces may say 0 remain.
    const totalBytes = remainingBytes > 0 ? receivedBytes + remainingBytes : receivedBytes
    onProgress({ receivedBytes, totalBytes, bytesPerSecond, secondsLeft: bytesPerSecond > 0 ? (totalBytes - receivedBytes) / bytesPerSecond : null })
  }
  signal.throwIfAborted()
  check.end(receivedBytes)
}

/** Hashes a stream whose last 32 bytes are the SHA-256 of those before. They are not marked: so many are held back all the time. */
class TrailerCheck {
  /** Of the whole stream, hex; '' before its end. */
  sha256 = ''
  readonly #hash = createHash('sha256')
  readonly #held = Buffer.alloc(TRAILER_BYTES)
  #heldBytes = 0

  see(blob: Uint8Array): void {
    const over = Math.max(0, this.#heldBytes + blob.length - TRAILER_BYTES)
    const oldest = Math.min(over, this.#heldBytes)
    this.#hash.update(this.#held.subarray(0, oldest))
    this.#held.copyWithin(0, oldest, this.#heldBytes)
    this.#heldBytes -= oldest
    this.#hash.update(blob.subarray(0, over - oldest))
    this.#held.set(blob.subarray(over - oldest), this.#heldBytes)
    this.#heldBytes += blob.length - (over - oldest)
  }

  /** @throws SnapshotError trailer */
  end(receivedBytes: number): void {
    if (receivedBytes % 512 !== TRAILER_BYTES)
      throw new SnapshotError(
        'trailer',
        `the snapshot's stream ended after ${String(receivedBytes)} bytes without the SHA-256 that etcd sends last; nothing was kept`,
      )
    const trailer = this.#held.subarray(0, this.#heldBytes)
    this.sha256 = this.#hash.copy().update(trailer).digest('hex')
    if (this.#hash.digest('hex') !== trailer.toString('hex'))
      throw new SnapshotError('trailer', `the bytes received do not match the SHA-256 that etcd sent; nothing was kept`)
  }
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
