import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib'
import { spdyDictionary } from './spdyDictionary.ts'

/** A header block larger than this is refused; clients send a few hundred bytes. */
const MAX_BLOCK_BYTES = 64 * 1024

/**
 * The two zlib contexts of one SPDY connection: each direction is one compressed stream over all header blocks, so
 * blocks must be given in wire order, one after the other.
 */
export class HeaderCompression {
  readonly #deflate: Deflate
  readonly #inflate: Inflate
  readonly #compressed = new Collected()
  readonly #plain = new Collected()

  constructor() {
    const dictionary = spdyDictionary()
    this.#deflate = createDeflate({ dictionary, flush: constants.Z_SYNC_FLUSH })
    this.#inflate = createInflate({ dictionary, finishFlush: constants.Z_SYNC_FLUSH })
    this.#deflate.on('data', (part: Buffer) => {
      this.#compressed.add(part)
    })
    this.#inflate.on('data', (part: Buffer) => {
      this.#plain.add(part)
    })
    for (const stream of [this.#deflate, this.#inflate]) stream.on('error', () => undefined)
  }

  compress(block: Buffer): Promise<Buffer> {
    return through(this.#deflate, block, this.#compressed)
  }

  /** @throws Error when the bytes do not continue the compressed stream */
  decompress(block: Buffer): Promise<Buffer> {
    return through(this.#inflate, block, this.#plain)
  }

  close(): void {
    this.#deflate.destroy()
    this.#inflate.destroy()
  }
}

class Collected {
  #parts: Buffer[] = []
  #length = 0

  add(part: Buffer): void {
    this.#length += part.length
    if (this.#length <= MAX_BLOCK_BYTES) this.#parts.push(part)
  }

  take(): Buffer {
    if (this.#length > MAX_BLOCK_BYTES) throw new Error('SPDY header block is too large')
    const all = Buffer.concat(this.#parts)
    this.#parts = []
    this.#length = 0
    return all
  }
}

/** What the stream makes of the block: its write callback comes after the last piece of output. */
function through(stream: Deflate | Inflate, block: Buffer, collected: Collected): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    stream.write(block, (error) => {
      if (error) {
        reject(error)
        return
      }
      try {
        resolve(collected.take())
      } catch (tooLarge) {
        reject(tooLarge instanceof Error ? tooLarge : new Error(String(tooLarge)))
      }
    })
  })
}
