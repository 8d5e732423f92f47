/** What is handed to the connection at a time: large enough to cost little, small enough to let others have their turn between. */
const CHUNK_BYTES = 256 * 1024

/** A large JSON body put together from bytes that exist already: `head`, the items with `separator` between, `tail`. */
export class JoinedBody {
  readonly #head: Uint8Array
  readonly #items: readonly Uint8Array[]
  readonly #tail: Uint8Array
  readonly #separator: Uint8Array
  readonly byteLength: number

  constructor(head: string, items: readonly Uint8Array[], tail: string, separator = ',') {
    this.#separator = Buffer.from(separator)
    this.#head = Buffer.from(head)
    this.#items = items
    this.#tail = Buffer.from(tail)
    let length = this.#head.length + this.#tail.length + this.#separator.length * Math.max(0, items.length - 1)
    for (const item of items) length += item.length
    this.byteLength = length
  }

  /** The whole body in pieces of about `CHUNK_BYTES`, each in memory of its own. */
  *chunks(): Generator<Buffer> {
    let left = this.byteLength
    let chunk = Buffer.allocUnsafeSlow(Math.min(left, CHUNK_BYTES))
    let at = 0
    for (const part of this.#parts()) {
      let taken = 0
      while (taken < part.length) {
        const count = Math.min(part.length - taken, chunk.length - at)
        chunk.set(count === part.length ? part : part.subarray(taken, taken + count), at)
        taken += count
        at += count
        if (at < chunk.length) continue
        left -= at
        yield chunk
        chunk = Buffer.allocUnsafeSlow(Math.min(left, CHUNK_BYTES))
        at = 0
      }
    }
  }

  /** In one piece. */
  bytes(): Buffer {
    return Buffer.concat([...this.chunks()], this.byteLength)
  }

  *#parts(): Generator<Uint8Array> {
    yield this.#head
    let first = true
    for (const item of this.#items) {
      if (!first) yield this.#separator
      first = false
      yield item
    }
    yield this.#tail
  }
}
