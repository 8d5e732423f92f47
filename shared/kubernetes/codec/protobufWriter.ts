const encoder = new TextEncoder()
const MAX_SMALL = 2 ** 31
/** Longer texts are copied by the encoder. */
const MAX_COPIED = 256

/**
 * Writes a message from its last byte to its first, as Go's generated code does: a nested message's length is known when its
 * header is written, so nothing is encoded twice. Callers write fields in descending order.
 */
export class ProtobufWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #start: number
  /** The minor release as whose server it writes. */
  readonly minor: number

  constructor(capacity = 1024, minor = Number.POSITIVE_INFINITY) {
    this.minor = minor
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

  varint(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value < MAX_SMALL) {
      this.#small(value)
      return
    }
    const parts: number[] = []
    for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
      if (rest < 0x80n) {
        parts.push(Number(rest))
        break
      }
      parts.push(Number(rest & 0x7fn) | 0x80)
    }
    this.raw(Uint8Array.from(parts))
  }

  tag(number: number, wireType: 0 | 1 | 2 | 5): void {
    this.#small(number * 8 + wireType)
  }

  integer(number: number, value: number | bigint): void {
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
    this.#small(bytes.length)
    this.tag(number, 2)
  }

  string(number: number, text: string): void {
    if (!(text.length > MAX_COPIED ? this.#longAscii(text) : this.#ascii(text))) {
      this.bytes(number, encoder.encode(text))
      return
    }
    this.#small(text.length)
    this.tag(number, 2)
  }

  /** A nested message whose fields `write` writes. */
  message(number: number, write: () => void): void {
    const before = this.length
    write()
    this.close(number, before)
  }

  /** Makes what was written since the writer had a length a nested message. */
  close(number: number, before: number): void {
    this.#small(this.length - before)
    this.tag(number, 2)
  }

  /** Below 2^31. */
  #small(value: number): void {
    this.#reserve(5)
    let size = 1
    for (let rest = value >>> 7; rest !== 0; rest >>>= 7) size += 1
    this.#start -= size
    let rest = value
    for (let at = this.#start; at < this.#start + size - 1; at += 1) {
      this.#bytes[at] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#start + size - 1] = rest
  }

  /** Writes a text character by character, which is faster than the encoder for short ones. @returns false, with nothing written, when it is not ASCII */
  #ascii(text: string): boolean {
    const { length } = text
    this.#reserve(length)
    const start = this.#start - length
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) return false
      this.#bytes[start + index] = code
    }
    this.#start = start
    return true
  }

  /** Without memory of its own for the text. */
  #longAscii(text: string): boolean {
    const { length } = text
    this.#reserve(length)
    const start = this.#start - length
    const { read, written } = encoder.encodeInto(text, this.#bytes.subarray(start, this.#start))
    if (read !== length || written !== length) return false
    this.#start = start
    return true
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
