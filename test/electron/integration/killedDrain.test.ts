import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WORKLOAD } from '#test/support/killing/workload.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'
import { Drydock } from '#test/support/killing/killedCommand.ts'

describe.skipIf(!hasProgram('kubectl'))('a drain whose Drydock is killed at every line of its journal', () => {
  const directory = temporaryDirectory('killed-drain')
  let cluster: RunningCluster

  beforeAll(async () => {
    cluster = await startCluster(join(directory, 'cluster'), ['--nodes', '3', '--seed', '7'])
    expect((await cluster.kubectl(['apply', '-f', '-'], { input: WORKLOAD })).code).toBe(0)
    expect((await cluster.kubectl(['rollout', 'status', 'deployment/web'])).code).toBe(0)
  }, 60_000)
  afterAll(async () => {
    await cluster.end()
  })

  it('ends drained, each pod evicted once', { timeout: 300_000 }, async () => {
    const podsOf = async (): Promise<string[]> =>
      (await cluster.kubectl(['get', 'pods', '--field-selector=spec.nodeName=node01', '-o', 'name'])).stdout.trim().split('\n')
    const before = await podsOf()
    expect(before.length).toBeGreaterThan(0)
    const drydock = new Drydock(cluster, join(directory, 'drydock'), { nodes: ['controlplane', 'node01', 'node02'] })
    const { places, last, run } = await drydock.runKilled(['drain', 'apply', 'node01', '--yes'])
    expect(run?.state, last.stdout + last.stderr).toBe('done')
    for (const place of ['stepStarted cordon', 'stepDone cordon', 'stepStarted node01/drain', 'stepLog node01/drain 1', 'stepDone node01/drain', 'ended'])
      expect(places).toEqual(expect.arrayContaining([`before ${place}`, `after ${place}`]))
    expect(await podsOf()).toEqual([''])
    // The journal tells of each pod's eviction at most once.
    const told = run?.steps.flatMap(({ log }) => log).flatMap(({ text }) => /^pod (\S+) evicted/.exec(text)?.[1] ?? []) ?? []
    expect(new Set(told).size).toBe(told.length)
    const budget = await cluster.kubectl(['get', 'pdb', 'web', '-o', 'jsonpath={.status.currentHealthy}'])
    expect(Number(budget.stdout)).toBeGreaterThanOrEqual(3)
  })
})
