import type { FileHandle } from 'node:fs/promises'

/** Pages gathered before one write call. */
const BATCH_BYTES = 1 << 20

/**
 * Appends pages to a file in order, from page 2 on (0 and 1 are the metas, written last). `append` is synchronous so that
 * tree building stays simple; the caller awaits `flush` when `full`, which bounds memory to one batch plus one page.
 */
export class PageWriter {
  readonly pageSize: number
  readonly #file: FileHandle
  #pending: Buffer[] = []
  #pendingBytes = 0
  #writtenBytes: number
  #nextPage = 2

  constructor(file: FileHandle, pageSize: number) {
    this.#file = file
    this.pageSize = pageSize
    this.#writtenBytes = 2 * pageSize
  }

  /** The page id that the next append gets. */
  get nextPage(): number {
    return this.#nextPage
  }

  get full(): boolean {
    return this.#pendingBytes >= BATCH_BYTES
  }

  /** Takes a buffer of whole pages whose header is filled in but for the id, and returns that id. */
  append(pages: Buffer): number {
    const id = this.#nextPage
    pages.writeBigUInt64LE(BigInt(id), 0)
    this.#nextPage += pages.length / this.pageSize
    this.#pending.push(pages)
    this.#pendingBytes += pages.length
    return id
  }

  async flush(): Promise<void> {
    if (this.#pendingBytes === 0) return
    const batch = this.#pending.length === 1 && this.#pending[0] !== undefined ? this.#pending[0] : Buffer.concat(this.#pending, this.#pendingBytes)
    this.#pending = []
    this.#pendingBytes = 0
    await writeFully(this.#file, batch, this.#writtenBytes)
    this.#writtenBytes += batch.length
  }
}

/**
 * Writes all of `bytes` at `position`; a short write (a full disk may answer with one) goes on where it stopped.
 * @throws the system's error, e.g. ENOSPC
 */
export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    if (bytesWritten === 0) throw new Error('the disk took no more bytes')
    done += bytesWritten
  }
}
