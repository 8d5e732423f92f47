import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadMetrics } from '#test/support/metricsLoad.ts'
import { familyForms, samplesOf, type FamilyForm, type Sample } from '#test/support/prometheusText.ts'
import { startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

/** Families of kube-apiserver 1.20.2 as its own /metrics has them; `npm run conformance -- metrics` compares this file with one that runs. */
const REAL = JSON.parse(readFileSync(new URL('../../../../fixtures/apiServerMetrics-1.20.2.json', import.meta.url), 'utf8')) as Record<string, FamilyForm>

describe('/metrics', () => {
  let server: TestApiServer
  const scrape = async (): Promise<string> => (await server.connection.call({ path: '/metrics' })).text
  const value = (samples: readonly Sample[], name: string, labels: Record<string, string>): number =>
    samples
      .filter((sample) => sample.name === name && Object.entries(labels).every(([key, each]) => sample.labels[key] === each))
      .reduce((sum, sample) => sum + sample.value, 0)

  beforeAll(async () => {
    server = await startTestApiServer('metrics', { kubernetesVersion: 'v1.20.2' })
    await loadMetrics(server.connection)
  })
  afterAll(() => server.close())

  it('has families of the names, types, labels and bounds of kube-apiserver 1.20.2', async () => {
    const forms = familyForms(await scrape())
    expect(Object.keys(forms).filter((name) => REAL[name] === undefined)).toEqual([])
    expect(Object.keys(forms).length).toBeGreaterThan(25)
    for (const [name, form] of Object.entries(forms)) expect({ [name]: form }).toEqual({ [name]: REAL[name] })
  })

  it('counts what was asked, by content type and as applied', async () => {
    const samples = samplesOf(await scrape())
    expect(value(samples, 'apiserver_request_total', { verb: 'APPLY', resource: 'configmaps', contentType: 'application/json', code: '200' })).toBe(1)
    expect(value(samples, 'apiserver_request_total', { verb: 'PATCH', resource: 'configmaps', code: '200' })).toBe(1)
    expect(value(samples, 'etcd_request_duration_seconds_count', { operation: 'create', type: '*core.ConfigMap' })).toBe(1)
    expect(value(samples, 'etcd_request_duration_seconds_count', { operation: 'delete', type: '*core.ConfigMap' })).toBe(1)
    expect(value(samples, 'authentication_attempts', { result: 'success' })).toBeGreaterThan(8)
    expect(value(samples, 'apiserver_admission_step_admission_duration_seconds_count', { type: 'admit', operation: 'CREATE' })).toBeGreaterThan(0)
    expect(value(samples, 'etcd_db_total_size_in_bytes', {})).toBeGreaterThan(0)
    expect(value(samples, 'kubernetes_build_info', { git_version: 'v1.20.2' })).toBe(1)
  })

  it('counts watches while they last and the events they are told', async () => {
    const watch = server.connection.call({ path: '/api/v1/namespaces?watch=true&timeoutSeconds=1' })
    const during = async (): Promise<Sample[]> => {
      for (;;) {
        const samples = samplesOf(await scrape())
        if (value(samples, 'apiserver_registered_watchers', { kind: 'Namespace' }) === 1) return samples
      }
    }
    const samples = await during()
    expect(value(samples, 'apiserver_longrunning_gauge', { resource: 'namespaces' })).toBe(1)
    const lines = (await watch).text.trim().split('\n')
    const after = samplesOf(await scrape())
    expect(value(after, 'apiserver_registered_watchers', { kind: 'Namespace' })).toBe(0)
    expect(value(after, 'apiserver_watch_events_total', { kind: 'Namespace' })).toBe(lines.length)
    expect(value(after, 'apiserver_watch_events_sizes_sum', { kind: 'Namespace' })).toBe(lines.reduce((sum, line) => sum + line.length + 1, 0))
  })

  it('begins anew under the names of the next release when that is served', async () => {
    await server.api.setKubernetesVersion('v1.36.0')
    const forms = familyForms(await scrape())
    expect(forms['etcd_object_counts']).toBeUndefined()
    expect(forms['apiserver_storage_objects']).toEqual({ type: 'gauge', labels: ['resource'] })
    expect(forms['apiserver_storage_size_bytes']?.labels).toEqual(['storage_cluster_id'])
    await loadMetrics(server.connection)
    const text = await scrape()
    expect(familyForms(text)['apiserver_request_total']?.labels).not.toContain('contentType')
    expect(familyForms(text)['etcd_request_duration_seconds']?.labels).toEqual(['group', 'operation', 'resource'])
    expect(value(samplesOf(text), 'apiserver_longrunning_requests', {})).toBe(0)
  })
})
