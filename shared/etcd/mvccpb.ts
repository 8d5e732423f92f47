import type { Bytes, KeyValue } from './rpc.ts'

/** Bytes that are no message of the expected type: cut off, of a wrong wire type, or with a number that cannot be. */
export class WireError extends Error {
  override readonly name = 'WireError'
}

/** Varints up to 2^53 - 1 are numbers; what etcd stores in int64 is far below. */
function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++
  return length
}

function bigVarintLength(value: bigint): number {
  let length = 1
  for (let rest = BigInt.asUintN(64, value); rest >= 128n; rest >>= 7n) length++
  return length
}

function writeVarint(target: Bytes, offset: number, value: number): number {
  let at = offset
  let rest = value
  while (rest >= 128) {
    target[at++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  target[at++] = rest
  return at
}

function writeBigVarint(target: Bytes, offset: number, value: bigint): number {
  let at = offset
  let rest = BigInt.asUintN(64, value)
  while (rest >= 128n) {
    target[at++] = Number(rest & 127n) | 128
    rest >>= 7n
  }
  target[at++] = Number(rest)
  return at
}

/** Walks a message's fields without copying. */
export class FieldReader {
  readonly bytes: Bytes
  at: number
  readonly #end: number

  /** @param end where the message ends in `bytes` @default at their end */
  constructor(bytes: Bytes, at = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.at = at
    this.#end = end
  }

  varint(): number {
    let result = 0
    let scale = 1
    for (let index = 0; index < 8; index++) {
      const byte = this.#byte()
      result += (byte & 127) * scale
      if (byte < 128) {
        if (result > Number.MAX_SAFE_INTEGER) throw new WireError('a number is above 2^53')
        return result
      }
      scale *= 128
    }
    throw new WireError('a number is above 2^53 or negative')
  }

  bigVarint(): bigint {
    let result = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      result |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asIntN(64, result)
    }
    throw new WireError('a number does not end')
  }

  lengthDelimited(): Bytes {
    const start = this.skipLengthDelimited()
    return this.bytes.subarray(start, this.at)
  }

  /** @returns where its bytes begin; they end where the reader then is */
  skipLengthDelimited(): number {
    const length = this.varint()
    const start = this.at
    if (start + length > this.#end) throw new WireError('a field reaches beyond its message')
    this.at = start + length
    return start
  }

  skip(wireType: number): void {
    if (wireType === 0) this.bigVarint()
    else if (wireType === 1) this.at += 8
    else if (wireType === 2) this.skipLengthDelimited()
    else if (wireType === 5) this.at += 4
    else throw new WireError(`wire type ${String(wireType)} is unknown`)
    if (this.at > this.#end) throw new WireError('a field reaches beyond its message')
  }

  #byte(): number {
    const byte = this.at < this.#end ? this.bytes[this.at++] : undefined
    if (byte === undefined) throw new WireError('the message ends within a number')
    return byte
  }
}

/** `mvccpb.KeyValue` as etcd writes it: fields in number order, zero values left out. */
export function encodeKeyValue(kv: KeyValue): Uint8Array<ArrayBuffer> {
  const numbers: [tag: number, value: number][] = [
    [0x10, kv.createRevision],
    [0x18, kv.modRevision],
    [0x20, kv.version],
  ]
  let length = 0
  if (kv.key.length > 0) length += 1 + varintLength(kv.key.length) + kv.key.length
  for (const [, value] of numbers) if (value !== 0) length += 1 + varintLength(value)
  if (kv.value.length > 0) length += 1 + varintLength(kv.value.length) + kv.value.length
  if (kv.lease !== 0n) length += 1 + bigVarintLength(kv.lease)
  const bytes = new Uint8Array(length)
  let at = 0
  const writeBytes = (tag: number, value: Bytes): void => {
    if (value.length === 0) return
    bytes[at++] = tag
    at = writeVarint(bytes, at, value.length)
    bytes.set(value, at)
    at += value.length
  }
  writeBytes(0x0a, kv.key)
  for (const [tag, value] of numbers) {
    if (value === 0) continue
    bytes[at++] = tag
    at = writeVarint(bytes, at, value)
  }
  writeBytes(0x2a, kv.value)
  if (kv.lease !== 0n) {
    bytes[at++] = 0x30
    writeBigVarint(bytes, at, kv.lease)
  }
  return bytes
}

/**
 * Key and value are views of `bytes`, not copies.
 * @throws WireError
 */
export function decodeKeyValue(bytes: Bytes): KeyValue {
  const kv: KeyValue = { key: EMPTY, createRevision: 0, modRevision: 0, version: 0, value: EMPTY, lease: 0n }
  const reader = new FieldReader(bytes)
  while (reader.at < bytes.length) {
    const tag = reader.varint()
    if (tag === 0x0a) kv.key = reader.lengthDelimited()
    else if (tag === 0x10) kv.createRevision = reader.varint()
    else if (tag === 0x18) kv.modRevision = reader.varint()
    else if (tag === 0x20) kv.version = reader.varint()
    else if (tag === 0x2a) kv.value = reader.lengthDelimited()
    else if (tag === 0x30) kv.lease = reader.bigVarint()
    else reader.skip(tag & 7)
  }
  return kv
}

/** Of an `mvccpb.KeyValue`, where its key lies and its numbers. */
export interface RecordFacts {
  keyStart: number
  keyEnd: number
  createRevision: number
  modRevision: number
  version: number
}

/**
 * As decodeKeyValue of `bytes` from `start` to `end`, into a record that is used again and without a view of anything: for whoever looks at
 * millions.
 * @throws WireError
 */
export function readRecordFacts(bytes: Bytes, start: number, end: number, record: RecordFacts): void {
  record.keyStart = record.keyEnd = record.createRevision = record.modRevision = record.version = 0
  const reader = new FieldReader(bytes, start, end)
  while (reader.at < end) {
    const tag = reader.varint()
    if (tag === 0x0a) {
      record.keyStart = reader.skipLengthDelimited()
      record.keyEnd = reader.at
    } else if (tag === 0x10) record.createRevision = reader.varint()
    else if (tag === 0x18) record.modRevision = reader.varint()
    else if (tag === 0x20) record.version = reader.varint()
    else if (tag === 0x2a) reader.skipLengthDelimited()
    else reader.skip(tag & 7)
  }
}

/**
 * The key alone, a view of `bytes`: what comes after it is not looked at where it comes first, as etcd writes it.
 * @throws WireError
 */
export function decodeKey(bytes: Bytes): Bytes {
  if (bytes[0] !== 0x0a) return decodeKeyValue(bytes).key
  const reader = new FieldReader(bytes)
  reader.at = 1
  return reader.lengthDelimited()
}

const EMPTY = new Uint8Array(0)

/** `leasepb.Lease`: what the `lease` bucket holds. */
export function encodeLease(lease: { id: bigint; ttlSeconds: number }): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 + bigVarintLength(lease.id) + varintLength(lease.ttlSeconds))
  bytes[0] = 0x08
  const at = writeBigVarint(bytes, 1, lease.id)
  bytes[at] = 0x10
  writeVarint(bytes, at + 1, lease.ttlSeconds)
  return bytes
}

/** @throws WireError */
export function decodeLease(bytes: Bytes): { id: bigint; ttlSeconds: number } {
  const lease = { id: 0n, ttlSeconds: 0 }
  const reader = new FieldReader(bytes)
  while (reader.at < bytes.length) {
    const tag = reader.varint()
    if (tag === 0x08) lease.id = reader.bigVarint()
    else if (tag === 0x10) lease.ttlSeconds = reader.varint()
    else reader.skip(tag & 7)
  }
  return lease
}

/**
 * A revision as etcd's `key` bucket sorts it: main (8 bytes, big endian), `_`, sub (8 bytes), and a trailing `t` where the
 * revision is a tombstone.
 */
export function encodeRevisionKey(revision: { main: number; sub: number; tombstone: boolean }): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(revision.tombstone ? 18 : 17)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, Math.floor(revision.main / 2 ** 32))
  view.setUint32(4, revision.main >>> 0)
  bytes[8] = 0x5f
  view.setUint32(9, Math.floor(revision.sub / 2 ** 32))
  view.setUint32(13, revision.sub >>> 0)
  if (revision.tombstone) bytes[17] = 0x74
  return bytes
}

/** @throws WireError when the bytes are no revision */
export function decodeRevisionKey(bytes: Bytes, start = 0, end: number = bytes.length): { main: number; sub: number; tombstone: boolean } {
  const length = end - start
  const tombstone = length === 18 && bytes[start + 17] === 0x74
  if ((length !== 17 && !tombstone) || bytes[start + 8] !== 0x5f) throw new WireError('a key of the key bucket is no revision')
  const main = bigEndian(bytes, start)
  const sub = bigEndian(bytes, start + 9)
  if (main > Number.MAX_SAFE_INTEGER || sub > Number.MAX_SAFE_INTEGER) throw new WireError('a revision is above 2^53')
  return { main, sub, tombstone }
}

/** Eight bytes; above 2^53 only about right. */
function bigEndian(bytes: Bytes, at: number): number {
  let value = 0
  for (let index = at; index < at + 8; index++) value = value * 256 + (bytes[index] ?? 0)
  return value
}
