import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunningCluster } from '../runningCluster.ts'

/** What a run leaves behind, in a form that two clusters can be compared by. */
export interface ClusterOutcome {
  nodes: string[]
  controlPlane: string[]
  workloads: string[]
  /** Commands that change a node, in their order, by node: its own log. */
  commands: Record<string, string[]>
}

/** Only look, or are Drydock's own means of running something once. */
const LOOKING = /^(systemctl is-active|systemd-run|crictl ps|crictl pods|kubeadm certs check-expiration|kubeadm upgrade diff|kubeadm version|apt-mark showhold)/

async function lines(cluster: RunningCluster, args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await cluster.kubectl(args)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout.trim().split('\n').sort()
}

export async function outcomeOf(cluster: RunningCluster, { dataDir, nodes }: { dataDir: string; nodes: readonly string[] }): Promise<ClusterOutcome> {
  const commandsOf = (node: string): string[] => {
    const file = join(dataDir, 'nodes', node, 'var/log/commands.log')
    if (!existsSync(file)) return []
    return readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.slice(line.indexOf(' ') + 1))
      .filter((line) => !LOOKING.test(line))
  }
  return {
    nodes: await lines(cluster, [
      'get',
      'nodes',
      '-o',
      'custom-columns=N:.metadata.name,V:.status.nodeInfo.kubeletVersion,U:.spec.unschedulable',
      '--no-headers',
    ]),
    controlPlane: await lines(cluster, [
      'get',
      'pods',
      '-n',
      'kube-system',
      '-l',
      'tier=control-plane',
      '-o',
      'custom-columns=N:.metadata.name,I:.spec.containers[0].image',
      '--no-headers',
    ]),
    workloads: await lines(cluster, [
      'get',
      'deployments',
      '-A',
      '-o',
      'custom-columns=N:.metadata.name,W:.spec.replicas,R:.status.readyReplicas',
      '--no-headers',
    ]),
    commands: Object.fromEntries(nodes.map((node) => [node, commandsOf(node)])),
  }
}
