import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  prepareFolder,
  prepareObjects,
  readMatrix,
  removeObjects,
  runLine,
  runPreparation,
  type Answer,
  type MatrixLine,
  type MatrixSide,
} from '#test/support/kubectlMatrix.ts'
import { compare, unexplained, type Difference, type Explanation } from '#test/support/matrixComparison.ts'
import { runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const fixtures = join(import.meta.dirname, '../fixtures')
const matrix = readMatrix(join(fixtures, 'kubectlMatrix.txt'))
/** Why a line's answer differs from the real API server's, and which lines end with another code than 0. */
const known = JSON.parse(readFileSync(join(fixtures, 'kubectlMatrix.json'), 'utf8')) as {
  explanations: Explanation[]
  exitCodes: Record<string, number>
  /** Of one kubectl alone, on the newest release, with the reason. */
  exitCodesOf: Record<string, { command: string; code: number; why: string }[]>
}

const { DRYDOCK_KUBECTL = '', DRYDOCK_PEER_KUBECONFIG: peer } = process.env
const kubectls = DRYDOCK_KUBECTL.split(',')
  .filter((pair) => pair.includes('='))
  .map((pair) => ({ version: pair.slice(0, pair.indexOf('=')), path: pair.slice(pair.indexOf('=') + 1) }))
const minorOf = (version: string): number => Number(version.split('.')[1])
const HOUR_MS = 3600 * 1000
const folder = join(import.meta.dirname, '../../test-results/kubectl-matrix')
const dataDir = temporaryDirectory('kubectl-matrix')

async function sideOf(kubectl: string, kubeconfig: string, name: string): Promise<MatrixSide> {
  const own = join(dataDir, name)
  mkdirSync(own, { recursive: true })
  const program = await prepareFolder(own, kubectl)
  const ask = async (path: string, ...args: string[]): Promise<string> =>
    (await runProgram(kubectl, ['--kubeconfig', kubeconfig, ...args, '-o', `jsonpath=${path}`])).stdout
  const nodes = (await ask('{.items[*].metadata.name}', 'get', 'nodes')).split(' ')
  const cluster = await ask('{.clusters[0].name}', 'config', 'view', '--minify')
  return { kubectl: program, kubeconfig, cluster, server: await ask('{.clusters[0].cluster.server}', 'config', 'view', '--minify'), nodes, folder: own }
}

const linesOf = (version: string): MatrixLine[] => matrix.filter(({ minor }) => minor <= minorOf(version))

function report(name: string, differences: readonly Difference[]): void {
  mkdirSync(folder, { recursive: true })
  const text = differences.map(
    ({ line, part, ours, theirs }) =>
      `## ${line.command}\n${part}${ours.length + theirs.length === 0 ? ': the order of lines' : ''}\n${[...ours.map((each) => `- ${each}`), ...theirs.map((each) => `+ ${each}`)].join('\n')}\n`,
  )
  writeFileSync(join(folder, `${name}.txt`), text.join('\n'))
}

const titles = (differences: readonly Difference[]): string[] => differences.map(({ line, part }) => `${line.command}: ${part}`)

async function started(name: string, args: string[]): Promise<RunningCluster> {
  return startCluster(join(dataDir, `cluster-${name}`), args)
}

describe.skipIf(kubectls.length === 0)('the kubectl matrix', () => {
  describe.skipIf(peer === undefined).each(kubectls)('of kubectl $version on a cluster of 1.20', ({ version, path }) => {
    it(
      'is answered as by the real API server, but for what is explained',
      async () => {
        const cluster = await started(version, ['--kubernetes-version', 'v1.20.2'])
        const theirs = await sideOf(path, peer ?? '', `theirs-${version}`)
        const differences: Difference[] = []
        try {
          const ours = await sideOf(path, cluster.kubeconfig, `ours-${version}`)
          await removeObjects(theirs)
          await Promise.all([prepareObjects(ours), prepareObjects(theirs)])
          for (const line of linesOf(version)) {
            if (line.manner === 'prepare') {
              await Promise.all([runPreparation(line.command, ours), runPreparation(line.command, theirs)])
              continue
            }
            const [own, other] = await Promise.all([runLine(line, ours), runLine(line, theirs)])
            differences.push(...compare(line, own, other, { ours, theirs }))
            report(`${version}-all`, differences)
          }
        } finally {
          await removeObjects(theirs)
          await cluster.end()
        }
        const open = differences.flatMap((each) => unexplained(each, known.explanations) ?? [])
        report(version, open)
        expect(titles(open)).toEqual([])
      },
      HOUR_MS,
    )
  })

  describe.each(kubectls)('of kubectl $version on a cluster of the newest release', ({ version, path }) => {
    it(
      'ends with the exit codes that are expected',
      async () => {
        const cluster = await started(`newest-${version}`, [])
        const wrong: string[] = []
        mkdirSync(folder, { recursive: true })
        try {
          const side = await sideOf(path, cluster.kubeconfig, `newest-${version}`)
          await prepareObjects(side)
          for (const line of linesOf(version)) {
            if (line.manner === 'prepare') {
              await runPreparation(line.command, side)
              continue
            }
            const answer: Answer = await runLine(line, side)
            const own = known.exitCodesOf[version]?.find(({ command }) => command === line.command)
            const expected = own?.code ?? known.exitCodes[line.command] ?? 0
            if (answer.code !== null && answer.code !== expected)
              wrong.push(`${line.command}: ${String(answer.code)} in place of ${String(expected)}: ${answer.stderr.slice(0, 300)}`)
            writeFileSync(join(folder, `newest-${version}.txt`), wrong.join('\n'))
          }
        } finally {
          await cluster.end()
        }
        expect(wrong).toEqual([])
      },
      HOUR_MS,
    )
  })
})
