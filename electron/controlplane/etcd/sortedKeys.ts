import { CHUNK_LIMIT, chunkFor, lowerBound } from '#shared/base/keyChunks.ts'

/** Keys as text in which each character is one byte, so that comparing texts compares bytes. */
export type BinaryText = string

interface Chunk {
  keys: BinaryText[]
  /** How many of them are marked. */
  marked: number
}

/**
 * A sorted set of keys in chunks: insertion moves at most one chunk, walks are array walks. Keys can be marked, and how many of
 * an interval are is counted by chunks.
 */
export class SortedKeys {
  readonly #isMarked: (key: BinaryText) => boolean
  /** Never empty chunks, except when the set is empty. */
  readonly #chunks: Chunk[] = [{ keys: [], marked: 0 }]
  #size = 0

  /** @param isMarked whether a key of the set is marked now: asked when chunks are cut */
  constructor(isMarked: (key: BinaryText) => boolean = () => false) {
    this.#isMarked = isMarked
  }

  get size(): number {
    return this.#size
  }

  /** Takes the contents of a set that is empty: keys in order, each asked whether it is marked. */
  fill(keys: readonly BinaryText[]): void {
    const chunks: Chunk[] = []
    for (let from = 0; from < keys.length; from += CHUNK_LIMIT / 2) {
      const part = keys.slice(from, from + CHUNK_LIMIT / 2)
      chunks.push({ keys: part, marked: part.reduce((sum, key) => sum + (this.#isMarked(key) ? 1 : 0), 0) })
    }
    if (chunks.length > 0) this.#chunks.splice(0, this.#chunks.length, ...chunks)
    this.#size = keys.length
  }

  /** Adds a key that is not in the set; it is not marked. */
  add(key: BinaryText): void {
    const chunkIndex = chunkFor(this.#chunks, key)
    const chunk = this.#chunk(chunkIndex)
    chunk.keys.splice(lowerBound(chunk.keys, key), 0, key)
    this.#size += 1
    if (chunk.keys.length <= CHUNK_LIMIT) return
    const keys = chunk.keys.splice(CHUNK_LIMIT / 2)
    const marked = keys.reduce((sum, each) => sum + (each !== key && this.#isMarked(each) ? 1 : 0), 0)
    chunk.marked -= marked
    this.#chunks.splice(chunkIndex + 1, 0, { keys, marked })
  }

  /** Takes a key out that is not marked (any more). */
  delete(key: BinaryText): boolean {
    const chunkIndex = chunkFor(this.#chunks, key)
    const chunk = this.#chunk(chunkIndex)
    const index = lowerBound(chunk.keys, key)
    if (chunk.keys[index] !== key) return false
    chunk.keys.splice(index, 1)
    this.#size -= 1
    if (chunk.keys.length === 0 && this.#chunks.length > 1) this.#chunks.splice(chunkIndex, 1)
    return true
  }

  /** Tells that a key of the set was marked (1) or unmarked (-1). */
  mark(key: BinaryText, change: 1 | -1): void {
    this.#chunk(chunkFor(this.#chunks, key)).marked += change
  }

  /** Visits keys from `start` on, below `end` (null = to the last), until `visit` returns false. The set must not change meanwhile. */
  walk(start: BinaryText, end: BinaryText | null, visit: (key: BinaryText) => boolean): void {
    let chunkIndex = chunkFor(this.#chunks, start)
    let index = lowerBound(this.#chunk(chunkIndex).keys, start)
    for (; chunkIndex < this.#chunks.length; chunkIndex++, index = 0) {
      const { keys } = this.#chunk(chunkIndex)
      for (; index < keys.length; index++) {
        const key = keys[index] ?? ''
        if (end !== null && key >= end) return
        if (!visit(key)) return
      }
    }
  }

  /** How many keys of the interval are marked. */
  count(start: BinaryText, end: BinaryText | null): number {
    const first = chunkFor(this.#chunks, start)
    const last = end === null ? this.#chunks.length - 1 : chunkFor(this.#chunks, end)
    if (last < first) return 0
    let count = 0
    for (let index = first; index <= last; index++) {
      const { keys, marked } = this.#chunk(index)
      const from = index === first ? lowerBound(keys, start) : 0
      const below = end !== null && index === last ? lowerBound(keys, end) : keys.length
      if (from === 0 && below === keys.length) count += marked
      else for (let at = from; at < below; at++) if (this.#isMarked(keys[at] ?? '')) count += 1
    }
    return count
  }

  #chunk(index: number): Chunk {
    return this.#chunks[index] ?? { keys: [], marked: 0 }
  }
}
