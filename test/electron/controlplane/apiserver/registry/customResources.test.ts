import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ApiAnswer } from '../../../../support/apiConnection.ts'
import { startTestApiServer, type TestApiServer } from '../../../../support/testApiServer.ts'

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets'

const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 9 },
        name: { type: 'string', default: 'x', maxLength: 5, pattern: '^[a-z]+$' },
        mode: { type: 'string', enum: ['a', 'b'] },
        tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port', 'protocol'],
          items: {
            type: 'object',
            required: ['port'],
            properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' }, note: { type: 'string' } },
          },
        },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        amount: { 'x-kubernetes-int-or-string': true },
      },
      'x-kubernetes-validations': [
        { rule: "!has(self.mode) || self.mode != 'b' || self.size > 1", message: 'mode b needs more than one' },
        { rule: 'self.size >= oldSelf.size', messageExpression: "'may only grow'", fieldPath: '.size', reason: 'FieldValueForbidden' },
      ],
    },
    status: { type: 'object', properties: { ready: { type: 'boolean' }, replicas: { type: 'integer' } } },
  },
}

function definition(plural: string, kind: string, version: object = {}, names: object = {}): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural, kind, shortNames: [plural.slice(0, 2)], categories: ['all'], ...names },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.replicas' } },
          additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
          selectableFields: [{ jsonPath: '.spec.mode' }],
          ...version,
        },
      ],
    },
  }
}

const widget = (name: string, spec: object, metadata: object = {}): object => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name, ...metadata },
  spec,
})

let server: TestApiServer
const call = (method: string, path: string, body?: unknown, type = 'application/json'): Promise<ApiAnswer> =>
  server.connection.call({ method, path, headers: { 'content-type': type }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })

async function until(path: string, is: (answer: ApiAnswer) => boolean): Promise<ApiAnswer> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const answer = await call('GET', path)
    if (is(answer)) return answer
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error(`${path} does not become what is waited for`)
}

const conditionsOf = (answer: ApiAnswer): Record<string, string> =>
  Object.fromEntries(
    ((answer.json?.['status'] as { conditions?: { type: string; status: string; reason: string }[] } | undefined)?.conditions ?? []).map((each) => [
      each.type,
      `${each.status} ${each.reason}`,
    ]),
  )

beforeAll(async () => {
  server = await startTestApiServer('custom-resources')
  await call('POST', DEFINITIONS, definition('widgets', 'Widget'))
  await until(WIDGETS, ({ status }) => status === 200)
})
afterAll(() => server.close())

describe('a custom resource', () => {
  it('is completed, pruned and counted', async () => {
    const { status, json, headers } = await call(
      'POST',
      WIDGETS,
      widget('first', { size: 2, bogus: 1, ports: [{ port: 1 }], free: { any: [null] }, amount: '5%' }),
    )
    expect(status).toBe(201)
    expect(json?.['spec']).toEqual({ size: 2, name: 'x', ports: [{ port: 1, protocol: 'TCP' }], free: { any: [null] }, amount: '5%' })
    expect(json?.['metadata']).toMatchObject({ generation: 1 })
    expect(headers['warning']).toBe('299 - "unknown field \\"spec.bogus\\""')
  })

  it.each([
    [{}, 'spec.size: Required value'],
    [{ size: 'x' }, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'],
    [{ size: 12 }, 'spec.size: Invalid value: 12: spec.size in body should be less than or equal to 9'],
    [{ size: 1, name: 'toolong' }, 'spec.name: Too long: may not be more than 5 bytes'],
    [{ size: 1, name: 'A' }, `spec.name: Invalid value: "A": spec.name in body should match '^[a-z]+$'`],
    [{ size: 1, mode: 'z' }, 'spec.mode: Unsupported value: "z": supported values: "a", "b"'],
    [{ size: 1, tags: ['a', 'a'] }, 'spec.tags[1]: Duplicate value: "a"'],
    [{ size: 1, ports: [{ port: 1 }, { port: 1 }] }, 'spec.ports[1]: Duplicate value: {"port":1,"protocol":"TCP"}'],
    [{ size: 1, amount: true }, 'spec.amount: Invalid value: "boolean": spec.amount in body must be of type integer,string: "boolean"'],
    [{ size: 1, mode: 'b' }, 'spec: Invalid value: mode b needs more than one'],
  ])('is refused with the words of the schema: %j', async (spec, message) => {
    const { status, json } = await call('POST', WIDGETS, widget('bad', spec))
    expect(status).toBe(422)
    expect(json?.['message']).toContain(message)
  })

  it('keeps to rules that look at what was before', async () => {
    await call('POST', WIDGETS, widget('growing', { size: 5 }))
    const { json } = await call('PATCH', `${WIDGETS}/growing`, { spec: { size: 4 } }, 'application/merge-patch+json')
    expect(json?.['message']).toBe('Widget.example.com "growing" is invalid: spec.size: Forbidden: may only grow')
    expect((await call('PATCH', `${WIDGETS}/growing`, { spec: { size: 6 } }, 'application/merge-patch+json')).json?.['metadata']).toMatchObject({
      generation: 2,
    })
  })

  it('has a status of its own and a scale', async () => {
    await call('POST', WIDGETS, { ...widget('scaled', { size: 3 }), status: { ready: true } })
    const status = await call('PATCH', `${WIDGETS}/scaled/status`, { spec: { size: 9 }, status: { ready: true, replicas: 2 } }, 'application/merge-patch+json')
    expect(status.json).toMatchObject({ spec: { size: 3 }, status: { ready: true, replicas: 2 }, metadata: { generation: 1 } })
    expect((await call('GET', `${WIDGETS}/scaled/scale`)).json).toMatchObject({ kind: 'Scale', spec: { replicas: 3 }, status: { replicas: 2 } })
    await call('PATCH', `${WIDGETS}/scaled/scale`, { spec: { replicas: 7 } }, 'application/merge-patch+json')
    expect((await call('GET', `${WIDGETS}/scaled`)).json?.['spec']).toMatchObject({ size: 7 })
  })

  it('is applied by its list types, and not with fields the schema lacks', async () => {
    const apply = (manager: string, spec: object): Promise<ApiAnswer> =>
      call('PATCH', `${WIDGETS}/applied?fieldManager=${manager}`, widget('applied', spec), 'application/apply-patch+yaml')
    expect((await apply('one', { size: 1, ports: [{ port: 80, note: 'one' }], tags: ['a'] })).status).toBe(201)
    const second = await apply('two', { ports: [{ port: 81 }], tags: ['b'] })
    expect(second.json?.['spec']).toMatchObject({ ports: [{ port: 80 }, { port: 81 }], tags: ['a', 'b'] })
    expect((await apply('two', { ports: [{ port: 80, note: 'two' }] })).json?.['message']).toBe(
      'Apply failed with 1 conflict: conflict with "one": .spec.ports[port=80,protocol="TCP"].note',
    )
    expect((await apply('two', { bogus: 1 })).json?.['message']).toBe(
      'failed to create typed patch object (/applied; example.com/v1, Kind=Widget): .spec.bogus: field not declared in schema',
    )
  })

  it('takes no strategic merge patch', async () => {
    const { status, json } = await call('PATCH', `${WIDGETS}/first`, {}, 'application/strategic-merge-patch+json')
    expect(status).toBe(415)
    expect(json?.['message']).toBe(
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    )
  })

  it('is found by its selectable fields and printed by its columns', async () => {
    await call('POST', WIDGETS, widget('selected', { size: 2, mode: 'a' }))
    const found = await call('GET', `${WIDGETS}?fieldSelector=spec.mode%3Da`)
    expect((found.json?.['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name)).toEqual(['selected'])
    expect((await call('GET', `${WIDGETS}?fieldSelector=spec.name%3Da`)).json?.['message']).toBe('field label not supported: spec.name')
    const table = await server.connection.call({ path: WIDGETS, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } })
    expect(table.json?.['columnDefinitions']).toMatchObject([{ name: 'Name' }, { name: 'Size', type: 'integer' }])
  })
})

describe('a custom resource definition', () => {
  it('is announced at once', async () => {
    const { json } = await call('GET', '/apis/example.com/v1')
    expect(json?.['resources']).toMatchObject([
      { name: 'widgets', singularName: 'widget', kind: 'Widget', shortNames: ['wi'], categories: ['all'] },
      { name: 'widgets/scale', kind: 'Scale', group: 'autoscaling' },
      { name: 'widgets/status' },
    ])
    expect(conditionsOf(await call('GET', `${DEFINITIONS}/widgets.example.com`))).toEqual({
      NamesAccepted: 'True NoConflicts',
      Established: 'True InitialNamesAccepted',
    })
  })

  it('waits for names that another has', async () => {
    await call('POST', DEFINITIONS, definition('wires', 'Widget'))
    const path = `${DEFINITIONS}/wires.example.com`
    expect(conditionsOf(await until(path, (answer) => conditionsOf(answer)['NamesAccepted'] !== undefined))).toEqual({
      NamesAccepted: 'False ListKindConflict',
      Established: 'False NotAccepted',
    })
    expect((await call('GET', '/apis/example.com/v1/namespaces/default/wires')).status).toBe(404)
    await call('DELETE', path)
    await until(path, ({ status }) => status === 404)
  })

  it('goes after its objects', async () => {
    await call('POST', DEFINITIONS, definition('gadgets', 'Gadget'))
    const gadgets = '/apis/example.com/v1/namespaces/default/gadgets'
    await until(gadgets, ({ status }) => status === 200)
    await call('POST', gadgets, { apiVersion: 'example.com/v1', kind: 'Gadget', metadata: { name: 'one' }, spec: { size: 1 } })
    const deleted = await call('DELETE', `${DEFINITIONS}/gadgets.example.com`)
    expect(deleted.json?.['metadata']).toMatchObject({ finalizers: ['customresourcecleanup.apiextensions.k8s.io'] })
    expect(conditionsOf(deleted)['Terminating']).toBe('True InstanceDeletionPending')
    await until(`${DEFINITIONS}/gadgets.example.com`, ({ status }) => status === 404)
    expect((await call('GET', gadgets)).text).toBe('404 page not found\n')
    const left = await server.etcd.range(
      { key: new TextEncoder().encode('/registry/example.com/gadgets/'), rangeEnd: new TextEncoder().encode('/registry/example.com/gadgets0') },
      { signal: AbortSignal.timeout(5000) },
    )
    expect(left.kvs).toEqual([])
  })
})
