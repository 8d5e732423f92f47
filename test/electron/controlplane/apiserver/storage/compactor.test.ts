import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { Compactor } from '#electron/controlplane/apiserver/storage/compactor.ts'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

describe('compaction by the API server', () => {
  const dataDir = temporaryDirectory('compactor')
  const { signal } = new AbortController()
  let cluster: EmbeddedApi
  const compactors = (): Compactor => new Compactor({ etcd: cluster.etcd, clock: new FakeClock(), logger: silentLogger })
  const write = async (value: string): Promise<string> => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'counter' }, data: { value } }
    const path = '/api/v1/namespaces/default/configmaps'
    const put = await cluster.call('PUT', `${path}/counter`, object)
    const { body } = put.status === 404 ? await cluster.call('POST', path, object) : put
    return (body as { metadata: { resourceVersion: string } }).metadata.resourceVersion
  }
  const watched = async (resourceVersion: string): Promise<string> => {
    const path = `/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=${resourceVersion}&fieldSelector=metadata.name%3Dcounter`
    for await (const { type, object } of cluster.watch(path, signal))
      return `${type} ${String((object['data'] as { value?: string } | undefined)?.value ?? object['message'])}`
    return 'nothing'
  }

  beforeAll(async () => {
    cluster = await startEmbeddedApi(dataDir, 'v1.36.4')
  }, 30_000)
  afterAll(() => cluster.close())

  it('forgets what is older than the last turn, so that a restarted server answers 410 for it and serves the rest', async () => {
    const compactor = compactors()
    const first = await write('1')
    await write('2')
    await compactor.compact(signal)
    const third = await write('3')
    await write('4')
    await cluster.close()
    cluster = await startEmbeddedApi(dataDir, 'v1.36.4')
    // Nothing is forgotten yet: what happened before the restart is read from etcd.
    expect(await watched(first)).toBe('MODIFIED 2')
    expect(await watched(third)).toBe('MODIFIED 4')
    const second = compactors()
    // The key's version says that it is not this one's turn; then it is, with the revision seen at the first time.
    await second.compact(signal)
    await second.compact(signal)
    const last = await write('5')
    await cluster.close()
    cluster = await startEmbeddedApi(dataDir, 'v1.36.4')
    expect(await watched(first)).toMatch(/^ERROR too old resource version/)
    expect(await watched(String(Number(last) - 1))).toBe('MODIFIED 5')
  })

  it('leaves it to the one whose turn it is', async () => {
    const [a, b] = [compactors(), compactors()]
    const compacted = async (): Promise<number> => (await cluster.etcd.hashKv({}, { signal })).compactRevision
    for (const each of [a, b]) await each.compact(signal)
    const before = await compacted()
    await a.compact(signal)
    const after = await compacted()
    expect(after).toBeGreaterThan(before)
    await b.compact(signal)
    expect(await compacted()).toBe(after)
  })
})
