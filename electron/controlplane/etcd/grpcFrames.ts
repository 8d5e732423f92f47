import { GRPC, GrpcError } from './grpcStatus.ts'

/** A compressed flag and the message's length in four bytes, before each message. */
export const FRAME_HEAD = 5
/** etcd takes requests of 1.5 MiB and some for gRPC's own (--max-request-bytes plus 512 KiB). */
const MAX_MESSAGE_BYTES = 2 * 1024 * 1024

/** Writes the head of a message that was encoded with `FRAME_HEAD` bytes of room. */
export function framed(bytes: Uint8Array): Uint8Array {
  bytes[0] = 0
  new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEAD).setUint32(1, bytes.length - FRAME_HEAD)
  return bytes
}

/** Cuts what comes in into messages, each in memory of its own. */
export class FrameReader {
  readonly #maxBytes: number
  #parts: Buffer[] = []
  #length = 0

  /** @param maxBytes of one message */
  constructor(maxBytes = MAX_MESSAGE_BYTES) {
    this.#maxBytes = maxBytes
  }

  push(bytes: Buffer): void {
    this.#parts.push(bytes)
    this.#length += bytes.length
  }

  /** @returns the next whole message, null when there is none yet; @throws GrpcError when it is too large or compressed */
  next(): Uint8Array | null {
    if (this.#length < FRAME_HEAD) return null
    const [first] = this.#parts
    let bytes = first === undefined || (this.#parts.length > 1 && first.length < FRAME_HEAD) ? this.#joined() : first
    const size = bytes.readUInt32BE(1)
    if (size > this.#maxBytes)
      throw new GrpcError(GRPC.RESOURCE_EXHAUSTED, `grpc: received message larger than max (${String(size)} vs. ${String(this.#maxBytes)})`)
    if (bytes[0] !== 0) throw new GrpcError(GRPC.UNIMPLEMENTED, 'grpc: compressed messages are not served')
    if (this.#length < FRAME_HEAD + size) return null
    if (bytes.length < FRAME_HEAD + size) bytes = this.#joined()
    const rest = bytes.subarray(FRAME_HEAD + size)
    this.#parts = rest.length === 0 ? this.#parts.slice(1) : [rest, ...this.#parts.slice(1)]
    this.#length -= FRAME_HEAD + size
    // The rest of what came in with it must not stay for its sake.
    return Uint8Array.prototype.slice.call(bytes, FRAME_HEAD, FRAME_HEAD + size)
  }

  #joined(): Buffer {
    const joined = Buffer.concat(this.#parts)
    this.#parts = [joined]
    return joined
  }
}
