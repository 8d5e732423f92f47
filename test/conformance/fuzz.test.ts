import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Logger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { askMalformed } from '#test/support/fuzz/askMalformed.ts'
import { modelCheck } from '#test/support/fuzz/modelCheck.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const SEED = Number(process.env['DRYDOCK_SEED'] ?? 1)
const MALFORMED = Number(process.env['DRYDOCK_ROUNDS'] ?? 100_000)
const OPERATIONS = 2 * MALFORMED

describe(`the API server under fuzz, seed ${String(SEED)}`, () => {
  const dataDir = temporaryDirectory('fuzz')
  const logged: string[] = []
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (message, fields) => logged.push(`${message} ${JSON.stringify(fields)}`),
    with: () => logger,
  }
  let cluster: EmbeddedApi
  beforeAll(async () => {
    cluster = await startEmbeddedApi(dataDir, 'v1.36.4', logger)
  })
  afterAll(() => cluster.close())

  it(`answers ${String(MALFORMED)} malformed requests with what is wrong with them`, async () => {
    const { findings, statuses } = await askMalformed(cluster, new SeededRandom(SEED), MALFORMED)
    process.stdout.write(`statuses: ${JSON.stringify(Object.fromEntries([...statuses].sort(([a], [b]) => a - b)))}\n`)
    expect(findings.slice(0, 20)).toEqual([])
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
    expect(logged.slice(0, 20)).toEqual([])
  })

  it(`loses and reorders no event of ${String(OPERATIONS)} random writes`, async () => {
    const report = await modelCheck(cluster, new SeededRandom(SEED), OPERATIONS)
    process.stdout.write(`${String(report.operations)} writes, ${String(report.events)} events, ${String(report.resumed)} resumed watches\n`)
    expect(report.problems.slice(0, 20)).toEqual([])
    expect(report.events).toBeGreaterThan(OPERATIONS)
  })
})
