import { CHUNK_LIMIT, chunkFor, lowerBound } from '#shared/base/keyChunks.ts'

/** Part of the list. Nobody goes through one whose epoch is the list's own. */
interface Chunk {
  readonly keys: string[]
  readonly epoch: number
}

/**
 * Keys in order, in chunks. Who goes through them sees those of the moment he began: a change copies the one chunk that it is in, and
 * that only after somebody began. Lists and changes take turns all the time; copying tens of thousands of keys for each turn would take
 * longer than the change.
 */
export class KeyList {
  /** No chunk is empty. */
  #chunks: Chunk[] = []
  /** Of the array of chunks, as of a chunk. */
  #chunksEpoch = 0
  #epoch = 0

  /** Takes keys in order instead of those it has. */
  fill(sorted: readonly string[]): void {
    this.#chunks = []
    this.#chunksEpoch = this.#epoch
    for (let from = 0; from < sorted.length; from += CHUNK_LIMIT / 2)
      this.#chunks.push({ keys: sorted.slice(from, from + CHUNK_LIMIT / 2), epoch: this.#epoch })
  }

  /** @param key that is not in the list */
  add(key: string): void {
    const chunks = this.#ownChunks()
    if (chunks.length === 0) chunks.push({ keys: [], epoch: this.#epoch })
    const index = chunkFor(this.#chunks, key)
    const { keys } = this.#ownChunk(index)
    keys.splice(lowerBound(keys, key), 0, key)
    if (keys.length > CHUNK_LIMIT) chunks.splice(index + 1, 0, { keys: keys.splice(CHUNK_LIMIT / 2), epoch: this.#epoch })
  }

  /** @param key that is in the list */
  remove(key: string): void {
    const chunks = this.#ownChunks()
    const index = chunkFor(this.#chunks, key)
    const { keys } = this.#ownChunk(index)
    keys.splice(lowerBound(keys, key), 1)
    if (keys.length === 0) chunks.splice(index, 1)
  }

  /** Keys that are not before `start`. */
  *from(start: string): Generator<string> {
    this.#epoch++
    const chunks = this.#chunks
    const first = chunkFor(this.#chunks, start)
    for (let index = first; index < chunks.length; index++) {
      const keys = chunks[index]?.keys ?? []
      for (let at = index === first ? lowerBound(keys, start) : 0; at < keys.length; at++) yield keys[at] ?? ''
    }
  }

  #ownChunks(): Chunk[] {
    if (this.#chunksEpoch !== this.#epoch) {
      this.#chunks = [...this.#chunks]
      this.#chunksEpoch = this.#epoch
    }
    return this.#chunks
  }

  #ownChunk(index: number): Chunk {
    const chunk = this.#chunks[index] ?? { keys: [], epoch: -1 }
    if (chunk.epoch === this.#epoch) return chunk
    return (this.#chunks[index] = { keys: [...chunk.keys], epoch: this.#epoch })
  }
}
