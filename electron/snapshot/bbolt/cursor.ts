import { Branch } from './branch.ts'
import { BRANCH_PAGE, LEAF_PAGE } from './format.ts'
import type { PageFile } from './pageFile.ts'
import { LeafPage, MAX_DEPTH, type BucketRoot } from './tree.ts'

/** An element of a leaf. */
export interface Element {
  leaf: LeafPage
  index: number
}

/**
 * The leaves of a tree from the one on in which `from` lies or would lie, reading only the pages on the way. What is read is checked for
 * being readable, not for being in order: `leavesOf` does that.
 * @throws SnapshotError damaged
 */
export function* leavesFrom(file: PageFile, root: BucketRoot, from: Uint8Array): Generator<LeafPage> {
  if (root.inline !== null) {
    yield new LeafPage(file, 0, root.inline)
    return
  }
  /** The branches above, each with the child to take next. */
  const above: { branch: Branch; next: number }[] = []
  let page: number | null = root.page
  let seeking = true
  while (page !== null) {
    const bytes: Buffer = file.run(page)
    if (bytes.readUInt16LE(8) === BRANCH_PAGE) {
      if (above.length >= MAX_DEPTH) throw file.damage(page, 'lies deeper than any tree goes')
      // A copy, as it is looked at again after many other pages.
      const branch: Branch = new Branch(file, page, Buffer.from(bytes))
      const child: number = seeking ? branch.childFor(from) : 0
      above.push({ branch, next: child + 1 })
      page = branch.child(child)
      continue
    }
    if (bytes.readUInt16LE(8) !== LEAF_PAGE) throw file.damage(page, `should be part of a tree but has type ${String(bytes.readUInt16LE(8))}`)
    yield new LeafPage(file, page, bytes)
    seeking = false
    page = nextOf(above)
  }
}

/** The elements of a tree from the first whose key is not below `from` on. @throws SnapshotError damaged */
export function* elementsFrom(file: PageFile, root: BucketRoot, from: Uint8Array): Generator<Element> {
  let seeking = true
  for (const leaf of leavesFrom(file, root, from)) {
    for (let index = seeking ? lowerBound(leaf, from) : 0; index < leaf.count; index++) yield { leaf, index }
    seeking = false
  }
}

function nextOf(above: { branch: Branch; next: number }[]): number | null {
  for (let last = above.at(-1); last !== undefined; last = above.at(-1)) {
    if (last.next < last.branch.count) return last.branch.child(last.next++)
    above.pop()
  }
  return null
}

/** The element with the largest key; null in an empty tree. */
export function lastElement(file: PageFile, root: BucketRoot): Element | null {
  const last = (leaf: LeafPage): Element | null => (leaf.count === 0 ? null : { leaf, index: leaf.count - 1 })
  if (root.inline !== null) return last(new LeafPage(file, 0, root.inline))
  let page = root.page
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    const bytes = file.run(page)
    if (bytes.readUInt16LE(8) !== BRANCH_PAGE) return last(new LeafPage(file, page, bytes))
    const branch = new Branch(file, page, bytes)
    page = branch.child(branch.count - 1)
  }
  throw file.damage(page, 'lies deeper than any tree goes')
}

function lowerBound(leaf: LeafPage, key: Uint8Array): number {
  let low = 0
  let high = leaf.count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Buffer.compare(leaf.key(middle), key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
