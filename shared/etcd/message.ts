import { MalformedMessage, readFields } from './protobuf.ts'

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
const NOTHING = new Uint8Array(0)

type Form = 'number' | 'id' | 'bool' | 'bytes' | 'text' | 'enum' | 'message'

interface Field {
  name: string
  number: number
  form: Form
  list: boolean
  /** Of an enum. */
  names: readonly string[]
  /** Of a message. */
  table: MessageTable
  tagSize: number
}

interface Layout {
  fields: readonly Field[]
  byNumber: ReadonlyMap<number, Field>
}

const layouts = new WeakMap<MessageTable, Layout>()

/** A table made ready once; tables may refer to themselves, so not before they are used. */
function layoutOf(table: MessageTable): Layout {
  const known = layouts.get(table)
  if (known !== undefined) return known
  const fields = Object.entries(table).map(([name, [number, kind, repeated]]): Field => {
    const own = { name, number, list: repeated === 'list', names: [], table: {}, tagSize: varintSize(number * 8) }
    if (typeof kind === 'string') return { ...own, form: kind }
    return isEnum(kind) ? { ...own, form: 'enum', names: kind } : { ...own, form: 'message', table: kind }
  })
  const layout = { fields, byNumber: new Map(fields.map((field) => [field.number, field])) }
  layouts.set(table, layout)
  return layout
}

const isEnum = (kind: FieldKind): kind is readonly string[] => Array.isArray(kind)

/**
 * `number`: a JavaScript number (int64 that stays below 2^53); `id`: an unsigned bigint; a list of names: an enum. Zeros are left
 * out, as proto3 does.
 *
 * @param room bytes left free before the message, for a frame's head
 * @param memory gives so many bytes, of whatever content
 */
export function encodeMessage(
  table: MessageTable,
  message: Plain,
  room = 0,
  memory: (size: number) => Uint8Array = (size) => new Uint8Array(size),
): Uint8Array {
  const target = { bytes: memory(room + sizeOf(table, message)), at: room }
  writeMessage(table, message, target)
  return target.bytes
}

function varintSize(value: number | bigint): number {
  if (typeof value === 'number' && value >= 0) {
    let size = 1
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1
    return size
  }
  let size = 1
  for (let rest = BigInt.asUintN(64, BigInt(value)); rest >= 0x80n; rest >>= 7n) size += 1
  return size
}

/** Texts become bytes, enums numbers; `null` when the field is not written. */
function wireValue(field: Field, value: unknown): number | bigint | Uint8Array | Plain | null {
  switch (field.form) {
    case 'bytes':
      return (value as Uint8Array).length === 0 && !field.list ? null : (value as Uint8Array)
    case 'text':
      return value === '' && !field.list ? null : encoder.encode(value as string)
    case 'message':
      return value as Plain
    case 'bool':
      return value === true ? 1 : null
    case 'enum': {
      const index = field.names.indexOf(value as string)
      return index > 0 ? index : null
    }
    default:
      return Number(value) === 0 && !field.list ? null : (value as number | bigint)
  }
}

function sizeOf(table: MessageTable, message: Plain): number {
  let size = 0
  for (const field of layoutOf(table).fields) {
    const value = message[field.name]
    if (value === undefined || value === null) continue
    if (field.list) for (const item of value as unknown[]) size += fieldSize(field, item)
    else size += fieldSize(field, value)
  }
  return size
}

function fieldSize(field: Field, value: unknown): number {
  const wire = wireValue(field, value)
  if (wire === null) return 0
  if (typeof wire === 'number' || typeof wire === 'bigint') return field.tagSize + varintSize(wire)
  const length = field.form === 'message' ? sizeOf(field.table, wire as Plain) : (wire as Uint8Array).length
  return field.tagSize + varintSize(length) + length
}

interface Target {
  readonly bytes: Uint8Array
  at: number
}

function writeMessage(table: MessageTable, message: Plain, target: Target): void {
  for (const field of layoutOf(table).fields) {
    const value = message[field.name]
    if (value === undefined || value === null) continue
    if (field.list) for (const item of value as unknown[]) writeField(field, item, target)
    else writeField(field, value, target)
  }
}

function writeField(field: Field, value: unknown, target: Target): void {
  const wire = wireValue(field, value)
  if (wire === null) return
  if (typeof wire === 'number' || typeof wire === 'bigint') {
    writeVarint(field.number * 8, target)
    writeVarint(wire, target)
    return
  }
  writeVarint(field.number * 8 + 2, target)
  if (field.form === 'message') {
    writeVarint(sizeOf(field.table, wire as Plain), target)
    writeMessage(field.table, wire as Plain, target)
    return
  }
  const bytes = wire as Uint8Array
  writeVarint(bytes.length, target)
  target.bytes.set(bytes, target.at)
  target.at += bytes.length
}

function writeVarint(value: number | bigint, target: Target): void {
  if (typeof value === 'number' && value >= 0) {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target.bytes[target.at++] = (rest % 0x80) | 0x80
    target.bytes[target.at++] = rest
    return
  }
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest >= 0x80n; rest >>= 7n) target.bytes[target.at++] = Number(rest & 0x7fn) | 0x80
  target.bytes[target.at++] = Number(rest)
}

/** Absent fields get their zero value; absent messages are undefined. Unknown fields are passed over. @throws MalformedMessage */
export function decodeMessage(table: MessageTable, bytes: Uint8Array): Plain {
  const { fields, byNumber } = layoutOf(table)
  const message: Plain = {}
  for (const field of fields) if (field.list || field.form !== 'message') message[field.name] = field.list ? [] : zero(field)
  readFields(bytes, (number, wire, value) => {
    const field = byNumber.get(number)
    if (field === undefined) return
    const wantsBytes = field.form === 'bytes' || field.form === 'text' || field.form === 'message'
    if (wire === 2 && !wantsBytes && field.list) {
      // A packed list of numbers.
      for (const each of packed(value as Uint8Array)) (message[field.name] as unknown[]).push(scalar(field, each))
      return
    }
    if (wire !== (wantsBytes ? 2 : 0)) throw new MalformedMessage(`field ${field.name} has wire type ${String(wire)}`)
    const decoded = wantsBytes ? nested(field, value as Uint8Array) : scalar(field, value as number | bigint)
    if (field.list) (message[field.name] as unknown[]).push(decoded)
    else message[field.name] = decoded
  })
  return message
}

function nested(field: Field, bytes: Uint8Array): unknown {
  return field.form === 'bytes' ? bytes : field.form === 'text' ? decoder.decode(bytes) : decodeMessage(field.table, bytes)
}

function zero(field: Field): unknown {
  switch (field.form) {
    case 'number':
      return 0
    case 'id':
      return 0n
    case 'bool':
      return false
    case 'bytes':
      return NOTHING
    case 'text':
      return ''
    default:
      return field.names[0]
  }
}

function scalar(field: Field, value: number | bigint): unknown {
  switch (field.form) {
    case 'id':
      return BigInt(value)
    case 'bool':
      return Number(value) !== 0
    case 'enum': {
      const name = field.names[Number(value)]
      if (name === undefined) throw new MalformedMessage(`no enum value ${String(value)}`)
      return name
    }
    default:
      return typeof value === 'number' ? value : Number(BigInt.asIntN(64, value))
  }
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
