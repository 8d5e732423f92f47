import type { FileHandle } from 'node:fs/promises'
import { writeFully } from './bbolt/pageWriter.ts'

/** Bytes gathered before one write: few enough to be in the processor's cache still when they are written. */
const BATCH_BYTES = 256 * 1024

/**
 * Appends to a file while its caller goes on: one batch is written while the next is gathered. Pieces are not copied, so they must stay as
 * they are.
 */
export class BatchWriter {
  readonly #file: FileHandle
  #batch: Uint8Array[] = []
  #batchBytes = 0
  #position = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** @returns what to wait for before there may be more; null when nothing. It throws the system's error, as ENOSPC */
  write(piece: Uint8Array): Promise<void> | null {
    this.#batch.push(piece)
    this.#batchBytes += piece.length
    return this.#batchBytes < BATCH_BYTES ? null : this.#flush()
  }

  /** @returns how many bytes there are. @throws the system's error */
  async end(): Promise<number> {
    await this.#flush()
    await this.#writing
    return this.#position
  }

  /** Waits for the batch before, then begins with this one. */
  async #flush(): Promise<void> {
    await this.#writing
    const [batch, bytes, position] = [this.#batch, this.#batchBytes, this.#position]
    if (bytes === 0) return
    this.#batch = []
    this.#batchBytes = 0
    this.#position += bytes
    this.#writing = this.#put(batch, bytes, position)
    // Its outcome is awaited before the next one; without this an early failure counts as unhandled meanwhile.
    this.#writing.catch(() => undefined)
  }

  async #put(batch: readonly Uint8Array[], bytes: number, position: number): Promise<void> {
    const { bytesWritten } = await this.#file.writev(batch, position)
    // A disk that is nearly full takes a part; writing the rest says why.
    if (bytesWritten < bytes) await writeFully(this.#file, Buffer.concat(batch).subarray(bytesWritten), position + bytesWritten)
  }
}
