import type { KubeObject } from '../object.ts'
import { builtinSchema } from '../schema/schema.ts'
import { decodeStruct, type Decoding } from './messageDecoder.ts'
import { encodeStruct, EncodeError } from './messageEncoder.ts'
import { DecodeError, ProtobufReader } from './protobufReader.ts'
import { ProtobufWriter } from './protobufWriter.ts'
import type { UnknownFields } from './unknownFields.ts'

/** Media type of Kubernetes protobuf bodies. */
export const PROTOBUF_MEDIA_TYPE = 'application/vnd.kubernetes.protobuf'

const MAGIC = Uint8Array.of(0x6b, 0x38, 0x73, 0x00)

/** Whether bytes start with the protobuf envelope's `k8s\0`. */
export function isProtobuf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && MAGIC.every((byte, index) => bytes[index] === byte)
}

export interface Decoded {
  object: KubeObject
  /** `type:number` of fields that the table does not know. */
  unknown: string[]
  /** Those fields themselves, and what else the object's JSON cannot hold: to be given to `encodeProtobuf` when it is written back. */
  kept: UnknownFields | null
}

/** The envelope alone: what kind the bytes hold, and the message. @throws DecodeError */
export function decodeEnvelope(bytes: Uint8Array): { apiVersion: string; kind: string; raw: Uint8Array } {
  if (!isProtobuf(bytes)) throw new DecodeError('the bytes do not start with the Kubernetes protobuf prefix')
  const text = new TextDecoder('utf-8')
  const envelope = { apiVersion: '', kind: '', raw: new Uint8Array(0) as Uint8Array }
  const reader = new ProtobufReader(bytes.subarray(4))
  for (let wire = reader.next(); wire !== null; wire = reader.next()) {
    if (wire.number === 2) envelope.raw = wire.bytes
    if (wire.number !== 1) continue
    const meta = new ProtobufReader(wire.bytes)
    for (let part = meta.next(); part !== null; part = meta.next()) {
      if (part.number === 1) envelope.apiVersion = text.decode(part.bytes)
      else if (part.number === 2) envelope.kind = text.decode(part.bytes)
    }
  }
  return envelope
}

/**
 * A built-in object from its protobuf envelope, as the JSON that Go would write. The contents of lists carry no kind and
 * apiVersion, as in upstream.
 *
 * @throws DecodeError when the bytes are damaged or the kind is not in the table
 */
export function decodeProtobuf(bytes: Uint8Array): Decoded {
  const { apiVersion, kind, raw } = decodeEnvelope(bytes)
  const struct = builtinSchema.typeOf(apiVersion, kind)
  if (struct === null) throw new DecodeError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  const decoding: Decoding = { unknown: [], depth: 0 }
  const fields = decodeStruct(struct, raw, decoding)
  delete fields['kind']
  delete fields['apiVersion']
  return { object: { kind, apiVersion, ...fields } as KubeObject, unknown: decoding.unknown, kept: decoding.kept ?? null }
}

/**
 * A built-in object as protobuf with its envelope: what kube-apiserver keeps in etcd and sends to clients that ask for it.
 *
 * @param kept unknown fields of the object as it was read, of the same version; those of list items that went go too
 * @param minor the release of the server that writes: what came later is left out when it is zero
 * @throws EncodeError when the kind is not in the table or a value does not fit its type
 */
export function encodeProtobuf(object: KubeObject, kept: UnknownFields | null = null, minor?: number): Uint8Array<ArrayBuffer> {
  const [apiVersion, kind] = [object.apiVersion ?? '', object.kind ?? '']
  const struct = builtinSchema.typeOf(apiVersion, kind)
  if (struct === null) throw new EncodeError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  const writer = new ProtobufWriter(2048, minor)
  writer.string(4, '')
  writer.string(3, '')
  writer.message(2, () => {
    encodeStruct(struct, object, writer, kept)
  })
  writer.message(1, () => {
    writer.string(2, kind)
    writer.string(1, apiVersion)
  })
  writer.raw(MAGIC)
  return writer.finish()
}

/** An object from stored or sent bytes, protobuf or JSON. @throws DecodeError */
export function decodeObject(bytes: Uint8Array): Decoded {
  if (isProtobuf(bytes)) return decodeProtobuf(bytes)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new DecodeError('the bytes are neither Kubernetes protobuf nor JSON', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new DecodeError('the JSON is no object')
  return { object: value as KubeObject, unknown: [], kept: null }
}
