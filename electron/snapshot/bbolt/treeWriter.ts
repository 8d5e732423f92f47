import { BRANCH_ELEMENT_BYTES, BRANCH_PAGE, BUCKET_HEADER_BYTES, LEAF_ELEMENT_BYTES, LEAF_PAGE, PAGE_HEADER_BYTES } from './format.ts'
import type { PageWriter } from './pageWriter.ts'

interface Element {
  flags: number
  key: Uint8Array
  value: Uint8Array
}

interface Child {
  key: Uint8Array
  page: number
}

/**
 * Builds one b+tree from elements that come in key order: leaves are filled and appended one after the other, then the
 * branch levels above them, so memory holds one leaf and the first key of each leaf.
 */
export class TreeWriter {
  readonly #pages: PageWriter
  #leaf: Element[] = []
  #leafBytes = PAGE_HEADER_BYTES
  readonly #children: Child[] = []

  constructor(pages: PageWriter) {
    this.#pages = pages
  }

  /** Keys must ascend; the tree keeps the arrays until their leaf is full. */
  add(key: Uint8Array, value: Uint8Array, flags = 0): void {
    const bytes = LEAF_ELEMENT_BYTES + key.length + value.length
    if (this.#leaf.length > 0 && (this.#leafBytes + bytes > this.#pages.pageSize || this.#leaf.length >= 0xfffe)) this.#endLeaf()
    this.#leaf.push({ flags, key, value })
    this.#leafBytes += bytes
  }

  /** Ends the tree. @returns its root page */
  finish(): number {
    if (this.#children.length === 0 || this.#leaf.length > 0) this.#endLeaf()
    let level = this.#children
    while (level.length > 1) level = this.#branchLevel(level)
    const root = level[0]
    if (root === undefined) throw new Error('a tree has a root')
    return root.page
  }

  /** Ends the tree as a bucket's value: inline while it is a small single leaf, as bbolt does, else a reference to its root. */
  finishBucket(): Buffer {
    const header = Buffer.alloc(BUCKET_HEADER_BYTES)
    if (this.#children.length === 0 && this.#leafBytes <= this.#pages.pageSize / 4) return Buffer.concat([header, leafPage(this.#leaf, this.#leafBytes)])
    header.writeBigUInt64LE(BigInt(this.finish()), 0)
    return header
  }

  #endLeaf(): void {
    const { pageSize } = this.#pages
    const pageCount = Math.ceil(this.#leafBytes / pageSize)
    const pages = leafPage(this.#leaf, pageCount * pageSize)
    pages.writeUInt32LE(pageCount - 1, 12)
    this.#children.push({ key: this.#leaf[0]?.key ?? new Uint8Array(0), page: this.#pages.append(pages) })
    this.#leaf = []
    this.#leafBytes = PAGE_HEADER_BYTES
  }

  #branchLevel(children: Child[]): Child[] {
    const above: Child[] = []
    const { pageSize } = this.#pages
    for (let start = 0; start < children.length;) {
      let end = start
      let bytes = PAGE_HEADER_BYTES
      for (let next = children[end]; next !== undefined && end - start < 0xfffe; next = children[end]) {
        const more = BRANCH_ELEMENT_BYTES + next.key.length
        if (end - start >= 2 && bytes + more > pageSize) break
        bytes += more
        end++
      }
      // bbolt wants two children in every branch: leave the last page a companion.
      if (children.length - end === 1 && end - start > 2) end--
      const group = children.slice(start, end)
      const first = group[0]
      if (first !== undefined) above.push({ key: first.key, page: this.#pages.append(branchPage(group, pageSize)) })
      start = end
    }
    return above
  }
}

function leafPage(elements: Element[], sizeBytes: number): Buffer {
  const page = Buffer.alloc(sizeBytes)
  page.writeUInt16LE(LEAF_PAGE, 8)
  page.writeUInt16LE(elements.length, 10)
  let header = PAGE_HEADER_BYTES
  let data = PAGE_HEADER_BYTES + elements.length * LEAF_ELEMENT_BYTES
  for (const { flags, key, value } of elements) {
    page.writeUInt32LE(flags, header)
    page.writeUInt32LE(data - header, header + 4)
    page.writeUInt32LE(key.length, header + 8)
    page.writeUInt32LE(value.length, header + 12)
    page.set(key, data)
    page.set(value, data + key.length)
    data += key.length + value.length
    header += LEAF_ELEMENT_BYTES
  }
  return page
}

function branchPage(children: Child[], pageSize: number): Buffer {
  const bytes = children.reduce((sum, child) => sum + BRANCH_ELEMENT_BYTES + child.key.length, PAGE_HEADER_BYTES)
  const pageCount = Math.ceil(bytes / pageSize)
  const page = Buffer.alloc(pageCount * pageSize)
  page.writeUInt16LE(BRANCH_PAGE, 8)
  page.writeUInt16LE(children.length, 10)
  page.writeUInt32LE(pageCount - 1, 12)
  let header = PAGE_HEADER_BYTES
  let data = PAGE_HEADER_BYTES + children.length * BRANCH_ELEMENT_BYTES
  for (const child of children) {
    page.writeUInt32LE(data - header, header)
    page.writeUInt32LE(child.key.length, header + 4)
    page.writeBigUInt64LE(BigInt(child.page), header + 8)
    page.set(child.key, data)
    data += child.key.length
    header += BRANCH_ELEMENT_BYTES
  }
  return page
}
