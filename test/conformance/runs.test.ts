import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { startCuttingProxy } from '#test/support/killing/cuttingProxy.ts'
import { Drydock } from '#test/support/killing/killedCommand.ts'
import { outcomeOf, type ClusterOutcome } from '#test/support/killing/clusterOutcome.ts'
import { WORKLOAD } from '#test/support/killing/workload.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

// The same upgrade three times, on clusters of the same seed: left alone; with Drydock killed right before and right after every
// line of its journal; with its SSH connections cut in the middle of each step. All must end the same, down to the commands each node saw.
const SEED = Number(process.env['DRYDOCK_SEED'] ?? 1)
const NODES = ['controlplane', 'node01', 'node02']
/** Cuts that a step has to live through. */
const CUTS_IN_STEP = 3
const APPLY = ['upgrade', 'apply', '--to', 'v1.36.4', '--yes']

describe.skipIf(!hasProgram('kubectl'))('an upgrade that is interrupted at every point', () => {
  const directory = temporaryDirectory('runs')
  let undisturbed: ClusterOutcome
  const running: RunningCluster[] = []

  async function cluster(name: string): Promise<{ cluster: RunningCluster; dataDir: string }> {
    const dataDir = join(directory, name, 'cluster')
    const started = await startCluster(dataDir, ['--nodes', String(NODES.length), '--seed', String(SEED), '--kubernetes-version', 'v1.35.8'])
    running.push(started)
    expect((await started.kubectl(['apply', '-f', '-'], { input: WORKLOAD })).code).toBe(0)
    expect((await started.kubectl(['rollout', 'status', 'deployment/web'], { timeoutMs: 120_000 })).code).toBe(0)
    return { cluster: started, dataDir }
  }
  const outcome = async (of: RunningCluster, dataDir: string): Promise<ClusterOutcome> => {
    expect((await of.kubectl(['rollout', 'status', 'deployment/web'], { timeoutMs: 120_000 })).code).toBe(0)
    expect((await of.kubectl(['-n', 'kube-system', 'rollout', 'status', 'deployment/coredns'], { timeoutMs: 120_000 })).code).toBe(0)
    return outcomeOf(of, { dataDir, nodes: NODES })
  }

  beforeAll(async () => {
    const alone = await cluster('alone')
    const { code, stdout, stderr } = await new Drydock(alone.cluster, join(directory, 'alone/drydock'), { nodes: NODES }).run(APPLY)
    expect(code, stdout + stderr).toBe(0)
    undisturbed = await outcome(alone.cluster, alone.dataDir)
    await alone.cluster.end()
    expect(undisturbed.commands['controlplane']?.filter((line) => line.startsWith('kubeadm upgrade'))).toEqual(['kubeadm upgrade apply v1.36.4 -y'])
  })
  afterAll(async () => {
    for (const each of running) if (each.process.exitCode === null) await each.end()
  })

  it('ends the same when Drydock is killed before and after every line of its journal', async () => {
    const { cluster: killed, dataDir } = await cluster('killed')
    const { places, last, run } = await new Drydock(killed, join(directory, 'killed/drydock'), { nodes: NODES }).runKilled(APPLY)
    process.stdout.write(`drydock: killed at ${String(places.length)} places, resumed ${String(run?.resumed)} times\n`)
    expect(run?.state, last.stdout + last.stderr).toBe('done')
    for (const { id } of run?.steps ?? [])
      for (const place of [`stepStarted ${id}`, `stepDone ${id}`]) expect(places).toEqual(expect.arrayContaining([`before ${place}`, `after ${place}`]))
    expect(await outcome(killed, dataDir)).toEqual(undisturbed)
    await killed.end()
  })

  it('ends the same when SSH is cut in the middle of each step', async () => {
    const { cluster: cut, dataDir } = await cluster('cut')
    const proxy = await startCuttingProxy(Number(cut.ssh.split(':').at(-1)), { random: new SeededRandom(SEED), shortestMs: 20, longestMs: 600 })
    const drydock = new Drydock(cut, join(directory, 'cut/drydock'), { nodes: NODES, sshPort: proxy.port })
    const { code, output, resumed, cuts, run } = await drydock.runCut(APPLY, { proxy, cutsInStep: CUTS_IN_STEP })
    process.stdout.write(`drydock: ${String(proxy.cuts)} connections cut, gone on ${String(resumed)} times; ${JSON.stringify(cuts)}\n`)
    await proxy.close()
    expect(code, output).toBe(0)
    const onNodes = run?.steps.filter(({ id }) => id === 'preflight' || id === 'backup' || /\/(control-plane|kubeadm|kubelet)$/.test(id)) ?? []
    expect(onNodes.length).toBe(2 + NODES.length * 2)
    for (const { title } of onNodes) expect(cuts[title], title).toBeGreaterThan(0)
    expect(await outcome(cut, dataDir)).toEqual(undisturbed)
    await cut.end()
  })
})
