import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startCluster } from '#test/support/runningCluster.ts'
import { listSpecs, runSpecs, type SpecResult } from '#test/support/upstreamSpecs.ts'

/** Why a spec is known to fail, by its full name. */
const known = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/upstreamE2e.json'), 'utf8')) as { failing: Record<string, string> }

const { DRYDOCK_KUBERNETES_BIN: bin, DRYDOCK_E2E_FOCUS: focus = '', DRYDOCK_E2E_PARALLEL, DRYDOCK_E2E_LIMIT_SECONDS } = process.env
const DAY_MS = 24 * 3600 * 1000
/** Probes are watched for four minutes. */
const LIMIT_SECONDS = 400

const areaOf = (name: string): string => /^\[([^\]]+)\]/.exec(name)?.[1] ?? 'other'

function table(results: readonly SpecResult[]): string {
  const areas = [...new Set(results.map(({ name }) => areaOf(name)))].sort()
  const rows = areas.map((area) => {
    const own = results.filter(({ name }) => areaOf(name) === area)
    return `| ${area} | ${String(own.filter(({ outcome }) => outcome === 'passed').length)} of ${String(own.length)} |`
  })
  const passed = results.filter(({ outcome }) => outcome === 'passed').length
  const failing = results.filter(({ outcome }) => outcome !== 'passed')
  return [
    '| area | passed |',
    '| --- | --- |',
    ...rows,
    `| all | ${String(passed)} of ${String(results.length)} |`,
    '',
    ...failing.map(({ name, outcome, seconds }) => `- ${name} (${outcome} after ${String(seconds)} s): ${known.failing[name] ?? 'not explained'}`),
    '',
  ].join('\n')
}

describe.skipIf(bin === undefined)("upstream's end-to-end specs on an embedded cluster of 1.20", () => {
  const dataDir = temporaryDirectory('upstream-e2e')

  it(
    'pass, but for those that are explained',
    async () => {
      const program = join(bin ?? '', 'e2e.test')
      const folder = join(import.meta.dirname, '../../test-results/upstream-e2e')
      mkdirSync(folder, { recursive: true })
      const specs = (await listSpecs(program, '\\[Conformance\\]')).filter((name) => new RegExp(focus).test(name))
      expect(specs.length).toBeGreaterThan(0)
      const cluster = await startCluster(dataDir, ['--kubernetes-version', 'v1.20.2'])
      const results: SpecResult[] = []
      try {
        await runSpecs(specs, {
          program,
          kubectl: join(bin ?? '', 'kubectl'),
          kubeconfig: cluster.kubeconfig,
          folder,
          limitSeconds: Number(DRYDOCK_E2E_LIMIT_SECONDS ?? LIMIT_SECONDS),
          parallel: Number(DRYDOCK_E2E_PARALLEL ?? 2 * cpus().length),
          onResult: (result) => {
            results.push(result)
            process.stdout.write(`${String(results.length)}/${String(specs.length)} ${result.outcome} ${String(result.seconds)} s ${result.name}\n`)
            writeFileSync(join(folder, 'table.md'), table(results))
          },
        })
      } finally {
        await cluster.end()
      }
      const failing = results.filter(({ outcome }) => outcome !== 'passed').map(({ name }) => name)
      expect({ unexplained: failing.filter((name) => !(name in known.failing)) }).toEqual({ unexplained: [] })
      const passing = results.filter(({ outcome }) => outcome === 'passed').map(({ name }) => name)
      expect({ explainedButPassing: passing.filter((name) => name in known.failing) }).toEqual({ explainedButPassing: [] })
    },
    DAY_MS,
  )
})
