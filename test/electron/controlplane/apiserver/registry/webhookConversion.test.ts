import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ApiAnswer } from '#test/support/apiConnection.ts'
import { newAuthority, startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const OLD = '/apis/example.com/v1/namespaces/default/hosts'
const NEW = '/apis/example.com/v2/namespaces/default/hosts'

interface Review {
  apiVersion: string
  request: { uid: string; desiredAPIVersion: string; objects: (KubeObject & { spec: JsonObject })[] }
}

/** v1 has `address: "name:port"`, v2 has `name` and `port`. */
function converted(object: KubeObject & { spec: JsonObject }, apiVersion: string): KubeObject {
  const { address, name, port } = object.spec as { address?: string; name?: string; port?: string }
  const [first, second] = (address ?? '').split(':')
  return { ...object, apiVersion, spec: apiVersion === 'example.com/v2' ? { name: first, port: second } : { address: `${String(name)}:${String(port)}` } }
}

const success = ({ apiVersion, request }: Review, change: (object: KubeObject) => KubeObject = (object) => object): object => ({
  apiVersion,
  kind: 'ConversionReview',
  response: {
    uid: request.uid,
    result: { status: 'Success' },
    convertedObjects: request.objects.map((object) => change(converted(object, request.desiredAPIVersion))),
  },
})

const version = (name: string, properties: string[]): object => ({
  name,
  served: true,
  storage: name === 'v1',
  subresources: { status: {} },
  selectableFields: name === 'v2' ? [{ jsonPath: '.spec.port' }] : [],
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: { type: 'object', properties: Object.fromEntries(properties.map((each) => [each, { type: 'string' }])) },
        status: { type: 'object', properties: { seen: { type: 'boolean' } } },
      },
    },
  },
})

describe('conversion of custom resources by webhook', () => {
  const ca = newAuthority('conversion', Date.now())
  let server: TestApiServer
  let hook: Server
  let url = ''
  let answer: (review: Review) => object | null = success
  const reviews: Review[] = []

  const call = (method: string, path: string, body?: object, type = 'application/json'): Promise<ApiAnswer> =>
    server.connection.call({ method, path, headers: { 'content-type': type }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const definition = (clientConfig: object): object => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'hosts.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'hosts', singular: 'host', kind: 'Host', listKind: 'HostList' },
      versions: [version('v1', ['address']), version('v2', ['name', 'port'])],
      conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v7', 'v1'], clientConfig } },
    },
  })
  const caBundle = (authority: { certificate: string }): string => Buffer.from(authority.certificate).toString('base64')
  const host = (name: string, address: string): object => ({ apiVersion: 'example.com/v1', kind: 'Host', metadata: { name }, spec: { address } })
  const messageOf = ({ json }: ApiAnswer): unknown => json?.['message']

  beforeAll(async () => {
    server = await startTestApiServer('webhook-conversion')
    const serving = server.issue('hook', [], { authority: ca, usages: ['serverAuth'], ipAddresses: ['127.0.0.1'], dnsNames: ['hook.default.svc'] })
    hook = createServer({ cert: serving.certificate, key: serving.key }, (request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const review = JSON.parse(Buffer.concat(parts).toString('utf8')) as Review
        reviews.push(review)
        const body = answer(review)
        if (body === null) response.writeHead(503).end('not today')
        else response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
      })
    })
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
    url = `https://127.0.0.1:${String((hook.address() as AddressInfo).port)}/convert`
    const made = await call('POST', DEFINITIONS, definition({ url, caBundle: caBundle(ca) }))
    expect(made.status, made.text).toBe(201)
    for (;;) {
      const { status } = await call('GET', NEW)
      if (status === 200) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const [name, address] of [
      ['a', 'alpha:1'],
      ['b', 'beta:2'],
    ] as const)
      expect((await call('POST', OLD, host(name, address))).status).toBe(201)
  }, 60_000)
  afterAll(async () => {
    await server.close()
    hook.closeAllConnections()
    hook.close()
  })
  beforeEach(() => {
    answer = success
    reviews.length = 0
  })

  it('reads an object in the other version, and asks once as long as it stays', async () => {
    const first = await call('GET', `${NEW}/a`)
    expect(first.json).toMatchObject({ apiVersion: 'example.com/v2', kind: 'Host', metadata: { name: 'a' }, spec: { name: 'alpha', port: '1' } })
    expect((await call('GET', `${NEW}/a`)).text).toBe(first.text)
    expect(reviews).toMatchObject([
      {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'ConversionReview',
        request: { desiredAPIVersion: 'example.com/v2', objects: [{ metadata: { name: 'a' } }] },
      },
    ])
  })

  it('converts lists in one request, and selects by the fields of the version', async () => {
    await call('PATCH', `${OLD}/b`, { spec: { address: 'beta:3' } }, 'application/merge-patch+json')
    await call('PATCH', `${OLD}/a`, { metadata: { labels: { x: 'y' } } }, 'application/merge-patch+json')
    const listed = await call('GET', NEW)
    expect((listed.json?.['items'] as KubeObject[]).map((each) => each['spec'])).toEqual([
      { name: 'alpha', port: '1' },
      { name: 'beta', port: '3' },
    ])
    expect(reviews.map(({ request }) => request.objects.length)).toEqual([2])
    const selected = await call('GET', `${NEW}?fieldSelector=spec.port%3D3`)
    expect((selected.json?.['items'] as KubeObject[]).map(({ metadata }) => metadata.name)).toEqual(['b'])
  })

  it('writes in the storage version what it is sent in another', async () => {
    const made = await call('POST', NEW, { apiVersion: 'example.com/v2', kind: 'Host', metadata: { name: 'c' }, spec: { name: 'gamma', port: '4' } })
    expect([made.status, made.json?.['spec']]).toEqual([201, { name: 'gamma', port: '4' }])
    expect((await call('GET', `${OLD}/c`)).json?.['spec']).toEqual({ address: 'gamma:4' })
    const changed = await call('PATCH', `${NEW}/c`, { spec: { port: '5' } }, 'application/merge-patch+json')
    expect([changed.status, changed.json?.['spec']]).toEqual([200, { name: 'gamma', port: '5' }])
    const status = await call('PATCH', `${NEW}/c/status`, { status: { seen: true } }, 'application/merge-patch+json')
    expect([status.status, status.json?.['spec']]).toEqual([200, { name: 'gamma', port: '5' }])
    expect((await call('GET', `${OLD}/c`)).json?.['spec']).toEqual({ address: 'gamma:5' })
    expect((await call('DELETE', `${NEW}/c`)).status).toBe(200)
    expect((await call('GET', `${OLD}/c`)).status).toBe(404)
  })

  it('tells watches of changes in their version and in order', async () => {
    const { json } = await call('GET', OLD)
    const since = (json?.['metadata'] as { resourceVersion: string }).resourceVersion
    for (const port of ['6', '7', '8']) await call('PATCH', `${OLD}/a`, { spec: { address: `alpha:${port}` } }, 'application/merge-patch+json')
    const watched = call('GET', `${NEW}?watch=true&resourceVersion=${since}&timeoutSeconds=1`)
    for (const port of ['9', '10']) await call('PATCH', `${OLD}/a`, { spec: { address: `alpha:${port}` } }, 'application/merge-patch+json')
    const events = (await watched).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; object: KubeObject })
    expect(events.map(({ type, object }) => [type, object['spec']])).toEqual(['6', '7', '8', '9', '10'].map((port) => ['MODIFIED', { name: 'alpha', port }]))
  })

  it('takes labels and annotations from the webhook, and nothing else of the metadata', async () => {
    await call('PATCH', `${OLD}/a`, { metadata: { labels: { turn: '1' } } }, 'application/merge-patch+json')
    answer = (review) =>
      success(review, (object) => ({ ...object, metadata: { ...object.metadata, labels: { by: 'hook' }, finalizers: ['example.com/x'], generation: 99 } }))
    const { metadata } = (await call('GET', `${NEW}/a`)).json as unknown as KubeObject
    expect([metadata.labels, metadata.finalizers, metadata.generation === 99]).toEqual([{ by: 'hook' }, undefined, false])
  })

  const failed = 'conversion webhook for example.com/v1, Kind=Host'
  const faults: [string, (review: Review) => object | null, string][] = [
    [
      'its own message',
      ({ apiVersion, request }) => ({ apiVersion, kind: 'ConversionReview', response: { uid: request.uid, result: { status: 'Failed', message: 'no idea' } } }),
      `${failed} failed: no idea`,
    ],
    ['no response', ({ apiVersion }) => ({ apiVersion, kind: 'ConversionReview' }), `${failed} failed: no response provided`],
    [
      'another kind of answer',
      () => ({ apiVersion: 'v1', kind: 'Pod' }),
      `${failed} failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got v1, Kind=Pod`,
    ],
    [
      'too few objects',
      (review) => ({ ...success(review), response: { uid: review.request.uid, result: { status: 'Success' }, convertedObjects: [] } }),
      `${failed} returned 0 objects, expected 1`,
    ],
    [
      'the version it was',
      (review) => success(review, (object) => ({ ...object, apiVersion: 'example.com/v1' })),
      `${failed} returned invalid object: invalid groupVersion (expected example.com/v2, received example.com/v1)`,
    ],
    [
      'another kind',
      (review) => success(review, (object) => ({ ...object, kind: 'Guest' })),
      `${failed} returned invalid object: invalid kind (expected Host, received Guest)`,
    ],
    [
      'another name',
      (review) => success(review, (object) => ({ ...object, metadata: { ...object.metadata, name: 'z' } })),
      `${failed} returned invalid object: must have the same name: a != z`,
    ],
    [
      'a label that is none',
      (review) => success(review, (object) => ({ ...object, metadata: { ...object.metadata, labels: { turn: 1 as unknown as string } } })),
      `${failed} returned invalid metadata: metadata.labels[turn] must be a string, but is int64 in converted object`,
    ],
  ]
  it.each(faults)('refuses with 500 an answer with %s', async (_, wrong, message) => {
    await call('PATCH', `${OLD}/a`, { metadata: { labels: { turn: String(Math.random()) } } }, 'application/merge-patch+json')
    answer = wrong
    const read = await call('GET', `${NEW}/a`)
    expect([read.status, messageOf(read)]).toEqual([500, message])
    answer = success
    expect((await call('GET', `${NEW}/a`)).status).toBe(200)
  })

  it('says what the server answered that is no review, that a certificate is of nobody it knows, and which service is missing', async () => {
    const touched = (): Promise<ApiAnswer> =>
      call('PATCH', `${OLD}/a`, { metadata: { labels: { turn: String(Math.random()) } } }, 'application/merge-patch+json')
    await touched()
    answer = () => null
    expect(messageOf(await call('GET', `${NEW}/a`))).toBe(`${failed} failed: Post "${url}": not today`)
    const configured = async (clientConfig: object): Promise<unknown> => {
      const patch = { spec: { conversion: { webhook: { clientConfig } } } }
      expect((await call('PATCH', `${DEFINITIONS}/hosts.example.com`, patch, 'application/merge-patch+json')).status).toBe(200)
      return messageOf(await call('GET', `${NEW}/a`))
    }
    expect(await configured({ caBundle: caBundle(newAuthority('stranger', Date.now())) })).toMatch(
      /^conversion webhook for example.com\/v1, Kind=Host failed: Post .*certificate/,
    )
    expect(await configured({ url: null, caBundle: caBundle(ca), service: { namespace: 'default', name: 'hook', path: '/convert' } })).toBe(
      `${failed} failed: Post "https://hook.default.svc/convert": service "hook" not found`,
    )
  })
})
