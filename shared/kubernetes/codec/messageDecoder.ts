import { builtinSchema, type Scalar, type StructType, type TypeRef, type WireField } from '../schema/schema.ts'
import { toBase64 } from './base64.ts'
import { DecodeError, ProtobufReader, type WireValue } from './protobufReader.ts'
import { durationText, timeText } from './times.ts'
import { isUnion, decodeUnion } from './schemaUnions.ts'
import { noUnknownFields, placeOf, type UnknownFields } from './unknownFields.ts'

type Json = Record<string, unknown>

/** Upstream's messages nest some twenty deep; CRD schemas more. Beyond this the bytes are hostile. */
const MAX_DEPTH = 200

const text = new TextDecoder('utf-8')

export interface Decoding {
  /** `type:number` of fields that the table does not know. */
  unknown: string[]
  depth: number
  /** The unknown fields of the message decoded last, for the one around it; null when it has none. */
  kept?: UnknownFields | null
}

/**
 * A message as the JSON that Go would write for it: `omitempty` zeros left out, other zeros and empty structs there.
 *
 * @throws DecodeError when the bytes are no such message
 */
export function decodeStruct(struct: StructType, bytes: Uint8Array, decoding: Decoding): Json {
  if (decoding.depth > MAX_DEPTH) throw new DecodeError('the protobuf message is nested too deeply')
  decoding.depth += 1
  const found = new Map<string, unknown>()
  const reader = new ProtobufReader(bytes)
  let kept: UnknownFields | null = null
  for (let wire = reader.next(); wire !== null; wire = reader.next()) {
    const field = struct.wireByNumber.get(wire.number)
    if (field === undefined) {
      decoding.unknown.push(`${struct.name}:${String(wire.number)}`)
      kept ??= noUnknownFields()
      kept.fields.push({ number: wire.number, bytes: reader.lastField() })
      continue
    }
    kept = readField(struct, field, wire, { found, kept, decoding, reader })
  }
  decoding.depth -= 1
  decoding.kept = kept
  return assemble(struct, found, decoding)
}

/** The message being read: its fields and unknown fields so far. */
interface Message {
  found: Map<string, unknown>
  kept: UnknownFields | null
  decoding: Decoding
  reader: ProtobufReader
}

/** @returns the message's unknown fields, with those within this field */
function readField(struct: StructType, field: WireField, wire: WireValue, message: Message): UnknownFields | null {
  const { type } = field
  const { found, kept, decoding } = message
  if (type.kind === 'list') {
    const items = (found.get(field.name) as unknown[] | undefined) ?? []
    found.set(field.name, items)
    if (field.wrapped) items.push(...decodeItems(type, wire.bytes, decoding))
    else if (wire.wireType === 2 && type.of.kind === 'scalar' && (type.of.scalar === 'int32' || type.of.scalar === 'int64'))
      for (const value of new ProtobufReader(wire.bytes).packed()) items.push(integer(value))
    else {
      const item = decodeValue(type.of, wire, decoding)
      items.push(item)
      const place = (): string => placeOf(struct, field, item, items.length - 1)
      return isInexact(item) ? withExact(item, place(), message) : withNested(kept, decoding, place)
    }
    return kept
  }
  if (type.kind === 'map') {
    const map = (found.get(field.name) as Json | undefined) ?? {}
    found.set(field.name, map)
    const [key, value] = decodeEntry(type.of, expectBytes(wire), decoding)
    // Assignment to __proto__ would set the prototype instead of a property.
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true })
    return withNested(kept, decoding, () => placeOf(struct, field, value, key))
  }
  const value = decodeValue(type, wire, decoding)
  found.set(field.name, value)
  if (isInexact(value)) return withExact(value, placeOf(struct, field, value), message)
  return withNested(kept, decoding, () => placeOf(struct, field, value))
}

/** An integer that was rounded; a fraction is as exact as it was written. */
function isInexact(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
}

/** Keeps the integer itself beside the number that stands for it. */
function withExact(shown: number, place: string, { kept, reader }: Message): UnknownFields {
  const all = kept ?? noUnknownFields()
  all.exact.set(place, { shown, bytes: reader.lastField() })
  return all
}

/** Takes over what the message decoded last has unknown. */
function withNested(kept: UnknownFields | null, decoding: Decoding, place: () => string): UnknownFields | null {
  const nested = decoding.kept ?? null
  if (nested === null) return kept
  decoding.kept = null
  const all = kept ?? noUnknownFields()
  all.within.set(place(), nested)
  return all
}

function decodeItems(type: TypeRef & { kind: 'list' }, bytes: Uint8Array, decoding: Decoding): unknown[] {
  const items: unknown[] = []
  const reader = new ProtobufReader(bytes)
  for (let wire = reader.next(); wire !== null; wire = reader.next()) if (wire.number === 1) items.push(decodeValue(type.of, wire, decoding))
  return items
}

function decodeEntry(of: TypeRef, bytes: Uint8Array, decoding: Decoding): [string, unknown] {
  let key = ''
  let value: unknown
  const reader = new ProtobufReader(bytes)
  for (let wire = reader.next(); wire !== null; wire = reader.next()) {
    if (wire.number === 1) key = text.decode(expectBytes(wire))
    else if (wire.number === 2) value = of.kind === 'list' ? decodeItems(of, expectBytes(wire), decoding) : decodeValue(of, wire, decoding)
  }
  return [key, value ?? zero(of, decoding)]
}

function expectBytes(wire: WireValue): Uint8Array {
  if (wire.wireType !== 2) throw new DecodeError(`protobuf field ${String(wire.number)} has wire type ${String(wire.wireType)} where bytes belong`)
  return wire.bytes
}

function integer(value: bigint): number {
  return Number(BigInt.asIntN(64, value))
}

function decodeValue(type: TypeRef, wire: WireValue, decoding: Decoding): unknown {
  if (type.kind === 'struct') {
    if (isUnion(type.name)) return decodeUnion(type.name, expectBytes(wire), decoding)
    const struct = builtinSchema.struct(type.name)
    if (struct === null) throw new DecodeError(`no type ${type.name}`)
    return decodeStruct(struct, expectBytes(wire), decoding)
  }
  if (type.kind !== 'scalar') throw new DecodeError('a list of lists has no protobuf form')
  return decodeScalar(type.scalar, wire)
}

/** Numbers 1, 2, 3 of the small message that a special scalar is. */
function parts(bytes: Uint8Array): Map<number, WireValue> {
  const found = new Map<number, WireValue>()
  const reader = new ProtobufReader(bytes)
  for (let wire = reader.next(); wire !== null; wire = reader.next()) found.set(wire.number, wire)
  return found
}

function decodeScalar(scalar: Scalar, wire: WireValue): unknown {
  switch (scalar) {
    case 'string':
      return text.decode(expectBytes(wire))
    case 'bytes':
      return toBase64(expectBytes(wire))
    case 'bool':
      return wire.value !== 0n
    case 'int32':
    case 'int64':
      return integer(wire.value)
    case 'float64': {
      const view = new DataView(new ArrayBuffer(8))
      view.setBigUint64(0, wire.value, true)
      return view.getFloat64(0, true)
    }
    case 'quantity':
      return text.decode(parts(expectBytes(wire)).get(1)?.bytes)
    case 'intstr': {
      const found = parts(expectBytes(wire))
      return (found.get(1)?.value ?? 0n) === 0n ? integer(found.get(2)?.value ?? 0n) : text.decode(found.get(3)?.bytes)
    }
    case 'time':
    case 'microtime': {
      const found = parts(expectBytes(wire))
      const [seconds, nanos] = [BigInt.asIntN(64, found.get(1)?.value ?? 0n), integer(found.get(2)?.value ?? 0n)]
      return seconds === 0n && nanos === 0 ? null : timeText(seconds, nanos, scalar === 'time' ? 0 : 6)
    }
    case 'duration':
      return durationText(BigInt.asIntN(64, parts(expectBytes(wire)).get(1)?.value ?? 0n))
    case 'raw':
    case 'fieldsv1':
    case 'json':
      return rawJson(parts(expectBytes(wire)).get(1)?.bytes)
  }
}

function rawJson(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined || bytes.length === 0) return null
  try {
    return JSON.parse(text.decode(bytes)) as unknown
  } catch (cause) {
    throw new DecodeError('a raw field holds no JSON', { cause })
  }
}

function isZero(type: TypeRef, value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true
  if (type.kind === 'list') return (value as unknown[]).length === 0
  if (type.kind === 'map') return Object.keys(value).length === 0
  return false
}

/** The zero value as Go writes it to JSON. */
export function zero(type: TypeRef, decoding: Decoding): unknown {
  if (type.kind === 'struct') {
    const struct = builtinSchema.struct(type.name)
    return struct === null || isUnion(type.name) ? null : assemble(struct, new Map(), decoding)
  }
  if (type.kind !== 'scalar') return null
  switch (type.scalar) {
    case 'string':
      return ''
    case 'quantity':
      return '0'
    case 'duration':
      return '0s'
    case 'bool':
      return false
    case 'int32':
    case 'int64':
    case 'float64':
    case 'intstr':
      return 0
    default:
      return null
  }
}

/** Puts found fields into Go's order, embedded messages flattened, zeros as their tags say. */
function assemble(struct: StructType, found: Map<string, unknown>, decoding: Decoding): Json {
  const embedded: Json = {}
  for (const field of struct.wire) {
    if (!field.embedded) continue
    const value = found.get(field.name) ?? (field.pointer ? {} : zero(field.type, decoding))
    Object.assign(embedded, value)
  }
  const result: Json = {}
  for (const field of struct.fields.values()) {
    if (Object.hasOwn(embedded, field.name)) {
      result[field.name] = embedded[field.name]
      continue
    }
    const value = found.get(field.name)
    const isStruct = field.type.kind === 'struct'
    if (field.pointer) {
      if (value !== undefined && value !== null) result[field.name] = value
      else if (!field.omitEmpty) result[field.name] = null
    } else if (isZero(field.type, value)) {
      if (
        isStruct ||
        !field.omitEmpty ||
        (field.type.kind === 'scalar' && field.type.scalar === 'intstr') ||
        (field.type.kind === 'scalar' && (field.type.scalar === 'time' || field.type.scalar === 'microtime') && !field.omitZero)
      )
        if (!isEmbeddedOnly(struct, field.name)) result[field.name] = zero(field.type, decoding)
    } else result[field.name] = value
  }
  return result
}

/** Whether a JSON field comes from an embedded message, which has decided about its zero already. */
function isEmbeddedOnly(struct: StructType, name: string): boolean {
  return !struct.wire.some((each) => each.name === name)
}

/** Go's zero object of a struct in JSON: empty structs and zeros without `omitempty`. What an object is compared with on creation. */
export function zeroObject(struct: StructType): Json {
  return assemble(struct, new Map(), { unknown: [], depth: 0 })
}
