import { BRANCH_ELEMENT_BYTES, BRANCH_PAGE, BUCKET_HEADER_BYTES, BUCKET_LEAF, LEAF_ELEMENT_BYTES, LEAF_PAGE, PAGE_HEADER_BYTES } from './format.ts'
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
  const order: { last: Buffer | null } = { last: null }
  const check = (leaf: LeafPage): LeafPage => {
    for (let index = 0; index < leaf.count; index++) {
      const key = leaf.key(index)
      if (order.last !== null && Buffer.compare(order.last, key) >= 0) throw file.damage(leaf.page, `has keys out of order at element ${String(index)}`)
      order.last = key
    }
    // The page's memory may be used again.
    if (order.last !== null) order.last = Buffer.from(order.last)
    return leaf
  }
  if (root.inline !== null) {
    if (root.inline.readUInt16LE(8) !== LEAF_PAGE) throw file.damage(0, '(inline) is no leaf')
    yield check(new LeafPage(file, 0, root.inline))
    return
  }
  type Place = { page: number; depth: number; atLeast: Buffer | null; below: Buffer | null }
  const stack: Place[] = [{ page: root.page, depth: 0, atLeast: null, below: null }]
  for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
    const bytes = file.run(place.page)
    onPage(place.page, bytes.length / file.meta.pageSize)
    const flags = bytes.readUInt16LE(8)
    if (flags === LEAF_PAGE) {
      const leaf = check(new LeafPage(file, place.page, bytes))
      if (leaf.count > 0) {
        if (place.atLeast !== null && Buffer.compare(leaf.key(0), place.atLeast) < 0)
          throw file.damage(place.page, 'begins with a key below what its parent says')
        if (place.below !== null && Buffer.compare(leaf.key(leaf.count - 1), place.below) >= 0)
          throw file.damage(place.page, 'ends with a key that belongs to the next page')
      }
      yield leaf
    } else if (flags === BRANCH_PAGE) {
      if (place.depth >= MAX_DEPTH) throw file.damage(place.page, 'lies deeper than any tree goes')
      const children = branchChildren(file, place.page, Buffer.from(bytes))
      for (let index = children.length - 1; index >= 0; index--) {
        const child = children[index]
        if (child !== undefined) stack.push({ page: child.page, depth: place.depth + 1, atLeast: child.key, below: children[index + 1]?.key ?? place.below })
      }
    } else throw file.damage(place.page, `should be part of a tree but has type ${String(flags)}`)
  }
}

function branchChildren(file: PageFile, page: number, bytes: Buffer): { key: Buffer; page: number }[] {
  const count = bytes.readUInt16LE(10)
  if (count === 0) throw file.damage(page, 'is a branch without children')
  if (PAGE_HEADER_BYTES + count * BRANCH_ELEMENT_BYTES > bytes.length) throw file.damage(page, `says it has ${String(count)} children, more than fit in it`)
  const children: { key: Buffer; page: number }[] = []
  for (let index = 0; index < count; index++) {
    const at = PAGE_HEADER_BYTES + index * BRANCH_ELEMENT_BYTES
    const start = at + bytes.readUInt32LE(at)
    const end = start + bytes.readUInt32LE(at + 4)
    if (end > bytes.length) throw file.damage(page, `has child ${String(index)} reaching beyond the page`)
    const key = bytes.subarray(start, end)
    const before = children[index - 1]
    if (before !== undefined && Buffer.compare(before.key, key) >= 0) throw file.damage(page, `has children out of order at ${String(index)}`)
    children.push({ key, page: Number(bytes.readBigUInt64LE(at + 8)) })
  }
  return children
}
