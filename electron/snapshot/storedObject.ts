import { stringify } from 'yaml'
import { decodeObject, isProtobuf } from '#shared/kubernetes/codec/codec.ts'
import type { DecodeObject } from './etcdView.ts'

/** A stored Kubernetes object, protobuf or JSON, as YAML; null for values that are none or of an unknown kind. */
export const storedObjectAsYaml: DecodeObject = (value) => {
  try {
    const { object } = decodeObject(value)
    if (typeof object.kind !== 'string' || typeof object.apiVersion !== 'string') return null
    return { text: stringify(object, { lineWidth: 0 }), encoding: isProtobuf(value) ? 'protobuf' : 'json' }
  } catch {
    // Whatever it is, it is no object this version knows; the caller shows it as text or bytes.
    return null
  }
}
