import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { SnapshotCheck } from '#shared/contract/backups.ts'
import { TRAILER_BYTES } from '../bbolt/format.ts'
import { HashThread, type FileHash } from './hashThread.ts'

/** Hashed in less time than a thread takes to start. */
const SMALL_BYTES = 16 * 1024 * 1024

export interface CheckedTrailer {
  check: SnapshotCheck
  /** Of the whole file, trailer included, in hex. */
  sha256: string
  fileSizeBytes: number
}

/**
 * Compares the file's bytes with the SHA-256 that ends it, those of a large file in a thread of its own. A file without one is suspicious: a
 * member's own db has none.
 * @throws the system's error when the file cannot be read, or the signal's reason
 */
export async function checkTrailer(path: string, { signal }: { signal: AbortSignal }): Promise<CheckedTrailer> {
  signal.throwIfAborted()
  const { size } = await stat(path)
  const { sha256, bodySha256, trailer } = size <= SMALL_BYTES ? hashOf(await readFile(path, { signal })) : await hashAside(path, signal)
  return { check: judge(size, bodySha256, trailer), sha256, fileSizeBytes: size }
}

function hashOf(bytes: Buffer): Omit<FileHash, 'sizeBytes'> {
  const bodyBytes = Math.max(0, bytes.length - TRAILER_BYTES)
  const body = createHash('sha256').update(bytes.subarray(0, bodyBytes))
  const trailer = bytes.subarray(bodyBytes)
  return { sha256: body.copy().update(trailer).digest('hex'), bodySha256: body.digest('hex'), trailer: trailer.toString('hex') }
}

async function hashAside(path: string, signal: AbortSignal): Promise<FileHash> {
  const thread = new HashThread(path, { trailerBytes: TRAILER_BYTES })
  const stop = (): void => {
    void thread.stop()
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await thread.finish()
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
    await thread.stop()
  }
}

function judge(size: number, found: string, wanted: string): SnapshotCheck {
  const name = 'sha256-trailer'
  if (size % 512 !== TRAILER_BYTES)
    return {
      name,
      verdict: 'suspicious',
      detail: 'the file does not end with a SHA-256, as a copied database does not and an interrupted save may not; its bytes cannot be checked',
    }
  return wanted === found
    ? { name, verdict: 'good', detail: `the SHA-256 at the end matches: ${found}` }
    : { name, verdict: 'broken', detail: `the SHA-256 at the end is ${wanted}, but the bytes before it give ${found}` }
}
