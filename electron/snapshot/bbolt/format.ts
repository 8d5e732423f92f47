/**
 * bbolt's file format, version 2. Everything is little endian. A file is an array of pages; pages 0 and 1 are the metas, of
 * which the valid one with the larger transaction number holds.
 * @see https://github.com/etcd-io/bbolt/blob/main/internal/common/page.go
 */
export const PAGE_HEADER_BYTES = 16
export const LEAF_ELEMENT_BYTES = 16
export const BRANCH_ELEMENT_BYTES = 16
/** Root page id and sequence, in front of an inline page. */
export const BUCKET_HEADER_BYTES = 16
export const META_BYTES = 64

export const BRANCH_PAGE = 0x01
export const LEAF_PAGE = 0x02
export const META_PAGE = 0x04
export const FREELIST_PAGE = 0x10

/** A leaf element that is a bucket. */
export const BUCKET_LEAF = 0x01

export const MAGIC = 0xed0cdaed
export const VERSION = 2

/** The freelist's page id where none is stored, as etcd does on Linux. */
export const NO_FREELIST = 0xffffffffffffffffn

/** SHA-256 at the end of what `snapshot save` writes. */
export const TRAILER_BYTES = 32

export interface Meta {
  pageSize: number
  rootPage: number
  /** Null when none is stored. */
  freelistPage: number | null
  /** One above the highest page in use. */
  highWaterPage: number
  transaction: bigint
}

/** Writes a whole meta page's contents at `offset`, checksum included. */
export function writeMeta(page: Buffer, meta: Meta & { page: number }): void {
  page.fill(0)
  page.writeBigUInt64LE(BigInt(meta.page), 0)
  page.writeUInt16LE(META_PAGE, 8)
  const at = PAGE_HEADER_BYTES
  page.writeUInt32LE(MAGIC, at)
  page.writeUInt32LE(VERSION, at + 4)
  page.writeUInt32LE(meta.pageSize, at + 8)
  page.writeBigUInt64LE(BigInt(meta.rootPage), at + 16)
  page.writeBigUInt64LE(meta.freelistPage === null ? NO_FREELIST : BigInt(meta.freelistPage), at + 32)
  page.writeBigUInt64LE(BigInt(meta.highWaterPage), at + 40)
  page.writeBigUInt64LE(meta.transaction, at + 48)
  page.writeBigUInt64LE(metaChecksum(page.subarray(at, at + 56)), at + 56)
}

/** Null when the bytes (from the page's start) are no valid meta: wrong magic, version or checksum. */
export function readMeta(page: Buffer): Meta | null {
  const at = PAGE_HEADER_BYTES
  if (page.length < at + META_BYTES) return null
  if (page.readUInt32LE(at) !== MAGIC || page.readUInt32LE(at + 4) !== VERSION) return null
  if (page.readBigUInt64LE(at + 56) !== metaChecksum(page.subarray(at, at + 56))) return null
  const freelist = page.readBigUInt64LE(at + 32)
  return {
    pageSize: page.readUInt32LE(at + 8),
    rootPage: Number(page.readBigUInt64LE(at + 16)),
    freelistPage: freelist === NO_FREELIST ? null : Number(freelist),
    highWaterPage: Number(page.readBigUInt64LE(at + 40)),
    transaction: page.readBigUInt64LE(at + 48),
  }
}

/** FNV-1a, 64 bits. */
function metaChecksum(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash
}
