/** Protocol buffers' wire format (protobuf.dev/programming-guides/encoding), read with bounds checks. */

export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
}

/** A number is a `number` where it is below 2^49, else an unsigned bigint; the other wire types are bytes of the message itself. */
export type FieldVisitor = (number: number, wire: 0 | 1 | 2 | 5, value: number | bigint | Uint8Array) => void

/** Visits fields in the order they stand. @throws MalformedMessage on bytes that are no message */
export function readFields(bytes: Uint8Array, visit: FieldVisitor): void {
  let offset = 0
  const varint = (): number | bigint => {
    let value = 0
    let factor = 1
    // Nearly every number fits in seven bytes: BigInt only beyond.
    for (let count = 0; count < 7; count++) {
      const byte = bytes[offset++]
      if (byte === undefined) throw new MalformedMessage(`the message ends inside a number at byte ${String(offset)}`)
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 0x80
    }
    let large = BigInt(value)
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = bytes[offset++]
      if (byte === undefined) throw new MalformedMessage(`the message ends inside a number at byte ${String(offset)}`)
      large |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, large)
    }
    throw new MalformedMessage(`a number longer than 64 bits at byte ${String(offset)}`)
  }
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - offset) throw new MalformedMessage(`a field of ${String(length)} bytes at byte ${String(offset)} of ${String(bytes.length)}`)
    const value = bytes.subarray(offset, offset + length)
    offset += length
    return value
  }
  while (offset < bytes.length) {
    const tag = Number(varint())
    const number = Math.floor(tag / 8)
    const wire = tag % 8
    if (number === 0) throw new MalformedMessage(`field number 0 at byte ${String(offset)}`)
    if (wire === 0) visit(number, wire, varint())
    else if (wire === 2) visit(number, wire, take(Number(varint())))
    else if (wire === 1) visit(number, wire, take(8))
    else if (wire === 5) visit(number, wire, take(4))
    else throw new MalformedMessage(`wire type ${String(wire)} at byte ${String(offset)}`)
  }
}

/** Collects one message. Zero values are left out, as proto3 does; `…Always` writes them. */
export class MessageWriter {
  #bytes = new Uint8Array(256)
  #length = 0

  varint(number: number, value: number | bigint): this {
    return Number(value) === 0 ? this : this.varintAlways(number, value)
  }

  varintAlways(number: number, value: number | bigint): this {
    this.#varint(number * 8)
    this.#varint(value)
    return this
  }

  bytes(number: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.bytesAlways(number, value)
  }

  bytesAlways(number: number, value: Uint8Array): this {
    this.#varint(number * 8 + 2)
    this.#varint(value.length)
    this.#reserve(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
    return this
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #varint(value: number | bigint): void {
    this.#reserve(10)
    if (typeof value === 'number' && value >= 0 && value < 0x8000_0000) {
      let rest = value
      while (rest >= 0x80) {
        this.#bytes[this.#length++] = (rest & 0x7f) | 0x80
        rest >>>= 7
      }
      this.#bytes[this.#length++] = rest
      return
    }
    let rest = BigInt.asUintN(64, BigInt(value))
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.#bytes[this.#length++] = Number(rest)
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
