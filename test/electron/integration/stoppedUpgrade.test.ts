import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { outcomeOf, type ClusterOutcome } from '#test/support/killing/clusterOutcome.ts'
import { Drydock } from '#test/support/killing/killedCommand.ts'
import { hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const NODES = ['controlplane', 'node01']
/** Pages of 4 KiB that the journal may take before its disk is full: more than its first record, less than a whole run. */
const PAGES_LEFT = 5
const mounts = await runProgram('unshare', ['-rm', 'true'])

/** What stops it is said, with the state things are in; it goes on once that is mended. The longer ones of these are in test/conformance/stops.test.ts. */
describe.skipIf(!hasProgram('kubectl'))('an upgrade that something stops on the way', () => {
  const directory = temporaryDirectory('stopped-upgrade')
  const dataDir = join(directory, 'cluster')
  let cluster: RunningCluster

  beforeAll(async () => {
    cluster = await startCluster(dataDir, ['--nodes', String(NODES.length), '--kubernetes-version', 'v1.35.8'])
    for (const [condition, ...of] of [
      ['Ready', 'nodes', '--all'],
      ['Available', 'deployments', '--all', '--all-namespaces'],
    ])
      expect((await cluster.kubectl(['wait', `--for=condition=${condition ?? ''}`, ...of, '--timeout=60s'], { timeoutMs: 70_000 })).code).toBe(0)
  }, 90_000)
  afterAll(async () => {
    await cluster.end()
  })
  const outcome = (): Promise<ClusterOutcome> => outcomeOf(cluster, { dataDir, nodes: NODES })
  const upgrades = (of: ClusterOutcome, node: string): string[] => of.commands[node]?.filter((line) => line.startsWith('kubeadm upgrade')) ?? []

  it('is not begun where sudo asks for a password', { timeout: 60_000 }, async () => {
    const sudoers = join(dataDir, 'nodes/node01/etc/sudoers.d/90-drydock')
    const before = await outcome()
    renameSync(sudoers, `${sudoers}.away`)
    const { code, stdout, stderr } = await new Drydock(cluster, join(directory, 'sudo'), { nodes: NODES }).run(['upgrade', 'apply', '--to', 'v1.36.4', '--yes'])
    renameSync(`${sudoers}.away`, sudoers)
    expect(code, stdout).toBe(3)
    expect(stdout).toContain('BLOCKING: nothing can be run on node node01. ssh node01@127.0.0.1')
    expect(stdout).toContain('sudo: a password is required. Nothing was run there. Give node01 the right to become root without a password')
    expect(stderr).toContain('nothing was changed')
    expect(await outcome()).toEqual(before)
  })

  it.skipIf(mounts.code !== 0)(
    'stops where its journal cannot be written, and goes on when there is room, each command run once',
    { timeout: 240_000 },
    async () => {
      const own = new Drydock(cluster, join(directory, 'full'), { nodes: NODES })
      const before = await outcome()
      const { first, second } = await own.runOnFullDisk(['upgrade', 'apply', '--to', 'v1.36.4', '--yes'], {
        pagesLeft: PAGES_LEFT,
        settings: { backupDirectory: join(directory, 'backups') },
      })
      expect(first.code, first.stdout + first.stderr).toBe(3)
      expect(first.stdout).toMatch(/stopped: the journal \S+ cannot be written \(ENOSPC.*Nothing was begun after that\. Make room on its disk, then resume/)
      expect(second.code, second.stdout + second.stderr).toBe(0)
      const after = await outcome()
      expect(after.nodes.map((line) => line.split(/\s+/)[1])).toEqual(['v1.36.4', 'v1.36.4'])
      const since = (node: string): string[] => upgrades(after, node).slice(upgrades(before, node).length)
      expect(since('controlplane')).toEqual(['kubeadm upgrade apply v1.36.4 -y'])
      expect(since('node01')).toEqual(['kubeadm upgrade node'])
    },
  )
})
