import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makePki } from '#test/bench/load/servers.ts'
import { startEtcdCluster } from '#test/support/etcdCluster.ts'
import { outcomeOf, type ClusterOutcome } from '#test/support/killing/clusterOutcome.ts'
import { Drydock } from '#test/support/killing/killedCommand.ts'
import { hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const NODES = ['controlplane', 'node01']
const SCHEDULER = 'registry.k8s.io/kube-scheduler'
const etcd = process.env['DRYDOCK_ETCD'] ?? 'etcd'

/** Each stops an upgrade at its step; it says what happened, leaves what comes after alone, and goes on once that is mended. */
describe.skipIf(!hasProgram('kubectl') || !hasProgram('ssh'))('an upgrade that something stops on the way', () => {
  const directory = temporaryDirectory('stops')
  const running: RunningCluster[] = []
  afterAll(async () => {
    for (const each of running) await each.end()
  })

  interface Stopped {
    cluster: RunningCluster
    own: Drydock
    outcome(): Promise<ClusterOutcome>
  }
  /** A cluster, and a Drydock whose settings are made for the cluster's id. */
  async function start(name: string, args: string[], settingsFor: (id: string) => object): Promise<Stopped> {
    const dataDir = join(directory, name, 'cluster')
    const cluster = await startCluster(dataDir, ['--nodes', String(NODES.length), ...args])
    running.push(cluster)
    for (const [condition, ...of] of [
      ['Ready', 'nodes', '--all'],
      ['Available', 'deployments', '--all', '--all-namespaces'],
    ])
      expect((await cluster.kubectl(['wait', `--for=condition=${condition ?? ''}`, ...of, '--timeout=60s'], { timeoutMs: 70_000 })).code).toBe(0)
    const context = (await cluster.kubectl(['config', 'current-context'])).stdout.trim()
    const own = new Drydock(cluster, join(directory, name), { nodes: NODES })
    mkdirSync(join(directory, name, 'data'), { recursive: true })
    writeFileSync(join(directory, name, 'data/settings.json'), JSON.stringify(settingsFor(`context:${cluster.kubeconfig}#${context}`)))
    return { cluster, own, outcome: () => outcomeOf(cluster, { dataDir, nodes: NODES }) }
  }
  async function onNode(cluster: RunningCluster, command: string): Promise<void> {
    const [host = '', port = ''] = cluster.ssh.split(':')
    const options = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-o', 'IdentityAgent=none']
    const { code, stderr } = await runProgram('ssh', ['-i', cluster.sshKey, '-p', port, ...options, `controlplane@${host}`, command])
    expect(code, stderr).toBe(0)
  }
  const upgrades = (of: ClusterOutcome, node: string): string[] => of.commands[node]?.filter((line) => line.startsWith('kubeadm upgrade')) ?? []
  const versions = ({ nodes }: ClusterOutcome): (string | undefined)[] => nodes.map((line) => line.split(/\s+/)[1])

  it('stops at a scheduler that exits at once, though kubeadm reports success, and goes on with a good one', async () => {
    const { cluster, own, outcome } = await start('scheduler', ['--kubernetes-version', 'v1.34.2'], (id) => ({ protections: { [id]: 'protected' } }))
    await onNode(cluster, `ctr -n k8s.io images tag --force registry.k8s.io/pause:3.10 ${SCHEDULER}:v1.35.8`)
    const unwaived = await own.run(['upgrade', 'apply', '--to', 'v1.35.8', '--yes'])
    expect(unwaived.code, unwaived.stderr).toBe(3)
    expect(unwaived.stdout).toContain('BLOCKING: the upgrade to v1.35.8 was not rehearsed on a twin of this cluster, which is protected')
    expect(await own.runs()).toEqual([])

    const stopped = await own.run(['upgrade', 'apply', '--to', 'v1.35.8', '--yes', '--waive', 'a proof of what stops it'])
    expect(stopped.code, stopped.stderr).toBe(3)
    expect(stopped.stdout).toContain('waived: a proof of what stops it')
    expect(stopped.stdout).toContain('[upgrade] SUCCESS!')
    expect(stopped.stdout).toMatch(/failed: kube-scheduler on controlplane does not stay up at v1\.35\.8: .*exit code 128.*after \d restarts/)
    expect(stopped.stdout).toContain(
      'kube-apiserver and kube-controller-manager on controlplane are ready at v1.35.8; its kubelet and the nodes after it were not touched.',
    )
    const between = await outcome()
    expect(versions(between)).toEqual(['v1.34.2', 'v1.34.2'])
    expect(upgrades(between, 'node01')).toEqual([])

    await onNode(cluster, `ctr -n k8s.io images tag --force ${SCHEDULER}:v1.34.2 ${SCHEDULER}:v1.35.8`)
    const [run] = await own.runs()
    const resumed = await own.run(['runbook', 'resume', run?.id ?? '', '--report', join(directory, 'report.md')])
    expect(resumed.code, resumed.stdout + resumed.stderr).toBe(0)
    const after = await outcome()
    expect(versions(after)).toEqual(['v1.35.8', 'v1.35.8'])
    expect(upgrades(after, 'controlplane')).toEqual(['kubeadm upgrade apply v1.35.8 -y'])
    expect(readFileSync(join(directory, 'report.md'), 'utf8')).toContain('waived: a proof of what stops it')
  })

  it.skipIf(!hasProgram(etcd))('stops when etcd has lost its quorum, and goes on when that is back, each command run once', async () => {
    const { dir: pkiDir } = makePki(join(directory, 'quorum/kubernetes'))
    const members = await startEtcdCluster(etcd, join(directory, 'quorum'), { pkiDir, size: 3 })
    const [first, ...others] = members.members
    const { caFile, certFile, keyFile } = members.tls
    try {
      const flags = ['--etcd-servers', members.members.map(({ endpoint }) => endpoint).join(','), '--cacert', caFile, '--cert', certFile, '--key', keyFile]
      const { cluster, own, outcome } = await start('quorum', ['--kubernetes-version', 'v1.35.8', ...flags], (id) => ({
        etcdEndpoints: { [id]: { endpoint: first?.endpoint ?? '', caFile, certFile, keyFile } },
      }))
      const stopped = await own.runUntil(['upgrade', 'apply', '--to', 'v1.36.4', '--yes'], {
        line: /waiting for \d s without a restart/,
        then: async () => {
          for (const member of others) await members.kill(member)
        },
      })
      expect(stopped.code, stopped.stdout + stopped.stderr).toBe(3)
      const [run] = await own.runs()
      const failed = run?.steps.find(({ state }) => state === 'failed')
      process.stdout.write(`drydock: stopped at ${failed?.id ?? ''}: ${failed?.error ?? ''}\n`)
      expect(failed?.error).toMatch(/etcd/)
      expect(failed?.error).toMatch(/quorum/)
      const planned = await own.run(['upgrade', 'plan', '--to', 'v1.36.4'])
      expect(planned.code, planned.stdout).not.toBe(0)

      for (const member of others) members.start(member)
      await expect.poll(async () => (await cluster.kubectl(['get', 'nodes'])).code, { timeout: 240_000, interval: 1_000 }).toBe(0)
      const resumed = await own.run(['runbook', 'resume', run?.id ?? ''])
      expect(resumed.code, resumed.stdout + resumed.stderr).toBe(0)
      const after = await outcome()
      expect(versions(after)).toEqual(['v1.36.4', 'v1.36.4'])
      expect(upgrades(after, 'controlplane')).toEqual(['kubeadm upgrade apply v1.36.4 -y'])
      expect(after.commands['controlplane']?.filter((line) => line.startsWith('systemctl restart'))).toEqual(['systemctl restart kubelet'])
    } finally {
      for (const each of running.splice(0)) await each.end()
      await members.end()
    }
  })
})
