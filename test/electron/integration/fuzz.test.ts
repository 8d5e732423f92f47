import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { askMalformed } from '#test/support/fuzz/askMalformed.ts'
import { modelCheck } from '#test/support/fuzz/modelCheck.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

/** The short form of test/conformance/fuzz.test.ts. */
describe('the API server under fuzz', { timeout: 120_000 }, () => {
  const dataDir = temporaryDirectory('fuzz')
  let cluster: EmbeddedApi
  beforeAll(async () => {
    cluster = await startEmbeddedApi(dataDir, 'v1.36.4')
  }, 30_000)
  afterAll(() => cluster.close())

  it('answers malformed requests with what is wrong with them', async () => {
    const { findings } = await askMalformed(cluster, new SeededRandom(36), 2_000)
    expect(findings.slice(0, 5)).toEqual([])
  })

  it('loses and reorders no event of random writes', async () => {
    const report = await modelCheck(cluster, new SeededRandom(36), 3_000)
    expect(report.problems.slice(0, 5)).toEqual([])
    expect(report.events).toBeGreaterThan(3_000)
    expect(report.resumed).toBeGreaterThan(0)
  })
})
