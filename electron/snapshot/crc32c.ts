/* eslint-disable @typescript-eslint/no-non-null-assertion -- table indexes are bytes, and the tables have 256 entries */
/** Reflected Castagnoli polynomial. zlib's crc32 is the IEEE one and of no use here. */
const POLYNOMIAL = 0x82f63b78
const SLICES = 16

/**
 * CRC-32C, sixteen bytes a step ("slicing by 16"): table k gives the effect of a byte that has k more bytes behind it, so
 * sixteen look-ups are independent of one another.
 */
export class Crc32c {
  static #shared: Uint32Array | null = null
  readonly #table = (Crc32c.#shared ??= makeTable())
  #crc = 0xffffffff

  update(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const table = this.#table
    let crc = this.#crc
    let at = start
    for (const stop = end - SLICES; at <= stop; at += SLICES)
      crc =
        table[0xf00 + ((crc ^ at8(bytes, at)) & 255)]! ^
        table[0xe00 + (((crc >>> 8) ^ at8(bytes, at + 1)) & 255)]! ^
        table[0xd00 + (((crc >>> 16) ^ at8(bytes, at + 2)) & 255)]! ^
        table[0xc00 + ((crc >>> 24) ^ at8(bytes, at + 3))]! ^
        table[0xb00 + at8(bytes, at + 4)]! ^
        table[0xa00 + at8(bytes, at + 5)]! ^
        table[0x900 + at8(bytes, at + 6)]! ^
        table[0x800 + at8(bytes, at + 7)]! ^
        table[0x700 + at8(bytes, at + 8)]! ^
        table[0x600 + at8(bytes, at + 9)]! ^
        table[0x500 + at8(bytes, at + 10)]! ^
        table[0x400 + at8(bytes, at + 11)]! ^
        table[0x300 + at8(bytes, at + 12)]! ^
        table[0x200 + at8(bytes, at + 13)]! ^
        table[0x100 + at8(bytes, at + 14)]! ^
        table[at8(bytes, at + 15)]!
    for (; at < end; at++) crc = (crc >>> 8) ^ table[(crc ^ at8(bytes, at)) & 255]!
    this.#crc = crc
  }

  /** Of everything so far, unsigned; 0 for nothing. */
  get value(): number {
    return (this.#crc ^ 0xffffffff) >>> 0
  }
}

function at8(bytes: Uint8Array, index: number): number {
  return bytes[index]!
}

function makeTable(): Uint32Array {
  const table = new Uint32Array(SLICES * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    table[byte] = crc
  }
  for (let slice = 1; slice < SLICES; slice++)
    for (let byte = 0; byte < 256; byte++) {
      const before = table[(slice - 1) * 256 + byte]!
      table[slice * 256 + byte] = (before >>> 8) ^ table[before & 255]!
    }
  return table
}
