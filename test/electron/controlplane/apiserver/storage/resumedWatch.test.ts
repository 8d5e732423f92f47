import { describe, expect, it } from 'vitest'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

interface Listed {
  metadata: { resourceVersion: string }
}

/** Who is authorized is looked up before the store is read: those collections are there before their contents. */
const KINDS: [path: string, object: object][] = [
  ['/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles', { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role' }],
  ['/api/v1/namespaces/default/configmaps', { apiVersion: 'v1', kind: 'ConfigMap' }],
]

async function changes(api: EmbeddedApi, path: string, since: string, count: number): Promise<string[]> {
  const stop = new AbortController()
  const seen: string[] = []
  for await (const { type, object } of api.watch(`${path}?watch=true&resourceVersion=${since}`, stop.signal)) {
    seen.push(`${type} ${(object as { metadata: { name: string } }).metadata.name}`)
    if (seen.length === count) break
  }
  stop.abort()
  return seen
}

describe('a watch that resumes after the server was started again', { timeout: 30_000 }, () => {
  it.each(KINDS)('is told what it missed of %s', async (path, object) => {
    const directory = temporaryDirectory('resumed-watch')
    const before = await startEmbeddedApi(directory, 'v1.36.4')
    const named = (name: string): object => ({ ...object, metadata: { name } })
    await before.call('POST', path, named('gone'))
    const since = ((await before.call('GET', path)).body as Listed).metadata.resourceVersion
    await before.call('POST', path, named('new'))
    await before.call('DELETE', `${path}/gone`)
    await before.close()

    const after = await startEmbeddedApi(directory, 'v1.36.4')
    expect(await changes(after, path, since, 2)).toEqual(['ADDED new', 'DELETED gone'])
    await after.close()
  })
})
