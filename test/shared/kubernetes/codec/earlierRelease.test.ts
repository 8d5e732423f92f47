import { describe, expect, it } from 'vitest'
import { decodeProtobuf, encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

const statefulSet = (status: object): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'web', managedFields: [{ manager: 'kubectl', operation: 'Update', apiVersion: 'apps/v1', fieldsType: 'FieldsV1', fieldsV1: {} }] },
  spec: { serviceName: 'web', selector: {}, template: { metadata: {}, spec: { containers: [] } } },
  status: { replicas: 1, ...status },
})

describe('protobuf as an earlier release stores it', () => {
  it('leaves out fields that came later and say nothing', () => {
    const [newest, earlier] = [undefined, 20].map((minor) => encodeProtobuf(statefulSet({}), null, minor))
    // minReadySeconds, availableReplicas and the subresource of the entry in managedFields: a tag and a zero each.
    expect((newest?.length ?? 0) - (earlier?.length ?? 0)).toBe(6)
  })

  it('writes them when they say something', () => {
    const { object } = decodeProtobuf(encodeProtobuf(statefulSet({ availableReplicas: 3 }), null, 20))
    expect(object['status']).toMatchObject({ availableReplicas: 3 })
  })
})

describe('integers beyond 2^53', () => {
  /** A generation of 2^53 + 1, which JSON's numbers here cannot hold: field 7 of metadata. */
  const GENERATION = [0x38, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]
  const secret = (generation: number): KubeObject => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', generation } })

  function withGeneration(): Uint8Array {
    const bytes = Buffer.from(encodeProtobuf(secret(2 ** 53)))
    const at = bytes.indexOf(Buffer.from([GENERATION[0] ?? 0, 0x80, ...GENERATION.slice(2)]))
    bytes.set(GENERATION, at)
    return bytes
  }

  it('come back as they were when they were left alone', () => {
    const bytes = withGeneration()
    const { object, kept } = decodeProtobuf(bytes)
    expect(object.metadata.generation).toBe(2 ** 53)
    expect(Buffer.compare(encodeProtobuf(object, kept), bytes)).toBe(0)
  })

  it('give way to another value', () => {
    const { kept } = decodeProtobuf(withGeneration())
    expect(decodeProtobuf(encodeProtobuf(secret(7), kept)).object.metadata.generation).toBe(7)
  })
})
