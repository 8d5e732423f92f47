import { Branch, compareSpans } from './branch.ts'
import { BRANCH_PAGE, BUCKET_HEADER_BYTES, BUCKET_LEAF, LEAF_ELEMENT_BYTES, LEAF_PAGE, PAGE_HEADER_BYTES } from './format.ts'
import type { PageFile } from './pageFile.ts'

/** bbolt's own trees have four levels at a billion keys. */
export const MAX_DEPTH = 32

/** Where a bucket's elements are: a tree of its own, or a page inside its parent's value. */
export type BucketRoot = { page: number; inline: null } | { page: 0; inline: Buffer }

/** One leaf, every length checked when it was made. Keys and values are views. */
export class LeafPage {
  readonly page: number
  readonly count: number
  /** Keys and values lie back to back in order, and no element is a bucket: they may be hashed as one range of `bytes`. */
  readonly contiguous: boolean
  readonly dataStart: number
  readonly dataEnd: number
  readonly bytes: Buffer
  /** Per element: key start, value start, value end, flags. */
  readonly #spans: Uint32Array

  constructor(file: PageFile, page: number, bytes: Buffer) {
    this.page = page
    this.bytes = bytes
    this.count = bytes.readUInt16LE(10)
    const dataFrom = PAGE_HEADER_BYTES + this.count * LEAF_ELEMENT_BYTES
    if (dataFrom > bytes.length) throw file.damage(page, `says it has ${String(this.count)} elements, more than fit in it`)
    this.#spans = new Uint32Array(this.count * 4)
    let contiguous = true
    let end = dataFrom
    for (let index = 0; index < this.count; index++) {
      const at = PAGE_HEADER_BYTES + index * LEAF_ELEMENT_BYTES
      const flags = bytes.readUInt32LE(at)
      const start = at + bytes.readUInt32LE(at + 4)
      const value = start + bytes.readUInt32LE(at + 8)
      const stop = value + bytes.readUInt32LE(at + 12)
      if (start < dataFrom || stop > bytes.length) throw file.damage(page, `has element ${String(index)} reaching beyond the page`)
      if (flags !== 0 && flags !== BUCKET_LEAF) throw file.damage(page, `has element ${String(index)} with unknown flags ${String(flags)}`)
      if (flags !== 0 || (index > 0 && start !== end)) contiguous = false
      end = stop
      const place = index * 4
      this.#spans[place] = start
      this.#spans[place + 1] = value
      this.#spans[place + 2] = stop
      this.#spans[place + 3] = flags
    }
    this.contiguous = contiguous
    this.dataStart = this.#spans[0] ?? dataFrom
    this.dataEnd = end
  }

  key(index: number): Buffer {
    return this.bytes.subarray(this.#spans[index * 4], this.#spans[index * 4 + 1])
  }

  value(index: number): Buffer {
    return this.bytes.subarray(this.#spans[index * 4 + 1], this.#spans[index * 4 + 2])
  }

  /** Where the value begins in `bytes`; the key is what lies before it, from `keyStart` on. */
  valueStart(index: number): number {
    return this.#spans[index * 4 + 1] ?? 0
  }

  valueEnd(index: number): number {
    return this.#spans[index * 4 + 2] ?? 0
  }

  keyStart(index: number): number {
    return this.#spans[index * 4] ?? 0
  }

  isBucket(index: number): boolean {
    return this.#spans[index * 4 + 3] === BUCKET_LEAF
  }
}

/** Reads a bucket's header, and its elements' place. @throws SnapshotError damaged */
export function bucketRoot(file: PageFile, leaf: LeafPage, index: number): BucketRoot {
  const value = leaf.value(index)
  if (value.length < BUCKET_HEADER_BYTES) throw file.damage(leaf.page, `has a bucket of only ${String(value.length)} bytes`)
  const page = Number(value.readBigUInt64LE(0))
  if (page !== 0) return { page, inline: null }
  const inline = Buffer.from(value.subarray(BUCKET_HEADER_BYTES))
  if (inline.length < PAGE_HEADER_BYTES) throw file.damage(leaf.page, 'has a bucket whose inline page is cut off')
  return { page: 0, inline }
}

/** Called for each page that a walk enters, before it is read; `pages` is the length of its run. */
export type OnPage = (page: number, pages: number) => void

/**
 * The leaves of a tree from left to right. Order is checked as bbolt's own check does: keys ascend within a page and across
 * pages, and a child's first key is not below its parent's separator, nor at or above the next one.
 * @throws SnapshotError damaged
 */
export function* leavesOf(file: PageFile, root: BucketRoot, onPage: OnPage = () => undefined): Generator<LeafPage> {
  const order = new KeyOrder(file)
  if (root.inline !== null) {
    if (root.inline.readUInt16LE(8) !== LEAF_PAGE) throw file.damage(0, '(inline) is no leaf')
    const leaf = new LeafPage(file, 0, root.inline)
    order.check(leaf)
    yield leaf
    return
  }
  /** The branches above, each with the child that is walked. */
  const above: { branch: Branch; child: number }[] = []
  for (let page: number | null = root.page; page !== null; page = nextOf(above)) {
    const bytes: Buffer = file.run(page)
    onPage(page, bytes.length / file.meta.pageSize)
    const flags = bytes.readUInt16LE(8)
    if (flags === LEAF_PAGE) {
      const leaf = new LeafPage(file, page, bytes)
      order.check(leaf)
      if (leaf.count > 0) checkBounds(file, leaf, above)
      yield leaf
    } else if (flags === BRANCH_PAGE) {
      if (above.length >= MAX_DEPTH) throw file.damage(page, 'lies deeper than any tree goes')
      // A copy, as it is looked at again after many other pages.
      const branch: Branch = new Branch(file, page, Buffer.from(bytes))
      branch.checkOrder()
      above.push({ branch, child: -1 })
    } else throw file.damage(page, `should be part of a tree but has type ${String(flags)}`)
  }
}

function nextOf(above: { branch: Branch; child: number }[]): number | null {
  for (let last = above.at(-1); last !== undefined; last = above.at(-1)) {
    if (last.child + 1 < last.branch.count) return last.branch.child(++last.child)
    above.pop()
  }
  return null
}

/** A leaf's keys lie from its separator on, and below the next one of the nearest branch that has a next one. */
function checkBounds(file: PageFile, leaf: LeafPage, above: readonly { branch: Branch; child: number }[]): void {
  const parent = above.at(-1)
  if (parent === undefined) return
  if (parent.branch.compareKey(parent.child, leaf.bytes, leaf.keyStart(0), leaf.valueStart(0)) > 0)
    throw file.damage(leaf.page, 'begins with a key below what its parent says')
  const last = leaf.count - 1
  for (let depth = above.length - 1; depth >= 0; depth--) {
    const place = above[depth]
    if (place === undefined || place.child + 1 >= place.branch.count) continue
    if (place.branch.compareKey(place.child + 1, leaf.bytes, leaf.keyStart(last), leaf.valueStart(last)) <= 0)
      throw file.damage(leaf.page, 'ends with a key that belongs to the next page')
    return
  }
}

/** That keys ascend within leaves and from one to the next. */
class KeyOrder {
  readonly #file: PageFile
  /** A copy of the last key, as a page's memory may be used again. */
  #last = new Uint8Array(64)
  #length = -1

  constructor(file: PageFile) {
    this.#file = file
  }

  /** @throws SnapshotError damaged */
  check(leaf: LeafPage): void {
    const { bytes, count } = leaf
    if (count === 0) return
    let last: Uint8Array = this.#last
    let [start, end] = [0, this.#length]
    for (let index = 0; index < count; index++) {
      const [from, to] = [leaf.keyStart(index), leaf.valueStart(index)]
      if (end >= start && compareSpans(last, start, end, bytes, from, to) >= 0)
        throw this.#file.damage(leaf.page, `has keys out of order at element ${String(index)}`)
      ;[last, start, end] = [bytes, from, to]
    }
    this.#length = end - start
    if (this.#length > this.#last.length) this.#last = new Uint8Array(this.#length * 2)
    for (let at = 0; at < this.#length; at++) this.#last[at] = bytes[start + at] ?? 0
  }
}
