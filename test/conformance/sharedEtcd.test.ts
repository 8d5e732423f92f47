import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import { Http1Connection, http1Request, type TlsTarget } from '#test/bench/load/http1Connection.ts'
import { makePki, startEmbedded, startRealApiServer, type Served } from '#test/bench/load/servers.ts'
import { MINIMAL_OBJECTS } from '#test/support/minimalObjects.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

// A real kube-apiserver 1.20 and the embedded one on the embedded etcd at the same time: what one writes, the other serves.
const bin = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''

interface Answer {
  status: number
  body: JsonObject & { items?: JsonObject[] }
}

async function call(target: TlsTarget, method: string, path: string, body?: object, contentType = 'application/json'): Promise<Answer> {
  const connection = await Http1Connection.open(target)
  const answer = await connection.request(
    http1Request(method, path, body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': contentType } }),
    true,
  )
  connection.close()
  const text = answer.body?.toString() ?? ''
  return { status: answer.status, body: text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : {} }
}

interface Shown {
  apiVersion?: unknown
  kind?: unknown
  metadata?: JsonObject
  spec?: JsonObject
  status?: JsonObject
}

/** Of later releases, which 1.20 does not know and does not show. */
const LATER: Record<string, string[]> = {
  jobs: ['completionMode', 'suspend', 'podReplacementPolicy'],
  statefulsets: ['availableReplicas'],
}

function shown(object: JsonObject | undefined, path: string): unknown {
  // 1.20 writes the time of a template, which has none, as null.
  const copy = JSON.parse(JSON.stringify(object ?? {}, (_, value: unknown) => value ?? undefined)) as Shown
  // Items of a list carry neither.
  delete copy.apiVersion
  delete copy.kind
  delete copy.metadata?.['managedFields']
  for (const field of LATER[path.split('/').at(-1) ?? ''] ?? []) {
    Reflect.deleteProperty(copy.spec ?? {}, field)
    Reflect.deleteProperty(copy.status ?? {}, field)
  }
  return copy
}

describe.skipIf(bin === '')('a real kube-apiserver 1.20 on the embedded etcd', () => {
  const dir = temporaryDirectory('shared-etcd')
  let ours: Served | undefined
  let theirs: { api: TlsTarget; end(): Promise<void> } | undefined
  const served: { path: string; name: string }[] = []

  beforeAll(async () => {
    const pki = makePki(join(dir, 'kubernetes'))
    ours = await startEmbedded(join(dir, 'ours'), pki)
    for (const [index, { path, object }] of MINIMAL_OBJECTS.entries()) {
      const name = `shared-${String(index)}`
      const { metadata } = object as { metadata?: JsonObject }
      const made = await call(ours.api, 'POST', path, { ...object, metadata: { ...metadata, name, labels: { shared: 'yes' } } })
      // 1.20 does not serve every version of today.
      if (made.status === 404) continue
      expect([path, made.status, made.body['message']]).toEqual([path, 201, undefined])
      served.push({ path, name })
    }
    theirs = await startRealApiServer(bin, { pki, etcdPort: ours.etcd.port })
  })
  afterAll(async () => {
    await theirs?.end()
    await ours?.end()
  })

  it('serves the objects that the embedded API server wrote, field by field', async () => {
    expect(served.length).toBeGreaterThan(20)
    for (const { path, name } of served) {
      if (ours === undefined || theirs === undefined) throw new Error('the servers are not there')
      const [here, there] = await Promise.all([call(ours.api, 'GET', `${path}/${name}`), call(theirs.api, 'GET', `${path}/${name}`)])
      expect.soft([path, there.status, shown(there.body, path)]).toEqual([path, 200, shown(here.body, path)])
    }
  })

  it('has what it writes served by the embedded API server', async () => {
    for (const { path, name } of served) {
      if (ours === undefined || theirs === undefined) throw new Error('the servers are not there')
      const patch = { metadata: { annotations: { written: 'by the other' } } }
      const written = await call(theirs.api, 'PATCH', `${path}/${name}`, patch, 'application/merge-patch+json')
      expect.soft([path, written.status]).toEqual([path, 200])
      // Most recent: the embedded server asks its store first.
      const list = await call(ours.api, 'GET', `${path}?labelSelector=shared%3Dyes`)
      const found = list.body.items?.find((item) => (item['metadata'] as JsonObject)['name'] === name)
      expect.soft([path, shown(found, path)]).toEqual([path, shown(written.body, path)])
    }
  })

  it('sees what is deleted on either side', async () => {
    for (const [index, { path, name }] of served.entries()) {
      if (ours === undefined || theirs === undefined) throw new Error('the servers are not there')
      const [from, other] = index % 2 === 0 ? [ours.api, theirs.api] : [theirs.api, ours.api]
      const gone = await call(from, 'DELETE', `${path}/${name}`, { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' })
      expect.soft([path, gone.status]).toEqual([path, 200])
      const list = await call(other, 'GET', `${path}?labelSelector=shared%3Dyes`)
      expect.soft([path, (list.body.items ?? []).filter((item) => (item['metadata'] as JsonObject)['name'] === name)]).toEqual([path, []])
    }
  })
})
