/** SPDY/3.1 frames on the wire. @see https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/ section 2.6 */

const VERSION = 3
export const SYN_STREAM = 1
export const SYN_REPLY = 2
export const RST_STREAM = 3
export const PING = 6
export const GOAWAY = 7
export const HEADERS = 8

/** The sender writes no more on this stream. */
export const FLAG_FIN = 1

/** RST_STREAM statuses. */
export const PROTOCOL_ERROR = 1
export const INVALID_STREAM = 2
export const CANCEL = 5

export type SpdyFrame = { kind: 'data'; streamId: number; flags: number; payload: Buffer } | { kind: 'control'; type: number; flags: number; payload: Buffer }

const HEAD_BYTES = 8
/** Far above what clients send at once; a longer frame is an attack or a lost boundary. */
const MAX_FRAME_BYTES = 4 * 2 ** 20

/** Cuts a byte stream into frames. */
export class SpdyFrameReader {
  #parts: Buffer[] = []
  #length = 0

  /** @returns the frames that are whole now. @throws Error when the bytes are no SPDY/3 */
  push(bytes: Buffer): SpdyFrame[] {
    this.#parts.push(bytes)
    this.#length += bytes.length
    const frames: SpdyFrame[] = []
    for (let frame = this.#next(); frame !== null; frame = this.#next()) frames.push(frame)
    return frames
  }

  #next(): SpdyFrame | null {
    if (this.#length < HEAD_BYTES) return null
    // Joined only when a frame begins or ends: a large frame that comes in many pieces is copied once.
    if ((this.#parts[0]?.length ?? 0) < HEAD_BYTES) this.#join()
    const head = this.#parts[0] ?? Buffer.alloc(0)
    const length = head.readUIntBE(5, 3)
    if (length > MAX_FRAME_BYTES) throw new Error(`SPDY frame of ${String(length)} bytes`)
    if (this.#length < HEAD_BYTES + length) return null
    this.#join()
    const all = this.#parts[0] ?? head
    const payload = all.subarray(HEAD_BYTES, HEAD_BYTES + length)
    this.#parts = [all.subarray(HEAD_BYTES + length)]
    this.#length -= HEAD_BYTES + length
    const flags = all.readUInt8(4)
    const word = all.readUInt32BE(0)
    if (word < 0x8000_0000) return { kind: 'data', streamId: word, flags, payload }
    if (((word >>> 16) & 0x7fff) !== VERSION) throw new Error(`SPDY version ${String((word >>> 16) & 0x7fff)}`)
    return { kind: 'control', type: word & 0xffff, flags, payload }
  }

  #join(): void {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)]
  }
}

export function dataFrame(streamId: number, payload: Uint8Array, flags = 0): Buffer {
  const frame = Buffer.alloc(HEAD_BYTES + payload.length)
  frame.writeUInt32BE(streamId)
  frame.writeUInt8(flags, 4)
  frame.writeUIntBE(payload.length, 5, 3)
  frame.set(payload, HEAD_BYTES)
  return frame
}

export function controlFrame(type: number, payload: Uint8Array, flags = 0): Buffer {
  const frame = dataFrame(0, payload, flags)
  frame.writeUInt16BE(0x8000 | VERSION, 0)
  frame.writeUInt16BE(type, 2)
  return frame
}

/** A payload of 32-bit words, as RST_STREAM, PING and GOAWAY have. */
export function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index)
  return bytes
}

/** A header block before compression: names are lower-case. */
export function encodeHeaders(headers: ReadonlyMap<string, string>): Buffer {
  const parts = [words(headers.size)]
  for (const text of [...headers].flat()) {
    const bytes = Buffer.from(text)
    parts.push(words(bytes.length), bytes)
  }
  return Buffer.concat(parts)
}

/** @throws RangeError when the block ends too early */
export function decodeHeaders(block: Buffer): Map<string, string> {
  let offset = 0
  const number = (): number => {
    const value = block.readUInt32BE(offset)
    offset += 4
    return value
  }
  const text = (): string => {
    const length = number()
    if (offset + length > block.length) throw new RangeError('SPDY header block ends too early')
    offset += length
    return block.toString('utf8', offset - length, offset)
  }
  const headers = new Map<string, string>()
  for (let count = number(); count > 0; count--) {
    const name = text()
    headers.set(name.toLowerCase(), text())
  }
  return headers
}
