import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeEnvelope } from '#shared/kubernetes/codec/codec.ts'
import type { KubeList, KubeObject } from '#shared/kubernetes/object.ts'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const budget = {
  apiVersion: 'policy/v1beta1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web', labels: { team: 'shop' } },
  spec: { minAvailable: 2, selector: { matchLabels: { app: 'web' } } },
}
const cron = {
  apiVersion: 'batch/v1beta1',
  kind: 'CronJob',
  metadata: { name: 'nightly', labels: { team: 'shop' } },
  spec: {
    schedule: '15 3 * * *',
    jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'backup', image: 'registry.example/backup:1' }] } } } },
  },
}
const slice = {
  apiVersion: 'discovery.k8s.io/v1beta1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web', team: 'shop' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
  ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
}
/** A kind whose old version goes in 1.25: where it was made, and where it is found afterwards. */
const kinds = [
  { name: 'PodDisruptionBudget', object: budget, old: '/apis/policy/v1beta1', now: '/apis/policy/v1', plural: 'poddisruptionbudgets' },
  { name: 'CronJob', object: cron, old: '/apis/batch/v1beta1', now: '/apis/batch/v1', plural: 'cronjobs' },
  { name: 'EndpointSlice', object: slice, old: '/apis/discovery.k8s.io/v1beta1', now: '/apis/discovery.k8s.io/v1', plural: 'endpointslices' },
]
const autoscaler = {
  apiVersion: 'autoscaling/v2beta1',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'web' },
  spec: { maxReplicas: 5, minReplicas: 1, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
}

describe('a cluster of 1.24 that becomes 1.25 while it runs', { timeout: 60_000 }, () => {
  const dataDir = temporaryDirectory('version-change')
  const { signal } = new AbortController()
  let cluster: EmbeddedApi
  const made = new Map<string, KubeObject>()
  const ended: Promise<string[]>[] = []

  /** Types of a watch's events until the server ends it. */
  async function typesUntilEnd(path: string): Promise<string[]> {
    const types: string[] = []
    for await (const { type } of cluster.watch(path, signal)) types.push(type)
    return types
  }

  beforeAll(async () => {
    cluster = await startEmbeddedApi(dataDir, 'v1.24.17')
    for (const { old, now, plural, object } of kinds) {
      const { status, body } = await cluster.call('POST', `${old}/namespaces/default/${plural}`, object)
      expect(status, JSON.stringify(body)).toBe(201)
      made.set(plural, body as KubeObject)
      ended.push(...[old, now].map((path) => typesUntilEnd(`${path}/${plural}?watch=true&labelSelector=team%3Dshop`)))
    }
    const scaled = await cluster.call('POST', '/apis/autoscaling/v2beta1/namespaces/default/horizontalpodautoscalers', autoscaler)
    expect(scaled.status, JSON.stringify(scaled.body)).toBe(201)
    // Both versions show one object.
    const both = await cluster.call('GET', '/apis/policy/v1/namespaces/default/poddisruptionbudgets/web')
    expect(both.body).toMatchObject({ apiVersion: 'policy/v1', metadata: { uid: made.get('poddisruptionbudgets')?.metadata.uid } })
    await cluster.api.setKubernetesVersion('v1.25.0')
  })
  afterAll(() => cluster.close())

  it('says its new version', async () => {
    expect((await cluster.call('GET', '/version')).body).toMatchObject({ major: '1', minor: '25', gitVersion: 'v1.25.0' })
  })

  it('ends every watch, of the old versions and of those that stay, as an API server that is replaced does', async () => {
    // The last line is an event, none of them an error: the connection was simply closed.
    expect(await Promise.all(ended)).toEqual(ended.map(() => ['ADDED']))
  })

  it.each(kinds)('answers 404 for the old version of $name, to every verb', async ({ old, plural, object }) => {
    const collection = `${old}/namespaces/default/${plural}`
    const one = `${collection}/${object.metadata.name}`
    const answers = await Promise.all([
      cluster.call('GET', old),
      cluster.call('GET', collection),
      cluster.call('GET', `${old}/${plural}?watch=true`),
      cluster.call('POST', collection, object),
      cluster.call('GET', one),
      cluster.call('PUT', one, object),
      cluster.call('PATCH', one, {}, { 'content-type': 'application/merge-patch+json' }),
      cluster.call('DELETE', one),
    ])
    // The group is still served, and answers for all of its paths.
    const missing = { reason: 'NotFound', message: 'the server could not find the requested resource' }
    for (const { status, body } of answers) expect([status, body]).toEqual([404, expect.objectContaining(missing)])
  })

  it('leaves the old versions out of discovery', async () => {
    const { body } = await cluster.call('GET', '/apis')
    const versions = (body as { groups: { versions: { groupVersion: string }[] }[] }).groups.flatMap((group) => group.versions.map((each) => each.groupVersion))
    expect(versions).toEqual(expect.arrayContaining(['policy/v1', 'batch/v1', 'discovery.k8s.io/v1', 'autoscaling/v2', 'autoscaling/v2beta2']))
    for (const gone of ['policy/v1beta1', 'batch/v1beta1', 'discovery.k8s.io/v1beta1', 'events.k8s.io/v1beta1', 'autoscaling/v2beta1', 'node.k8s.io/v1beta1'])
      expect(versions).not.toContain(gone)
    const openApi = await cluster.call('GET', '/openapi/v3')
    expect(Object.keys((openApi.body as { paths: object }).paths)).not.toContain('apis/policy/v1beta1')
  })

  it.each(kinds)('has the $name in its new version, with the same uid', async ({ now, plural, object }) => {
    const before = made.get(plural)
    const { status, body } = await cluster.call('GET', `${now}/namespaces/default/${plural}/${object.metadata.name}`)
    expect(status).toBe(200)
    expect(body).toMatchObject({ apiVersion: now.slice('/apis/'.length), kind: object.kind, metadata: { uid: before?.metadata.uid } })
    const list = (await cluster.call('GET', `${now}/${plural}?labelSelector=team%3Dshop`)).body as KubeList
    expect([list.apiVersion, ...list.items.map(({ metadata }) => metadata.name)]).toEqual([now.slice('/apis/'.length), object.metadata.name])
  })

  it('shows an autoscaler of a version that went in those that stayed', async () => {
    const { status, body } = await cluster.call('GET', '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web')
    expect(status).toBe(200)
    expect(body).toMatchObject({ apiVersion: 'autoscaling/v2', spec: { maxReplicas: 5 } })
  })

  it('watches on from a version before the change, in the new version', async () => {
    const before = made.get('cronjobs')
    const aborter = new AbortController()
    const events = cluster.watch(`/apis/batch/v1/cronjobs?watch=true&resourceVersion=${before?.metadata.resourceVersion ?? ''}`, aborter.signal)
    const patched = await cluster.call(
      'PATCH',
      '/apis/batch/v1/namespaces/default/cronjobs/nightly',
      { spec: { suspend: true } },
      { 'content-type': 'application/merge-patch+json' },
    )
    expect(patched.status).toBe(200)
    for await (const { type, object } of events) {
      expect([type, object['apiVersion'], (object['spec'] as { suspend: boolean }).suspend]).toEqual(['MODIFIED', 'batch/v1', true])
      break
    }
    aborter.abort()
  })
})

describe('objects that an older release stored in a version that is not stored any more', { timeout: 60_000 }, () => {
  const dataDir = temporaryDirectory('old-storage')

  it('are listed and watched in the new version, and stored in it once they are written', async () => {
    const old = await startEmbeddedApi(dataDir, 'v1.20.2')
    expect((await old.call('POST', '/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets', budget)).status).toBe(201)
    const key = Buffer.from('/registry/poddisruptionbudgets/default/web')
    const { signal } = new AbortController()
    const storedIn = async (etcd: EmbeddedApi['etcd']): Promise<string> =>
      decodeEnvelope((await etcd.range({ key }, { signal })).kvs[0]?.value ?? new Uint8Array(0)).apiVersion
    expect(await storedIn(old.etcd)).toBe('policy/v1beta1')
    await old.close()
    const now = await startEmbeddedApi(dataDir, 'v1.36.4')
    const list = (await now.call('GET', '/apis/policy/v1/poddisruptionbudgets')).body as KubeList
    expect(list).toMatchObject({ apiVersion: 'policy/v1', items: [{ metadata: { name: 'web' }, spec: { minAvailable: 2 } }] })
    for await (const { type, object } of now.watch('/apis/policy/v1/poddisruptionbudgets?watch=true', signal)) {
      expect([type, object['apiVersion']]).toEqual(['ADDED', 'policy/v1'])
      break
    }
    const path = '/apis/policy/v1/namespaces/default/poddisruptionbudgets/web'
    expect((await now.call('PATCH', path, { spec: { minAvailable: 1 } }, { 'content-type': 'application/merge-patch+json' })).status).toBe(200)
    expect(await storedIn(now.etcd)).toBe('policy/v1')
    await now.close()
  })
})

describe('every release from 1.20 to 1.36', { timeout: 60_000 }, () => {
  it('can be served by one cluster after another, with the objects of the first still there', async () => {
    const cluster = await startEmbeddedApi(temporaryDirectory('every-version'), 'v1.20.0')
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' }, data: { a: 'b' } }
    expect((await cluster.call('POST', '/api/v1/namespaces/default/configmaps', config)).status).toBe(201)
    for (let minor = 20; minor <= 36; minor++) {
      await cluster.api.setKubernetesVersion(`v1.${String(minor)}.0`)
      expect((await cluster.call('GET', '/version')).body).toMatchObject({ minor: String(minor) })
      expect((await cluster.call('GET', '/api/v1/namespaces/default/configmaps/kept')).body).toMatchObject({ data: { a: 'b' } })
      // Each list that discovery names can be had.
      const groups = (await cluster.call('GET', '/apis')).body as { groups: { versions: { groupVersion: string }[] }[] }
      for (const { groupVersion } of groups.groups.flatMap((group) => group.versions)) {
        const found = (await cluster.call('GET', `/apis/${groupVersion}`)).body as { resources: { name: string; verbs: string[] }[] }
        for (const { name } of found.resources.filter(({ verbs }) => verbs.includes('list')))
          expect((await cluster.call('GET', `/apis/${groupVersion}/${name}`)).status, `${groupVersion} ${name} in 1.${String(minor)}`).toBe(200)
      }
    }
    await cluster.close()
  })
})
