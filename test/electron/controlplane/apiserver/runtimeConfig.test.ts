import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readApiServerSettings } from '#electron/controlplane/apiserver/settingsFiles.ts'
import { startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

describe('--runtime-config', () => {
  it('reads what is not served, and refuses what names nothing', () => {
    const notServed = (...runtimeConfig: string[]): string[] => readApiServerSettings({ runtimeConfig }).notServed
    expect(notServed('metrics.k8s.io/v1beta1=false', 'apps/v1', 'batch/v1=true', 'v1/pods=false')).toEqual(['metrics.k8s.io/v1beta1', 'v1/pods'])
    for (const wrong of ['metrics.k8s.io=false', 'batch/v1=no', '=false']) expect(() => notServed(wrong)).toThrow(/--runtime-config/)
  })

  describe('of an API server', () => {
    let server: TestApiServer
    beforeAll(async () => {
      server = await startTestApiServer('runtime-config', { settings: { notServed: ['metrics.k8s.io/v1beta1', 'batch/v1/cronjobs'] } })
    })
    afterAll(() => server.close())

    it.each([
      ['/apis/metrics.k8s.io/v1beta1/nodes', 404],
      ['/apis/metrics.k8s.io/v1beta1', 404],
      ['/apis/batch/v1/cronjobs', 404],
      ['/apis/batch/v1/jobs', 200],
    ])('%s is answered with %i', async (path, status) => {
      expect((await server.connection.call({ method: 'GET', path })).status).toBe(status)
    })

    it('is left out of discovery', async () => {
      const { text } = await server.connection.call({ method: 'GET', path: '/apis' })
      const groups = (JSON.parse(text) as { groups: { name: string }[] }).groups.map(({ name }) => name)
      expect(groups).toContain('batch')
      expect(groups).not.toContain('metrics.k8s.io')
    })
  })
})
