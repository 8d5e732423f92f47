const encoder = new TextEncoder()

/**
 * Writes a message from its last byte to its first, as Go's generated code does: a nested message's length is known when its
 * header is written, so nothing is encoded twice. Callers write fields in descending order.
 */
export class ProtobufWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #start: number

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity)
    this.#start = capacity
  }

  /** Bytes written so far; a nested message's length is the difference before and after. */
  get length(): number {
    return this.#bytes.length - this.#start
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(this.#start)
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#start -= bytes.length
    this.#bytes.set(bytes, this.#start)
  }

  varint(value: bigint): void {
    const unsigned = BigInt.asUintN(64, value)
    if (unsigned < 0x80n) {
      this.#reserve(1)
      this.#bytes[--this.#start] = Number(unsigned)
      return
    }
    const parts: number[] = []
    for (let rest = unsigned; ; rest >>= 7n) {
      if (rest < 0x80n) {
        parts.push(Number(rest))
        break
      }
      parts.push(Number(rest & 0x7fn) | 0x80)
    }
    this.raw(Uint8Array.from(parts))
  }

  tag(number: number, wireType: 0 | 1 | 2 | 5): void {
    this.varint(BigInt(number * 8 + wireType))
  }

  integer(number: number, value: bigint): void {
    this.varint(value)
    this.tag(number, 0)
  }

  double(number: number, value: number): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, value, true)
    this.raw(bytes)
    this.tag(number, 1)
  }

  bytes(number: number, bytes: Uint8Array): void {
    this.raw(bytes)
    this.varint(BigInt(bytes.length))
    this.tag(number, 2)
  }

  string(number: number, text: string): void {
    this.bytes(number, encoder.encode(text))
  }

  /** A nested message whose fields `write` writes. */
  message(number: number, write: () => void): void {
    const before = this.length
    write()
    this.varint(BigInt(this.length - before))
    this.tag(number, 2)
  }

  #reserve(count: number): void {
    if (count <= this.#start) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + count + 1024))
    const start = grown.length - this.length
    grown.set(this.#bytes.subarray(this.#start), start)
    this.#bytes = grown
    this.#start = start
  }
}
