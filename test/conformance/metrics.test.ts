import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiConnection } from '#test/support/apiConnection.ts'
import { loadMetrics } from '#test/support/metricsLoad.ts'
import { familyForms, type FamilyForm } from '#test/support/prometheusText.ts'
import { startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

const PEER = process.env['DRYDOCK_PEER_KUBECONFIG'] ?? ''
const FIXTURE = new URL('../fixtures/apiServerMetrics-1.20.2.json', import.meta.url)

describe.skipIf(PEER === '')('/metrics, as the real API server of 1.20 has it', () => {
  let ours: TestApiServer
  let peer: ApiConnection
  let forms: { real: Record<string, FamilyForm>; ours: Record<string, FamilyForm> }

  beforeAll(async () => {
    ours = await startTestApiServer('metrics-conformance', { kubernetesVersion: 'v1.20.2' })
    peer = ApiConnection.of(PEER)
    await Promise.all([loadMetrics(peer), loadMetrics(ours.connection)])
    const [real, own] = await Promise.all([peer, ours.connection].map(async (each) => familyForms((await each.call({ path: '/metrics' })).text)))
    forms = { real: real ?? {}, ours: own ?? {} }
    const missing = Object.keys(forms.real).filter((name) => forms.ours[name] === undefined)
    process.stdout.write(
      `families here ${String(Object.keys(forms.ours).length)}, there ${String(Object.keys(forms.real).length)}; only there: ${missing.join(' ')}\n`,
    )
  })
  afterAll(async () => {
    peer.close()
    await ours.close()
  })

  it('each family has the type, the labels and the bounds of the real one', () => {
    for (const [name, form] of Object.entries(forms.ours)) expect({ [name]: form }).toEqual({ [name]: forms.real[name] })
  })

  it('the file that tests compare with says what the real one says', () => {
    const kept = JSON.parse(readFileSync(FIXTURE, 'utf8')) as Record<string, FamilyForm>
    for (const [name, form] of Object.entries(kept)) expect({ [name]: form }).toEqual({ [name]: forms.real[name] })
  })
})
