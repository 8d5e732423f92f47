import { BRANCH_ELEMENT_BYTES, PAGE_HEADER_BYTES } from './format.ts'
import type { PageFile } from './pageFile.ts'

/** A branch page; a child's place is checked when it is looked at, so that finding one does not read them all. */
export class Branch {
  readonly count: number
  readonly #file: PageFile
  readonly #page: number
  readonly #bytes: Buffer

  /** @param bytes the page's run, which stays as it is while the branch is used @throws SnapshotError damaged */
  constructor(file: PageFile, page: number, bytes: Buffer) {
    this.#file = file
    this.#page = page
    this.#bytes = bytes
    this.count = bytes.readUInt16LE(10)
    if (this.count === 0) throw file.damage(page, 'is a branch without children')
    if (PAGE_HEADER_BYTES + this.count * BRANCH_ELEMENT_BYTES > bytes.length)
      throw file.damage(page, `says it has ${String(this.count)} children, more than fit in it`)
  }

  child(index: number): number {
    const at = PAGE_HEADER_BYTES + index * BRANCH_ELEMENT_BYTES + 8
    return this.#bytes.readUInt32LE(at + 4) * 2 ** 32 + this.#bytes.readUInt32LE(at)
  }

  /** The last child whose first key is not above `key`, or the first. */
  childFor(key: Uint8Array): number {
    let low = 0
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.compareKey(middle, key) <= 0) low = middle
      else high = middle - 1
    }
    return low
  }

  /** A child's separator against a key: below, the same or above. @throws SnapshotError damaged */
  compareKey(index: number, key: Uint8Array, start = 0, end = key.length): number {
    return compareSpans(this.#bytes, this.#start(index), this.#end(index), key, start, end)
  }

  /** That the separators ascend. @throws SnapshotError damaged */
  checkOrder(): void {
    this.#end(0)
    for (let index = 1; index < this.count; index++)
      if (compareSpans(this.#bytes, this.#start(index - 1), this.#end(index - 1), this.#bytes, this.#start(index), this.#end(index)) >= 0)
        throw this.#file.damage(this.#page, `has children out of order at ${String(index)}`)
  }

  #start(index: number): number {
    const at = PAGE_HEADER_BYTES + index * BRANCH_ELEMENT_BYTES
    return at + this.#bytes.readUInt32LE(at)
  }

  #end(index: number): number {
    const end = this.#start(index) + this.#bytes.readUInt32LE(PAGE_HEADER_BYTES + index * BRANCH_ELEMENT_BYTES + 4)
    if (end > this.#bytes.length) throw this.#file.damage(this.#page, `has child ${String(index)} reaching beyond the page`)
    return end
  }
}

/** As Buffer.compare of two subarrays, which for keys as short as a revision's takes longer to make than to compare. */
export function compareSpans(a: Uint8Array, aStart: number, aEnd: number, b: Uint8Array, bStart: number, bEnd: number): number {
  const [aLength, bLength] = [aEnd - aStart, bEnd - bStart]
  const shorter = Math.min(aLength, bLength)
  for (let at = 0; at < shorter; at++) {
    const difference = (a[aStart + at] ?? 0) - (b[bStart + at] ?? 0)
    if (difference !== 0) return difference
  }
  return aLength - bLength
}
