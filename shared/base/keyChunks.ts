/** Keys in order that are kept in chunks, so that a change moves at most one of them. No chunk but a first and only one is empty. */
interface KeyChunk {
  readonly keys: readonly string[]
}

/** Keys of a chunk from which on it is cut in two. */
export const CHUNK_LIMIT = 512

/** @returns the index of the first key that is not before `key` */
export function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}

/** @returns the index of the last chunk whose first key is not after `key`, or of the first one */
export function chunkFor(chunks: readonly KeyChunk[], key: string): number {
  let low = 0
  let high = chunks.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if ((chunks[middle]?.keys[0] ?? '') <= key) low = middle
    else high = middle - 1
  }
  return low
}
