import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { SnapshotError } from '../snapshotError.ts'
import { META_BYTES, PAGE_HEADER_BYTES, TRAILER_BYTES, readMeta, type Meta } from './format.ts'

/** Larger chunks read more than needed, as a used database's pages lie scattered; smaller ones cost system calls. */
const CHUNK_BYTES = 64 * 1024
const MAX_CHUNKS = 256
/** Few enough to stay in the processor's cache. */
const RECYCLED_CHUNKS = 32
/** One element may be as large as etcd's request limit allows; nobody raises it beyond some tens of megabytes. */
const MAX_RUN_BYTES = 128 * 1024 * 1024

/**
 * A bbolt file opened for reading, page by page, through a cache of bounded size (16 MiB). Nothing in the file is trusted:
 * each page id and length is checked against the file's size before it is read.
 */
export class PageFile {
  readonly path: string
  readonly sizeBytes: number
  readonly meta: Meta
  /** 1 when a meta page is unreadable and its twin serves. */
  readonly damagedMetas: number
  readonly #file: number
  readonly #chunks = new Map<number, Buffer>()
  readonly #recycles: boolean
  /** The chunk asked for last, which most pages lie in. */
  #last: Buffer = Buffer.alloc(0)
  #lastIndex = -1

  /**
   * @param options.recycle for whoever walks the whole file once: memory of chunks read long ago is used again, and a view is good only
   *   until the next page is asked for. Fresh memory for a gigabyte costs more than reading it. @default false
   * @throws SnapshotError not-a-snapshot or truncated; or the system's error (ENOENT …)
   */
  constructor(path: string, { recycle = false }: { recycle?: boolean } = {}) {
    this.path = path
    this.#recycles = recycle
    this.#file = openSync(path, 'r')
    try {
      const facts = fstatSync(this.#file)
      if (!facts.isFile()) throw new SnapshotError('not-a-snapshot', `${path} is no file`)
      this.sizeBytes = facts.size
      const metas = this.#findMetas()
      const meta = metas.valid.sort((a, b) => (a.transaction > b.transaction ? -1 : 1))[0]
      if (meta === undefined) throw new SnapshotError('not-a-snapshot', `${path} is no etcd snapshot: neither of its two meta pages is valid`)
      this.meta = meta
      this.damagedMetas = 2 - metas.valid.length
      if (meta.highWaterPage * meta.pageSize > this.sizeBytes)
        throw new SnapshotError(
          'truncated',
          `${path} is cut off: it has ${String(this.sizeBytes)} bytes of at least ${String(meta.highWaterPage * meta.pageSize)}`,
        )
    } catch (error) {
      closeSync(this.#file)
      throw error
    }
  }

  /** Bytes of the database itself, as etcd's TOTAL SIZE counts them. */
  get databaseBytes(): number {
    return this.meta.highWaterPage * this.meta.pageSize
  }

  /** Whether the file's length says that a SHA-256 follows the database. */
  get hasTrailer(): boolean {
    return this.sizeBytes % 512 === TRAILER_BYTES
  }

  /**
   * All pages of the run that starts at `page`, header checked; a view that stays valid.
   * @throws SnapshotError damaged
   */
  run(page: number): Buffer {
    const { pageSize, highWaterPage } = this.meta
    if (!(page >= 2 && page < highWaterPage)) throw this.damage(page, `is referred to, but the file has pages 2 to ${String(highWaterPage - 1)}`)
    const first = this.#read(page * pageSize, pageSize)
    const id = first.readUInt32LE(4) * 2 ** 32 + first.readUInt32LE(0)
    if (id !== page) throw this.damage(page, `says it is page ${String(id)}`)
    const overflow = first.readUInt32LE(12)
    if (overflow === 0) return first
    const bytes = (overflow + 1) * pageSize
    if (page + overflow >= highWaterPage) throw this.damage(page, `says it spans ${String(overflow + 1)} pages, beyond the end of the file`)
    if (bytes > MAX_RUN_BYTES) throw this.damage(page, `says it spans ${String(bytes)} bytes, more than any record can have`)
    return this.#read(page * pageSize, bytes)
  }

  /** Reads `target.length` bytes from `position`, past the cache. @returns how many there were */
  readInto(target: Buffer, position: number): number {
    let done = 0
    while (done < target.length) {
      const count = readSync(this.#file, target, done, target.length - done, position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  damage(page: number, what: string): SnapshotError {
    return new SnapshotError('damaged', `page ${String(page)} ${what}`)
  }

  close(): void {
    this.#chunks.clear()
    this.#lastIndex = -1
    closeSync(this.#file)
  }

  #read(position: number, length: number): Buffer {
    const index = Math.floor(position / CHUNK_BYTES)
    const offset = position - index * CHUNK_BYTES
    if (offset + length <= CHUNK_BYTES) {
      const chunk = this.#chunk(index)
      if (offset + length > chunk.length)
        throw new SnapshotError('truncated', `the file ended at byte ${String(index * CHUNK_BYTES + chunk.length)} while it was read`)
      return chunk.subarray(offset, offset + length)
    }
    const bytes = Buffer.allocUnsafeSlow(length)
    if (this.readInto(bytes, position) < length)
      throw new SnapshotError('truncated', `the file ended before byte ${String(position + length)} while it was read`)
    return bytes
  }

  #chunk(index: number): Buffer {
    if (index === this.#lastIndex) return this.#last
    this.#last = this.#cached(index)
    this.#lastIndex = index
    return this.#last
  }

  #cached(index: number): Buffer {
    const known = this.#chunks.get(index)
    if (known !== undefined) {
      // Re-inserting makes the map's order the order of use.
      this.#chunks.delete(index)
      this.#chunks.set(index, known)
      return known
    }
    let chunk: Buffer | null = null
    if (this.#chunks.size >= (this.#recycles ? RECYCLED_CHUNKS : MAX_CHUNKS))
      for (const [oldest, bytes] of this.#chunks) {
        this.#chunks.delete(oldest)
        if (this.#recycles && bytes.length === CHUNK_BYTES) chunk = bytes
        break
      }
    chunk ??= Buffer.allocUnsafeSlow(CHUNK_BYTES)
    const filled = chunk.subarray(0, this.readInto(chunk, index * CHUNK_BYTES))
    this.#chunks.set(index, filled)
    return filled
  }

  /** Meta 1 lies one page on, and the page size is known only from a valid meta: so every size bbolt may use is tried. */
  #findMetas(): { valid: Meta[] } {
    const valid: Meta[] = []
    const at = (position: number): Meta | null => {
      const page = Buffer.alloc(PAGE_HEADER_BYTES + META_BYTES)
      const meta = this.readInto(page, position) === page.length ? readMeta(page) : null
      return meta !== null && plausible(meta) ? meta : null
    }
    const first = at(0)
    if (first !== null) valid.push(first)
    for (let pageSize = 1024; pageSize <= 64 * 1024; pageSize *= 2) {
      if (first !== null && pageSize !== first.pageSize) continue
      const second = at(pageSize)
      if (second?.pageSize === pageSize) {
        valid.push(second)
        break
      }
    }
    return { valid }
  }
}

function plausible(meta: Meta): boolean {
  const { pageSize, highWaterPage } = meta
  return pageSize >= 512 && pageSize <= 64 * 1024 && (pageSize & (pageSize - 1)) === 0 && Number.isSafeInteger(highWaterPage * pageSize) && highWaterPage >= 3
}
