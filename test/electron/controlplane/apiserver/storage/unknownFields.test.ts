import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeProtobuf, encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { noUnknownFields, type UnknownFields } from '#shared/kubernetes/codec/unknownFields.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

/** Fields of numbers that no release has given away. */
const LABELLED: UnknownFields['fields'][number] = { number: 4000, bytes: Uint8Array.of(0x82, 0xfa, 0x01, 0x03, 0x61, 0x62, 0x63) }
const COUNTED: UnknownFields['fields'][number] = { number: 3999, bytes: Uint8Array.of(0xf8, 0xf9, 0x01, 0x2a) }

const unknownWith = (fields: UnknownFields['fields'], within: [string, UnknownFields][] = []): UnknownFields => ({
  ...noUnknownFields(),
  fields,
  within: new Map(within),
})

const container = (name: string): object => ({ name, image: 'nginx', resources: {} })
const template = (containers: object[]): object => ({ metadata: { labels: { app: 'newer' } }, spec: { containers } })
const deployment = (containers: object[]): KubeObject => ({
  kind: 'Deployment',
  apiVersion: 'apps/v1',
  metadata: { name: 'newer', namespace: 'default', uid: 'b0a5b4d1-6f3e-4b6c-9f53-0b8f7d1c2a3e', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { selector: { matchLabels: { app: 'newer' } }, template: template(containers) },
})

/** To the deployment; within its spec (2), template (3) and pod spec (2), to that and the container (2) called b. */
const inPodSpec = (within: [string, UnknownFields][]): UnknownFields =>
  unknownWith([COUNTED], [['2', unknownWith([], [['3', unknownWith([], [['2', unknownWith([COUNTED, LABELLED], within)]])]])]])
const unknown = inPodSpec([['2/["b"]', unknownWith([LABELLED])]])

describe('protobuf fields that the table does not know', () => {
  const dataDir = temporaryDirectory('unknown-fields')
  const { signal } = new AbortController()
  const key = new TextEncoder().encode('/registry/deployments/default/newer')
  const path = '/apis/apps/v1/namespaces/default/deployments/newer'
  let cluster: EmbeddedApi
  const stored = async (): Promise<Uint8Array> => {
    const { kvs } = await cluster.etcd.range({ key }, { signal })
    return kvs[0]?.value ?? new Uint8Array(0)
  }

  beforeAll(async () => {
    cluster = await startEmbeddedApi(dataDir, 'v1.36.4')
  }, 30_000)
  afterAll(() => cluster.close())

  it('are read and written back to the same bytes', () => {
    const bytes = encodeProtobuf(deployment([container('a'), container('b')]), unknown)
    const decoded = decodeProtobuf(bytes)
    expect(decoded.unknown).toHaveLength(4)
    expect(Buffer.compare(encodeProtobuf(decoded.object, decoded.kept), bytes)).toBe(0)
  })

  it('stay where they were when a client writes the object and turns the list that they are in', async () => {
    await cluster.etcd.put({ key, value: encodeProtobuf(deployment([container('a'), container('b')]), unknown) }, { signal })
    // A list shows what was written to etcd itself.
    expect((await cluster.call('GET', '/apis/apps/v1/namespaces/default/deployments')).status).toBe(200)
    const patched = await cluster.call('PATCH', path, { metadata: { labels: { a: 'b' } } }, { 'content-type': 'application/merge-patch+json' })
    expect([patched.status, patched.body]).toMatchObject([200, { kind: 'Deployment' }])
    expect(decodeProtobuf(await stored()).kept).toEqual(unknown)
    const turned = { spec: { template: template([container('b'), container('a')]) } }
    expect((await cluster.call('PATCH', path, turned, { 'content-type': 'application/merge-patch+json' })).status).toBe(200)
    const last = decodeProtobuf(await stored())
    expect([last.object.metadata.labels, last.kept]).toEqual([{ a: 'b' }, unknown])
  })

  it('go with the list item that had them', () => {
    const decoded = decodeProtobuf(encodeProtobuf(deployment([container('a'), container('b')]), unknown))
    const kept = (containers: object[]): UnknownFields | null => decodeProtobuf(encodeProtobuf(deployment(containers), decoded.kept)).kept
    expect(kept([container('c'), container('b')])).toEqual(unknown)
    expect(kept([container('a')])).toEqual(inPodSpec([]))
  })
})
