import { FREELIST_PAGE, PAGE_HEADER_BYTES } from './bbolt/format.ts'
import type { PageFile } from './bbolt/pageFile.ts'
import type { OnPage } from './bbolt/tree.ts'

/** Which pages a walk has entered, so that none is used twice; a loop of pages ends here too. One bit a page. */
export class PageUse {
  readonly #file: PageFile
  readonly #used: Uint8Array
  #count = 0

  constructor(file: PageFile) {
    this.#file = file
    this.#used = new Uint8Array(Math.ceil(file.meta.highWaterPage / 8))
  }

  /** @throws SnapshotError damaged when a page is entered a second time */
  readonly enter: OnPage = (page, pages) => {
    for (let at = page; at < page + pages; at++) {
      if (this.has(at)) throw this.#file.damage(at, 'is used twice')
      this.#used[at >> 3] = (this.#used[at >> 3] ?? 0) | (1 << (at & 7))
    }
    this.#count += pages
  }

  has(page: number): boolean {
    return ((this.#used[page >> 3] ?? 0) & (1 << (page & 7))) !== 0
  }

  /** Pages entered, as bytes. */
  get bytes(): number {
    return this.#count * this.#file.meta.pageSize
  }

  /**
   * After the walk: a stored freelist must name exactly the pages that no tree uses.
   * @throws SnapshotError damaged
   */
  checkFreelist(): void {
    const { freelistPage, highWaterPage } = this.#file.meta
    if (freelistPage === null) return
    const run = this.#file.run(freelistPage)
    if (run.readUInt16LE(8) !== FREELIST_PAGE) throw this.#file.damage(freelistPage, 'should be the freelist')
    this.enter(freelistPage, run.length / this.#file.meta.pageSize)
    const short = run.readUInt16LE(10)
    const start = PAGE_HEADER_BYTES + (short === 0xffff ? 8 : 0)
    const count = short === 0xffff ? Number(run.readBigUInt64LE(PAGE_HEADER_BYTES)) : short
    if (start + count * 8 > run.length) throw this.#file.damage(freelistPage, `says it lists ${String(count)} pages, more than fit in it`)
    for (let index = 0; index < count; index++) {
      const page = Number(run.readBigUInt64LE(start + index * 8))
      if (!(page >= 2 && page < highWaterPage)) throw this.#file.damage(freelistPage, `lists page ${String(page)}, which is outside the file`)
      if (this.has(page)) throw this.#file.damage(page, 'is both in use and free')
      this.enter(page, 1)
    }
    if (this.#count !== highWaterPage - 2)
      throw this.#file.damage(freelistPage, `leaves ${String(highWaterPage - 2 - this.#count)} pages neither used nor free`)
  }
}
