import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Drydock } from '#test/support/killing/killedCommand.ts'
import { hasProgram, temporaryDirectory, type CommandResult } from '#test/support/peers.ts'
import { startCluster } from '#test/support/runningCluster.ts'

const NODES = ['controlplane', 'node01']

it.skipIf(!hasProgram('kubectl'))(
  'keeps a second Drydock off a cluster on which one runs, says who and what, and how to go on when the first is stopped',
  { timeout: 300_000 },
  async () => {
    const directory = temporaryDirectory('two-operators')
    const cluster = await startCluster(join(directory, 'cluster'), ['--nodes', String(NODES.length), '--kubernetes-version', 'v1.35.8'])
    try {
      const first = new Drydock(cluster, join(directory, 'first'), { nodes: NODES })
      const second = new Drydock(cluster, join(directory, 'second'), { nodes: NODES })
      let refused: CommandResult | undefined
      const stopped = await first.runUntil(['upgrade', 'apply', '--to', 'v1.36.4', '--yes', '--waive', 'nothing is upgraded here'], {
        line: /^==> Check that the cluster can be upgraded/,
        then: async (command) => {
          // Held still, so that it has not ended before the other has come so far; its hold is good for two minutes.
          command.kill('SIGSTOP')
          refused = await second.run(['certs', 'renew', '--yes'])
          command.kill('SIGINT')
          command.kill('SIGCONT')
        },
      })
      expect(refused?.code, refused?.stdout).toBe(1)
      expect(refused?.stderr).toContain(`${userInfo().username}@${hostname()} is running "Upgrade`)
      expect(refused?.stderr).toContain('(Lease kube-system/drydock-runbook). Wait until it has ended')
      expect(await second.runs()).toEqual([])
      expect(stopped.code, stopped.stdout + stopped.stderr).toBe(3)
      expect(stopped.stderr).toContain('drydock: stopped by SIGINT\n')
      const [run] = await first.runs()
      expect(run?.state).toBe('interrupted')
      expect(stopped.stdout).toContain(`To go on: drydock runbook resume ${run?.id ?? ''} --kubeconfig ${cluster.kubeconfig} --ssh-config `)
    } finally {
      await cluster.end()
    }
  },
)
