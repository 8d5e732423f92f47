import { builtinSchema } from '../schema/schema.ts'
import { decodeStruct, type Decoding } from './messageDecoder.ts'
import { encodeStruct } from './messageEncoder.ts'
import { DecodeError, ProtobufReader } from './protobufReader.ts'
import type { ProtobufWriter } from './protobufWriter.ts'

/** JSON schema's three "this or that" types of custom resource definitions: in JSON just the value, in protobuf a message. */
const UNIONS = new Set(['JSONSchemaPropsOrArray', 'JSONSchemaPropsOrBool', 'JSONSchemaPropsOrStringArray'])

export function isUnion(type: string): boolean {
  return type.startsWith('apiextensions.') && UNIONS.has(type.slice(type.lastIndexOf('.') + 1))
}

/** @throws DecodeError when the bytes are no such message */
export function decodeUnion(type: string, bytes: Uint8Array, decoding: Decoding): unknown {
  const name = type.slice(type.lastIndexOf('.') + 1)
  const struct = builtinSchema.struct(`${type.slice(0, type.lastIndexOf('.'))}.JSONSchemaProps`)
  if (struct === null) throw new DecodeError(`no type for ${type}`)
  const schemaNumber = name === 'JSONSchemaPropsOrBool' ? 2 : 1
  const list: unknown[] = []
  let allows = false
  const reader = new ProtobufReader(bytes)
  for (let wire = reader.next(); wire !== null; wire = reader.next()) {
    if (wire.number === schemaNumber) return decodeStruct(struct, wire.bytes, decoding)
    if (name === 'JSONSchemaPropsOrBool') allows = wire.value !== 0n
    else list.push(name === 'JSONSchemaPropsOrArray' ? decodeStruct(struct, wire.bytes, decoding) : new TextDecoder('utf-8').decode(wire.bytes))
  }
  return name === 'JSONSchemaPropsOrBool' ? allows : list
}

/** Writes the union's message content (in descending order, as the writer wants it). */
export function encodeUnion(type: string, value: unknown, writer: ProtobufWriter): void {
  const name = type.slice(type.lastIndexOf('.') + 1)
  const struct = builtinSchema.struct(`${type.slice(0, type.lastIndexOf('.'))}.JSONSchemaProps`)
  if (struct === null) return
  const schema = (number: number, item: unknown): void => {
    writer.message(number, () => {
      encodeStruct(struct, item, writer)
    })
  }
  if (typeof value === 'boolean') writer.integer(1, value ? 1n : 0n)
  else if (Array.isArray(value)) {
    for (const item of (value as unknown[]).toReversed()) {
      if (name === 'JSONSchemaPropsOrArray') schema(2, item)
      else writer.string(2, String(item))
    }
  } else if (name === 'JSONSchemaPropsOrBool') {
    schema(2, value)
    writer.integer(1, 1n)
  } else schema(1, value)
}
