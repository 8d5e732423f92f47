import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InflightLimits } from '#electron/controlplane/apiserver/filters/inflightLimits.ts'
import { ApiServerMetrics } from '#electron/controlplane/apiserver/metrics/apiServerMetrics.ts'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { openEtcdStore } from '#electron/controlplane/etcd/embeddedEtcd.ts'
import { ApiConnection, type ApiAnswer, type ApiCall } from '#test/support/apiConnection.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { newAuthority, startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'

describe('bad input to the API server', { timeout: 30_000 }, () => {
  let server: TestApiServer
  beforeAll(async () => {
    server = await startTestApiServer('bad-input')
  })
  afterAll(() => server.close())

  const answer = async (call: ApiCall): Promise<[number, unknown, unknown]> => {
    const { status, json }: ApiAnswer = await server.connection.call(call)
    return [status, json?.['reason'], json?.['message']]
  }

  it('refuses a body that is too large', async () => {
    const body = JSON.stringify({ metadata: { name: 'large' }, data: { a: 'x'.repeat(3 * 1024 * 1024) } })
    const call = { path: MAPS, body, headers: { 'content-type': 'application/json' } }
    expect(await answer(call)).toEqual([413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728'])
    expect((await server.connection.call({ path: `${MAPS}/large` })).status).toBe(404)
  })

  it('refuses a body of a kind it does not read', async () => {
    const call = { path: MAPS, body: 'name=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
    expect(await answer(call)).toEqual([415, 'UnsupportedMediaType', expect.stringContaining('the body of the request was in an unknown format')])
  })

  it('names an unknown field when asked to be strict', async () => {
    const body = { metadata: { name: 'x' }, dat: {} }
    expect(await answer({ path: `${MAPS}?fieldValidation=Strict`, body })).toEqual([
      400,
      'BadRequest',
      expect.stringContaining('strict decoding error: unknown field "dat"'),
    ])
    const warned = await server.connection.call({ path: MAPS, body })
    expect([warned.status, warned.headers['warning']]).toEqual([201, '299 - "unknown field \\"dat\\""'])
  })

  it('knows no path of a single one of what is only created', async () => {
    for (const path of ['/api/v1/namespaces/default/bindings', '/apis/authorization.k8s.io/v1/subjectaccessreviews']) {
      expect(await answer({ path })).toEqual([405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource'])
      expect(await answer({ path: `${path}/x` })).toEqual([404, 'NotFound', 'the server could not find the requested resource'])
    }
  })

  it('binds a pod by a Binding sent to its namespace, once', async () => {
    await server.connection.call({ path: '/api/v1/namespaces/default/serviceaccounts', body: { metadata: { name: 'default' } } })
    const pod = { metadata: { name: 'manual' }, spec: { containers: [{ name: 'c', image: 'i' }] } }
    expect((await server.connection.call({ path: '/api/v1/namespaces/default/pods', body: pod })).status).toBe(201)
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'manual' }, target: { apiVersion: 'v1', kind: 'Node', name: 'node02' } }
    const call = { path: '/api/v1/namespaces/default/bindings', body: binding }
    expect((await server.connection.call(call)).status).toBe(201)
    const { json } = await server.connection.call({ path: '/api/v1/namespaces/default/pods/manual' })
    expect(json).toMatchObject({ spec: { nodeName: 'node02' } })
    expect(await answer(call)).toEqual([
      409,
      'Conflict',
      'Operation cannot be fulfilled on pods/binding "manual": pod manual is already assigned to node "node02"',
    ])
  })

  it('names what is wrong with a name and a quantity', async () => {
    expect(await answer({ path: MAPS, body: { metadata: { name: 'No_Name' } } })).toEqual([
      422,
      'Invalid',
      expect.stringMatching(/^ConfigMap "No_Name" is invalid: metadata\.name: Invalid value: "No_Name"/),
    ])
    await server.connection.call({ path: '/api/v1/namespaces/default/serviceaccounts', body: { metadata: { name: 'default' } } })
    const spec = { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: 'plenty' } } }] }
    expect(await answer({ path: '/api/v1/namespaces/default/pods', body: { metadata: { name: 'p' }, spec } })).toEqual([
      400,
      'BadRequest',
      expect.stringContaining('quantities must match the regular expression'),
    ])
  })

  it('names a count of templates that is no number, as kube-apiserver 1.20.2 does for each way to write it', async () => {
    const [sets, name] = ['/apis/apps/v1/namespaces/default/daemonsets', 'deprecated.daemonset.template.generation']
    const spec = { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } } }
    const set = (count: string): object => ({ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'zz', annotations: { [name]: count } }, spec })
    const fault = 'strconv.ParseInt: parsing "x": invalid syntax'
    const decoded = `DaemonSet in version "v1" cannot be handled as a DaemonSet: ${fault}`
    expect(await answer({ path: sets, body: set('x') })).toEqual([400, 'BadRequest', decoded])
    expect((await server.connection.call({ path: sets, body: set('3') })).status).toBe(201)
    const patch = (type: string, body: unknown, query = ''): ReturnType<typeof answer> =>
      answer({ method: 'PATCH', path: `${sets}/zz${query}`, headers: { 'content-type': `application/${type}` }, body: JSON.stringify(body) })
    const merge = { metadata: { annotations: { [name]: 'x' } } }
    expect(await answer({ method: 'PUT', path: `${sets}/zz`, body: set('x') })).toEqual([400, 'BadRequest', decoded])
    expect(await patch('merge-patch+json', merge)).toEqual([
      422,
      'Invalid',
      expect.stringMatching(/^ "" is invalid: patch: Invalid value: .*: invalid syntax$/),
    ])
    expect(await patch('strategic-merge-patch+json', merge)).toEqual([500, undefined, fault])
    const applied = await patch('apply-patch+yaml', set('x'), '?fieldManager=m&force=true')
    expect(applied).toEqual([500, undefined, `failed to convert to unversioned: ${fault}`])
  })

  it('says which port is taken', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    await expect(startTestApiServer('port-taken', { port })).rejects.toThrow(
      `port ${String(port)} on 127.0.0.1 is in use by another program; choose another with --port`,
    )
    other.close()
  })

  it('does not know who shows a certificate that has expired, or of another authority', async () => {
    const expired = server.issue('anna', ['system:masters'], { notBeforeMs: Date.now() - 4000, notAfterMs: Date.now() - 2000 })
    const foreign = server.issue('anna', ['system:masters'], { authority: newAuthority('another', Date.now()) })
    for (const certificate of [expired, foreign]) expect(await answer({ path: MAPS, certificate })).toEqual([401, 'Unauthorized', 'Unauthorized'])
  })

  it('is not believed by a client that knows another authority', async () => {
    const { server: url, credentials: own } = server.connection
    const connection = new ApiConnection({ server: url, ca: newAuthority('another', Date.now()).certificate, own })
    await expect(connection.call({ path: MAPS })).rejects.toThrow(/unable to verify the first certificate|self-signed certificate in certificate chain/)
    connection.close()
  })

  it('says that another process has the data directory', async () => {
    const dataDir = temporaryDirectory('locked')
    const options = { dataDir, clock: new SystemClock(), logger: silentLogger, memberName: 'm' }
    const first = openEtcdStore(options)
    expect(() => openEtcdStore(options)).toThrow(`the data directory ${dataDir} is in use by another process; stop that one or choose another directory`)
    await first.close()
    await openEtcdStore(options).close()
  })

  it('answers 429 when too much is asked at once, and lets system:masters through', () => {
    const metrics = new ApiServerMetrics('v1.36.0')
    const limits = new InflightLimits({ maxReadOnly: 1, maxMutating: 1, metrics })
    const anna = { username: 'anna', groups: [] }
    const leave = limits.enter('list', anna)
    expect(() => limits.enter('get', anna)).toThrow('Too many requests, please try again later.')
    limits.enter('get', { username: 'admin', groups: ['system:masters'] })()
    limits.enter('create', anna)()
    leave()
    limits.enter('list', anna)()
    expect(metrics.now.dropped.get(['readOnly'])).toBe(1)
    expect(metrics.now.inflight.get(['readOnly'])).toBe(0)
  })

  it('tells of its health check by check, and of what it served', async () => {
    const ready = await server.connection.call({ path: '/readyz?verbose&exclude=etcd&exclude=nothing' })
    expect(ready.text).toContain('[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\n[+]informer-sync ok\n')
    expect(ready.text).toMatch(/warn: some health checks cannot be excluded: no matches for "nothing"\nreadyz check passed\n$/)
    expect((await server.connection.call({ path: '/livez/etcd' })).text).toBe('ok')
    const { text } = await server.connection.call({ path: '/metrics' })
    for (const series of [
      /^apiserver_request_total\{verb="POST",dry_run="",group="",version="v1",resource="configmaps",subresource="",scope="resource",component="apiserver",code="201"\} \d+$/m,
      /^apiserver_request_duration_seconds_bucket\{.*le="\+Inf"\} \d+$/m,
      /^apiserver_current_inflight_requests\{request_kind="readOnly"\} \d+$/m,
      /^apiserver_storage_objects\{resource="configmaps"\} \d+$/m,
      /^apiserver_admission_controller_admission_duration_seconds_count\{name="NamespaceLifecycle",/m,
      /^process_resident_memory_bytes [\d.]+e\+\d+$/m,
    ])
      expect(text).toMatch(series)
  })
})
