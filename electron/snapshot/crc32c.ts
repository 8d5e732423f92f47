import { crcModule, SLICES } from './crc32cModule.ts'

/** Reflected Castagnoli polynomial. zlib's crc32 is the IEEE one and of no use here. */
const POLYNOMIAL = 0x82f63b78
const TABLE_BYTES = SLICES * 256 * 4
/** The module's memory is one page, of which the table takes a quarter. */
const PART_BYTES = 64 * 1024 - TABLE_BYTES
const INITIAL = 0xffffffff

/**
 * CRC-32C of bytes that come piece by piece. WebAssembly does the work, in half the time of the same loop in JavaScript, whose every
 * look-up checks a bound; copying the bytes to where it can read them is a tenth of what remains.
 */
export class Crc32c {
  static #shared: Checksum | null = null
  readonly #checksum = (Crc32c.#shared ??= makeChecksum())
  #crc = INITIAL

  update(bytes: Uint8Array, start = 0, end = bytes.length): void {
    for (let at = start; at < end; at += PART_BYTES) {
      const part = bytes.subarray(at, Math.min(end, at + PART_BYTES))
      this.#checksum.memory.set(part, TABLE_BYTES)
      this.#crc = this.#checksum.update(this.#crc, TABLE_BYTES, TABLE_BYTES + part.length)
    }
  }

  /** Of everything so far, unsigned; 0 for nothing. */
  get value(): number {
    return (this.#crc ^ INITIAL) >>> 0
  }
}

/** Of what Node has, as much as is used: its types leave WebAssembly to the browser's. */
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number }) => { buffer: ArrayBuffer }
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: Record<string, Record<string, unknown>>) => { exports: Record<string, unknown> }
}

interface Checksum {
  memory: Uint8Array
  update: (crc: number, start: number, end: number) => number
}

function makeChecksum(): Checksum {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(crcModule()), { env: { memory } })
  fillTable(new Uint32Array(memory.buffer, 0, SLICES * 256))
  return { memory: new Uint8Array(memory.buffer), update: exports['update'] as Checksum['update'] }
}

/** Table k gives the effect of a byte that has k more bytes behind it. */
function fillTable(table: Uint32Array): void {
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    table[byte] = crc
  }
  for (let index = 256; index < table.length; index++) {
    const before = table[index - 256] ?? 0
    table[index] = (before >>> 8) ^ (table[before & 255] ?? 0)
  }
}
