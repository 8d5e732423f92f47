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
    let at = start
    let crc = this.#crc
    for (; at < end && ((bytes.byteOffset + at) & 3) !== 0; at++) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]!) & 255]!
    const steps = (end - at) >>> 4
    if (steps > 0) {
      // Four reads of a word where sixteen of a byte would do; every machine that Node and Electron run on is little-endian.
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset + at, steps * 4)
      for (let index = 0; index < words.length; index += 4) {
        const a = crc ^ words[index]!
        const b = words[index + 1]!
        const c = words[index + 2]!
        const d = words[index + 3]!
        crc =
          table[0xf00 | (a & 255)]! ^
          table[0xe00 | ((a >>> 8) & 255)]! ^
          table[0xd00 | ((a >>> 16) & 255)]! ^
          table[0xc00 | (a >>> 24)]! ^
          table[0xb00 | (b & 255)]! ^
          table[0xa00 | ((b >>> 8) & 255)]! ^
          table[0x900 | ((b >>> 16) & 255)]! ^
          table[0x800 | (b >>> 24)]! ^
          table[0x700 | (c & 255)]! ^
          table[0x600 | ((c >>> 8) & 255)]! ^
          table[0x500 | ((c >>> 16) & 255)]! ^
          table[0x400 | (c >>> 24)]! ^
          table[0x300 | (d & 255)]! ^
          table[0x200 | ((d >>> 8) & 255)]! ^
          table[0x100 | ((d >>> 16) & 255)]! ^
          table[d >>> 24]!
      }
      at += steps * 16
    }
    for (; at < end; at++) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]!) & 255]!
    this.#crc = crc
  }

  /** Of everything so far, unsigned; 0 for nothing. */
  get value(): number {
    return (this.#crc ^ 0xffffffff) >>> 0
  }
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
