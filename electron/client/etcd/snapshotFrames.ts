import { FieldReader, WireError } from '#shared/etcd/mvccpb.ts'

/** gRPC puts before each message whether it is compressed, and its length. */
const HEAD_BYTES = 5
/** A field's tag and number or length take no more. */
const FIELD_BYTES = 20
const REMAINING_BYTES = 2
const BLOB = 3
const VARINT = 0
const LENGTH_DELIMITED = 2

/**
 * Takes the bytes of `Maintenance/Snapshot`'s answers (`SnapshotResponse`) as they come, and gives those of the blobs as views, without
 * putting messages together first: a snapshot is a gigabyte of them.
 */
export class SnapshotFrames {
  /** As the last message said it. */
  remainingBytes = 0
  /** Bytes that are not enough to be understood. */
  #pending: Buffer = Buffer.alloc(0)
  #messageBytes = 0
  #blobBytes = 0
  #skippedBytes = 0

  /** Whether the stream may end here. */
  get atRest(): boolean {
    return this.#messageBytes === 0 && this.#pending.length === 0
  }

  /** @throws WireError for what is no such answer */
  *take(chunk: Buffer): Generator<Buffer> {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    this.#pending = Buffer.alloc(0)
    let at = 0
    while (at < bytes.length) {
      const passing = Math.min(bytes.length - at, this.#blobBytes + this.#skippedBytes)
      if (passing > 0) {
        if (this.#blobBytes > 0) {
          this.#blobBytes -= passing
          yield bytes.subarray(at, at + passing)
        } else this.#skippedBytes -= passing
        this.#messageBytes -= passing
        at += passing
        continue
      }
      const read = this.#messageBytes === 0 ? this.#readHead(bytes, at) : this.#readField(bytes, at)
      if (read === null) {
        this.#pending = bytes.subarray(at)
        return
      }
      at = read
    }
  }

  /** @returns where the message begins; null when there are too few bytes */
  #readHead(bytes: Buffer, at: number): number | null {
    if (bytes.length - at < HEAD_BYTES) return null
    if (bytes[at] !== 0) throw new WireError('a message is compressed, which was not asked for')
    this.#messageBytes = bytes.readUInt32BE(at + 1)
    return at + HEAD_BYTES
  }

  /** @returns where its value ends, or its bytes begin; null when there are too few bytes */
  #readField(bytes: Buffer, at: number): number | null {
    if (bytes.length - at < Math.min(this.#messageBytes, FIELD_BYTES)) return null
    const reader = new FieldReader(bytes, at, Math.min(bytes.length, at + this.#messageBytes))
    const tag = reader.varint()
    const [field, wireType] = [tag >>> 3, tag & 7]
    if (wireType === LENGTH_DELIMITED) {
      const length = reader.varint()
      if (reader.at - at + length > this.#messageBytes) throw new WireError('a field reaches beyond its message')
      if (field === BLOB) this.#blobBytes = length
      else this.#skippedBytes = length
    } else if (wireType === VARINT) {
      const value = reader.varint()
      if (field === REMAINING_BYTES) this.remainingBytes = value
    } else throw new WireError(`wire type ${String(wireType)} is not expected here`)
    this.#messageBytes -= reader.at - at
    return reader.at
  }
}
