import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CONFIG_MAPS } from '#electron/client/resources.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

const MASTER = { username: 'admin', groups: ['system:masters'] }

describe('objects shared within the process', () => {
  const { signal } = new AbortController()
  let server: TestApiServer
  let client: RestClient

  beforeAll(async () => {
    server = await startTestApiServer('shared')
    client = new RestClient(server.api.transport(MASTER))
    for (const name of ['one', 'two'])
      await client.create(CONFIG_MAPS, { namespace: 'default' }, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { of: name } }, signal)
  })
  afterAll(() => server.close())

  it('gives who shares the same objects twice, and what the wire would say', async () => {
    const [first, second, own] = [
      await client.list(CONFIG_MAPS, { namespace: 'default', shares: true }, signal),
      await client.list(CONFIG_MAPS, { namespace: 'default', shares: true }, signal),
      await client.list(CONFIG_MAPS, { namespace: 'default' }, signal),
    ]
    expect(first.items.map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining(['one', 'two']))
    expect(first).toEqual(own)
    first.items.forEach((item, index) => {
      expect(item).toBe(second.items[index])
      expect(item).not.toBe(own.items[index])
    })
  })

  it('gives the changes of a watch as the objects that a list has then', async () => {
    const { metadata } = await client.list(CONFIG_MAPS, { namespace: 'default', shares: true }, signal)
    const end = new AbortController()
    const seen: { type: string; object: object }[] = []
    const watching = (async () => {
      for await (const event of client.watch(CONFIG_MAPS, { namespace: 'default', resourceVersion: metadata.resourceVersion, shares: true }, end.signal)) {
        if (event.type !== 'BOOKMARK') seen.push(event)
        if (seen.length === 2) return
      }
    })()
    const changed = await client.patch(CONFIG_MAPS, { namespace: 'default', name: 'one' }, { data: { of: 'else' } }, { type: 'merge' }, signal)
    const { items } = await client.list(CONFIG_MAPS, { namespace: 'default', shares: true }, signal)
    await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'two' }, {}, signal)
    await watching
    end.abort()
    expect(seen.map(({ type }) => type)).toEqual(['MODIFIED', 'DELETED'])
    expect(seen[0]?.object).toEqual(changed)
    expect(seen[0]?.object).toBe(items.find((item) => item.metadata.name === 'one'))
    expect(seen[1]?.object).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'two' }, data: { of: 'two' } })
  })

  it('answers a selection in the same way', async () => {
    const { items } = await client.list(CONFIG_MAPS, { fieldSelector: 'metadata.name=one', shares: true }, signal)
    expect(items).toHaveLength(1)
    expect(items[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { of: 'else' } })
  })
})
