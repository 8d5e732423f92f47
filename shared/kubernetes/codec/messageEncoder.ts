import { builtinSchema, type Scalar, type StructType, type TypeRef, type WireField } from '../schema/schema.ts'
import { fromBase64 } from './base64.ts'
import type { ProtobufWriter } from './protobufWriter.ts'
import { encodeUnion, isUnion } from './schemaUnions.ts'
import { parseDuration, parseTime } from './times.ts'
import { placeOf, type UnknownFields } from './unknownFields.ts'

/** JSON whose shape does not fit the type it is written as. */
export class EncodeError extends Error {
  override readonly name = 'EncodeError'
}

/**
 * Writes a struct's fields as Go's generated code does, in descending order: plain scalars and structs also when they are zero,
 * pointers, lists and maps only when there. What came after the writer's release is left out when it is zero.
 *
 * @param kept what the object cannot hold: unknown fields go back where they stood, integers that were rounded where they still are as they were read
 * @throws EncodeError when a value does not fit its type
 */
export function encodeStruct(struct: StructType, value: unknown, writer: ProtobufWriter, kept: UnknownFields | null = null): void {
  if (value !== undefined && value !== null && (typeof value !== 'object' || Array.isArray(value))) throw new EncodeError(`${struct.name} must be an object`)
  const object = (value ?? {}) as Record<string, unknown>
  if (kept === null) {
    encodeKnown(struct, object, writer)
    return
  }
  const unknown = kept.fields.toSorted((a, b) => a.number - b.number)
  for (let index = struct.wire.length - 1; index >= 0; index -= 1) {
    const field = struct.wire[index]
    if (field === undefined) continue
    writeAbove(field.number, unknown, writer)
    if (field.embedded) encodeEmbedded(field, object, writer, kept.within.get(String(field.number)) ?? null)
    else encodeField(field, Object.hasOwn(object, field.name) ? object[field.name] : undefined, writer, { struct, kept })
  }
  writeAbove(0, unknown, writer)
}

/** The same of an object of which all is known, as nearly every one is. */
function encodeKnown(struct: StructType, object: Record<string, unknown>, writer: ProtobufWriter): void {
  const { wire } = struct
  for (let index = wire.length - 1; index >= 0; index -= 1) {
    const field = wire[index]
    if (field === undefined) continue
    if (field.embedded) {
      encodeEmbedded(field, object, writer, null)
      continue
    }
    const value = Object.hasOwn(object, field.name) ? object[field.name] : undefined
    if ((value === undefined || value === null) && isLeftOut(field)) continue
    if (isUnknownTo(writer, field, value)) continue
    if (field.type.kind === 'scalar') encodeScalar(field.type.scalar, field.number, value, writer)
    else if (field.type.kind === 'struct') encodeValue(field.type, field.number, value, writer)
    else encodeField(field, value, writer, null)
  }
}

/** Whether nothing is written when nothing is there. */
function isLeftOut({ pointer, type }: WireField): boolean {
  return pointer || type.kind === 'list' || type.kind === 'map' || (type.kind === 'scalar' && type.scalar === 'bytes')
}

/** Whether the writing release does not have the field, and the value says nothing. */
function isUnknownTo({ minor }: ProtobufWriter, { absentUntil }: WireField, value: unknown): boolean {
  return absentUntil !== null && minor <= absentUntil && (value === undefined || value === null || value === '' || value === 0 || value === false)
}

/** Writes the last of the unknown fields, those with numbers above `number`. */
function writeAbove(number: number, unknown: UnknownFields['fields'], writer: ProtobufWriter): void {
  for (let last = unknown.at(-1); last !== undefined && last.number > number; last = unknown.at(-1)) {
    writer.raw(last.bytes)
    unknown.pop()
  }
}

/** The message whose fields are written, when something within it is unknown. */
interface Around {
  struct: StructType
  kept: UnknownFields
}

function encodeEmbedded(field: WireField, object: Record<string, unknown>, writer: ProtobufWriter, kept: UnknownFields | null): void {
  const struct = field.type.kind === 'struct' ? builtinSchema.struct(field.type.name) : null
  if (struct === null) return
  if (field.pointer && ![...struct.fields.keys()].some((name) => Object.hasOwn(object, name))) return
  writer.message(field.number, () => {
    encodeStruct(struct, object, writer, kept)
  })
}

function encodeField(field: WireField, value: unknown, writer: ProtobufWriter, around: Around | null): void {
  const { type, number } = field
  const within = (item: unknown, at: number | string): UnknownFields | null =>
    around === null ? null : (around.kept.within.get(placeOf(around.struct, field, item, at)) ?? null)
  const absent = value === undefined || value === null
  if (type.kind === 'list') {
    if (absent) return
    if (!Array.isArray(value)) throw new EncodeError(`${field.name} must be a list`)
    const items = value as unknown[]
    const write = (target: number): void => {
      for (let index = items.length - 1; index >= 0; index -= 1) {
        const item = items[index]
        if (!writeExact(field, item, index, writer, around)) encodeValue(type.of, target, item, writer, within(item, index))
      }
    }
    if (field.wrapped)
      writer.message(number, () => {
        write(1)
      })
    else write(number)
    return
  }
  if (type.kind === 'map') {
    if (absent) return
    encodeMap({ of: type.of, number, within }, value, writer)
    return
  }
  if (absent && (field.pointer || (type.kind === 'scalar' && type.scalar === 'bytes'))) return
  if (isUnknownTo(writer, field, value) || writeExact(field, value, 0, writer, around)) return
  encodeValue(type, number, value, writer, within(value, 0))
}

/** Writes an integer beyond 2^53 as it was, when it was left alone. @returns whether it did */
function writeExact(field: WireField, value: unknown, at: number, writer: ProtobufWriter, around: Around | null): boolean {
  if (around === null || typeof value !== 'number' || around.kept.exact.size === 0) return false
  const exact = around.kept.exact.get(placeOf(around.struct, field, value, at))
  if (exact?.shown !== value) return false
  writer.raw(exact.bytes)
  return true
}

interface MapField {
  of: TypeRef
  number: number
  within: (item: unknown, at: string) => UnknownFields | null
}

function encodeMap({ of, number, within }: MapField, value: unknown, writer: ProtobufWriter): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new EncodeError('a map must be an object')
  const map = value as Record<string, unknown>
  for (const key of Object.keys(map).sort().reverse()) {
    writer.message(number, () => {
      const item = map[key]
      if (of.kind === 'list')
        writer.message(2, () => {
          for (const each of ((item ?? []) as unknown[]).toReversed()) encodeValue(of.of, 1, each, writer)
        })
      else encodeValue(of, 2, item, writer, within(item, key))
      writer.string(1, key)
    })
  }
}

function encodeValue(type: TypeRef, number: number, value: unknown, writer: ProtobufWriter, kept: UnknownFields | null = null): void {
  if (type.kind === 'struct') {
    if (isUnion(type.name)) {
      writer.message(number, () => {
        encodeUnion(type.name, value, writer)
      })
      return
    }
    const struct = builtinSchema.struct(type.name)
    if (struct === null) throw new EncodeError(`no type ${type.name}`)
    const before = writer.length
    encodeStruct(struct, value, writer, kept)
    writer.close(number, before)
  } else if (type.kind === 'scalar') encodeScalar(type.scalar, number, value, writer)
  else throw new EncodeError('a list of lists has no protobuf form')
}

function expectString(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw new EncodeError(`a text belongs where ${JSON.stringify(value)} stands`)
  return value
}

function expectInteger(value: unknown): number {
  if (value === undefined || value === null) return 0
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new EncodeError(`an integer belongs where ${JSON.stringify(value)} stands`)
  return value
}

function encodeScalar(scalar: Scalar, number: number, value: unknown, writer: ProtobufWriter): void {
  switch (scalar) {
    case 'string':
      writer.string(number, expectString(value))
      return
    case 'bytes': {
      const bytes = fromBase64(expectString(value))
      if (bytes === null) throw new EncodeError('illegal base64 data')
      writer.bytes(number, bytes)
      return
    }
    case 'bool':
      writer.integer(number, value === true ? 1 : 0)
      return
    case 'int32':
    case 'int64':
      writer.integer(number, expectInteger(value))
      return
    case 'float64':
      writer.double(number, Number(value ?? 0))
      return
    case 'quantity': {
      const before = writer.length
      writer.string(1, typeof value === 'number' ? String(value) : value === undefined || value === null ? '0' : expectString(value))
      writer.close(number, before)
      return
    }
    case 'intstr':
      writer.message(number, () => {
        writer.string(3, typeof value === 'string' ? value : '')
        writer.integer(2, typeof value === 'number' ? expectInteger(value) : 0)
        writer.integer(1, typeof value === 'string' ? 1 : 0)
      })
      return
    case 'time':
    case 'microtime': {
      const time = value === undefined || value === null ? null : parseTime(expectString(value))
      if (time === null && value !== undefined && value !== null) throw new EncodeError(`${JSON.stringify(value)} is no RFC 3339 time`)
      writer.message(number, () => {
        if (time === null) return
        writer.integer(2, scalar === 'time' ? 0 : time.nanos)
        writer.integer(1, time.seconds)
      })
      return
    }
    case 'duration': {
      const nanoseconds = value === undefined || value === null ? 0n : parseDuration(expectString(value))
      if (nanoseconds === null) throw new EncodeError(`${JSON.stringify(value)} is no duration`)
      writer.message(number, () => {
        writer.integer(1, nanoseconds)
      })
      return
    }
    case 'raw':
    case 'fieldsv1':
    case 'json':
      writer.message(number, () => {
        if (value !== undefined && value !== null) writer.string(1, JSON.stringify(value))
      })
  }
}
