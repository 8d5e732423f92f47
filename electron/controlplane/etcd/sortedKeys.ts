/** Keys as text in which each character is one byte, so that comparing texts compares bytes. */
export type BinaryText = string

const CHUNK_LIMIT = 512

/** A sorted set of keys in chunks: insertion moves at most one chunk, walks are array walks. */
export class SortedKeys {
  /** Never empty chunks, except when the set is empty. */
  readonly #chunks: BinaryText[][] = [[]]
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Adds a key that is not in the set. */
  add(key: BinaryText): void {
    const chunkIndex = this.#chunkFor(key)
    const chunk = this.#chunks[chunkIndex] ?? []
    chunk.splice(lowerBound(chunk, key), 0, key)
    this.#size += 1
    if (chunk.length > CHUNK_LIMIT) this.#chunks.splice(chunkIndex + 1, 0, chunk.splice(CHUNK_LIMIT / 2))
  }

  delete(key: BinaryText): boolean {
    const chunkIndex = this.#chunkFor(key)
    const chunk = this.#chunks[chunkIndex] ?? []
    const index = lowerBound(chunk, key)
    if (chunk[index] !== key) return false
    chunk.splice(index, 1)
    this.#size -= 1
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(chunkIndex, 1)
    return true
  }

  /** Keys from `start` on, below `end`; `end` null = to the last. The set must not change during the walk. */
  *range(start: BinaryText, end: BinaryText | null): Generator<BinaryText> {
    let chunkIndex = this.#chunkFor(start)
    let index = lowerBound(this.#chunks[chunkIndex] ?? [], start)
    for (; chunkIndex < this.#chunks.length; chunkIndex++, index = 0) {
      const chunk = this.#chunks[chunkIndex] ?? []
      for (; index < chunk.length; index++) {
        const key = chunk[index] ?? ''
        if (end !== null && key >= end) return
        yield key
      }
    }
  }

  /** The last chunk whose first key is not above `key`. */
  #chunkFor(key: BinaryText): number {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((this.#chunks[middle]?.[0] ?? '') <= key) low = middle
      else high = middle - 1
    }
    return low
  }
}

function lowerBound(chunk: BinaryText[], key: BinaryText): number {
  let low = 0
  let high = chunk.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((chunk[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}
