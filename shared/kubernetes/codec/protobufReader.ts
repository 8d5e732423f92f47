/** Bytes that are no protobuf, or not the message they should be. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
}

/** One field as it stands in a message: `bytes` for wire type 2, `value` for the numeric types. */
export interface WireValue {
  number: number
  wireType: 0 | 1 | 2 | 5
  value: bigint
  bytes: Uint8Array
}

const NOTHING = new Uint8Array(0)

/** Walks the fields of one message; every length is checked against the message's end. */
export class ProtobufReader {
  readonly #bytes: Uint8Array
  #at = 0
  #fieldAt = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The next field; null at the end. @throws DecodeError when the bytes end inside a field or the wire type is unknown */
  next(): WireValue | null {
    if (this.#at >= this.#bytes.length) return null
    this.#fieldAt = this.#at
    const tag = this.#varint()
    const number = Number(tag >> 3n)
    if (number < 1 || number > 536_870_911) throw new DecodeError(`illegal protobuf field number ${String(number)}`)
    const wireType = Number(tag & 7n)
    switch (wireType) {
      case 0:
        return { number, wireType, value: this.#varint(), bytes: NOTHING }
      case 1:
        return { number, wireType, value: this.#fixed(8), bytes: NOTHING }
      case 2: {
        const length = this.#varint()
        if (length > BigInt(this.#bytes.length - this.#at)) throw new DecodeError('a protobuf field is longer than its message')
        const bytes = this.#bytes.subarray(this.#at, this.#at + Number(length))
        this.#at += bytes.length
        return { number, wireType, value: 0n, bytes }
      }
      case 5:
        return { number, wireType, value: this.#fixed(4), bytes: NOTHING }
      default:
        throw new DecodeError(`unknown protobuf wire type ${String(wireType)}`)
    }
  }

  /** The field that `next` gave last, with its tag, in memory of its own. */
  lastField(): Uint8Array {
    return this.#bytes.slice(this.#fieldAt, this.#at)
  }

  /** Varints of a packed list. */
  *packed(): Iterable<bigint> {
    while (this.#at < this.#bytes.length) yield this.#varint()
  }

  #byte(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new DecodeError('the protobuf message ends inside a field')
    this.#at += 1
    return byte
  }

  #varint(): bigint {
    let low = 0
    // Four bytes fit a 32 bit integer; nearly every tag and length is that short.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte()
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) return BigInt(low)
    }
    let value = BigInt(low)
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw new DecodeError('a protobuf varint is longer than ten bytes')
  }

  #fixed(length: number): bigint {
    let value = 0n
    for (let index = 0; index < length; index += 1) value |= BigInt(this.#byte()) << BigInt(8 * index)
    return value
  }
}
