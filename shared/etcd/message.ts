import { MalformedMessage, MessageWriter, readFields } from './protobuf.ts'

/**
 * A message described as a table, so that one reader and one writer serve all of etcd's messages:
 *
 *   { key: [1, 'bytes'], limit: [3, 'number'], kvs: [2, KEY_VALUE, 'list'] }
 */
export type FieldKind = 'number' | 'id' | 'bool' | 'bytes' | 'text' | MessageTable | readonly string[]
export type MessageTable = Readonly<{ [name: string]: readonly [number: number, kind: FieldKind, repeated?: 'list'] }>
export type Plain = { [name: string]: unknown }

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** `number`: a JavaScript number (int64 that stays below 2^53); `id`: an unsigned bigint; a list of names: an enum. */
export function encodeMessage(table: MessageTable, message: Plain): Uint8Array {
  const writer = new MessageWriter()
  for (const [name, [number, kind, repeated]] of Object.entries(table)) {
    const value = message[name]
    if (value === undefined || value === null) continue
    if (repeated === 'list') for (const item of value as unknown[]) write(writer, number, kind, item, true)
    else write(writer, number, kind, value, false)
  }
  return writer.finish()
}

function write(writer: MessageWriter, number: number, kind: FieldKind, value: unknown, always: boolean): void {
  if (kind === 'number') writer[always ? 'varintAlways' : 'varint'](number, value as number)
  else if (kind === 'id') writer[always ? 'varintAlways' : 'varint'](number, value as bigint)
  else if (kind === 'bool') writer.varint(number, value === true ? 1 : 0)
  else if (kind === 'bytes') writer[always ? 'bytesAlways' : 'bytes'](number, value as Uint8Array)
  else if (kind === 'text') writer[always ? 'bytesAlways' : 'bytes'](number, encoder.encode(value as string))
  else if (isEnum(kind)) writer.varint(number, Math.max(0, kind.indexOf(value as string)))
  else writer.bytesAlways(number, encodeMessage(kind, value as Plain))
}

/** Absent fields get their zero value; absent messages are undefined. Unknown fields are passed over. @throws MalformedMessage */
export function decodeMessage(table: MessageTable, bytes: Uint8Array): Plain {
  const message: Plain = {}
  const byNumber = new Map<number, [name: string, kind: FieldKind, list: boolean]>()
  for (const [name, [number, kind, repeated]] of Object.entries(table)) {
    byNumber.set(number, [name, kind, repeated === 'list'])
    if (repeated === 'list') message[name] = []
    else if (typeof kind === 'string' || isEnum(kind)) message[name] = zero(kind)
  }
  for (const field of readFields(bytes)) {
    const entry = byNumber.get(field.number)
    if (entry === undefined) continue
    const [name, kind, list] = entry
    const wantsBytes = kind === 'bytes' || kind === 'text' || (typeof kind !== 'string' && !isEnum(kind))
    if (field.wire === 2 && !wantsBytes && list) {
      // A packed list of numbers.
      for (const value of packed(field.value)) (message[name] as unknown[]).push(scalar(kind, value))
      continue
    }
    if (field.wire !== (wantsBytes ? 2 : 0)) throw new MalformedMessage(`field ${name} has wire type ${String(field.wire)}`)
    const value =
      field.wire === 0
        ? scalar(kind, field.value)
        : kind === 'bytes'
          ? field.value
          : kind === 'text'
            ? decoder.decode(field.value)
            : decodeMessage(kind as MessageTable, field.value as Uint8Array)
    if (list) (message[name] as unknown[]).push(value)
    else message[name] = value
  }
  return message
}

const isEnum = (kind: FieldKind): kind is readonly string[] => Array.isArray(kind)

function zero(kind: FieldKind): unknown {
  return kind === 'number'
    ? 0
    : kind === 'id'
      ? 0n
      : kind === 'bool'
        ? false
        : kind === 'bytes'
          ? new Uint8Array(0)
          : kind === 'text'
            ? ''
            : (kind as readonly string[])[0]
}

function scalar(kind: FieldKind, value: bigint): unknown {
  if (kind === 'id') return value
  if (kind === 'bool') return value !== 0n
  if (isEnum(kind)) {
    const name = kind[Number(value)]
    if (name === undefined) throw new MalformedMessage(`no enum value ${String(value)}`)
    return name
  }
  return Number(BigInt.asIntN(64, value))
}

function* packed(bytes: Uint8Array): Generator<bigint> {
  let value = 0n
  let shift = 0n
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift
    shift += 7n
    if (byte < 0x80) {
      yield BigInt.asUintN(64, value)
      value = 0n
      shift = 0n
    } else if (shift > 63n) throw new MalformedMessage('a number longer than 64 bits')
  }
}
