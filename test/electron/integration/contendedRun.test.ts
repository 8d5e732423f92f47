import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { outcomeOf } from '#test/support/killing/clusterOutcome.ts'
import { Drydock } from '#test/support/killing/killedCommand.ts'
import { hasProgram, temporaryDirectory, type CommandResult } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const NODES = ['controlplane', 'node01']
/** Of the file system that kubeadm keeps what it replaces in; what a control plane's manifests need is more than is left of it. */
const DISK_BYTES = 64 * 1024
const mountDisk = (directory: string): boolean => spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${String(DISK_BYTES)}`, 'tmpfs', directory]).status === 0
const mayMount = ((): boolean => {
  const directory = temporaryDirectory('may-mount')
  return process.getuid?.() === 0 && mountDisk(directory) && spawnSync('umount', [directory]).status === 0
})()

/** An upgrade from one Drydock, while another wants the cluster and a node's disk is full. */
describe.skipIf(!hasProgram('kubectl') || !mayMount)('an upgrade on a contended cluster', () => {
  const directory = temporaryDirectory('contended')
  const dataDir = join(directory, 'cluster')
  const disk = join(dataDir, 'nodes/controlplane/etc/kubernetes/tmp')
  const filler = join(disk, 'filler')
  let cluster: RunningCluster

  beforeAll(async () => {
    cluster = await startCluster(dataDir, ['--nodes', String(NODES.length), '--kubernetes-version', 'v1.35.8'])
    const ready = await cluster.kubectl(['wait', '--for=condition=Available', 'deployments', '--all', '-A', '--timeout=120s'], { timeoutMs: 130_000 })
    if (ready.code !== 0) throw new Error(ready.stderr)
    mkdirSync(disk, { recursive: true })
    if (!mountDisk(disk)) throw new Error(`${disk} is no disk of its own`)
  }, 180_000)
  afterAll(async () => {
    await cluster.end()
    spawnSync('umount', [disk])
  })

  it(
    'keeps the second Drydock out by name, stops where the disk is full with the node’s words, and goes on when there is room',
    { timeout: 600_000 },
    async () => {
      const first = new Drydock(cluster, join(directory, 'first'), { nodes: NODES })
      const second = new Drydock(cluster, join(directory, 'second'), { nodes: NODES })
      const before = await outcomeOf(cluster, { dataDir, nodes: NODES })
      writeFileSync(filler, Buffer.alloc(DISK_BYTES - 4096))
      let refused: CommandResult | undefined
      const stopped = await first.runUntil(['upgrade', 'apply', '--to', 'v1.36.4', '--yes'], {
        line: /^==> Check that the cluster can be upgraded/,
        then: async () => {
          refused = await second.run(['certs', 'renew', '--yes'])
        },
      })
      expect(refused?.code, refused?.stdout).not.toBe(0)
      expect(refused?.stderr).toMatch(
        new RegExp(`${userInfo().username}@${hostname()} is running "Upgrade .* to v1\\.36\\.4" on this cluster \\(Lease kube-system/drydock-runbook\\)`),
      )
      expect(await second.runs()).toEqual([])

      expect(stopped.code, stopped.stdout + stopped.stderr).toBe(3)
      const [run] = await first.runs()
      const failed = run?.steps.find(({ state }) => state === 'failed')
      expect(failed?.id).toBe('controlplane/control-plane')
      expect(failed?.error).toMatch(/no space left on device/i)
      const { controlPlane, nodes } = await outcomeOf(cluster, { dataDir, nodes: NODES })
      expect({ controlPlane, nodes }).toEqual({ controlPlane: before.controlPlane, nodes: before.nodes })

      rmSync(filler)
      const resumed = await first.run(['runbook', 'resume', run?.id ?? ''])
      expect(resumed.code, resumed.stdout + resumed.stderr).toBe(0)
      const after = await outcomeOf(cluster, { dataDir, nodes: NODES })
      expect(after.nodes.map((line) => line.split(/\s+/)[1])).toEqual(['v1.36.4', 'v1.36.4'])
      expect(after.commands['controlplane']?.filter((line) => line.startsWith('systemctl restart'))).toEqual(['systemctl restart kubelet'])
    },
  )
})
