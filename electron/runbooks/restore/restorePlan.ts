import type { RestorePlan, RestorePlanNode, UpgradeFinding } from '#shared/contract/runbooks.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { NodeShellFactory } from '../nodeShell/nodeShell.ts'
import { isControlPlane, isReady } from '../upgrade/plan.ts'
import { kubeadmDataPath, readEtcdManifest } from './etcdManifest.ts'

export interface RestoreInput {
  clusterId: string
  clusterName: string
  backup: { id: string; path: string; objectCounts: Record<string, number> }
  nodes: RestorePlanNode[]
  /** Kubernetes nodes that were Ready before; they have to be so again. */
  readyNodes: string[]
}

const MANIFEST = '/etc/kubernetes/manifests/etcd.yaml'
/** Free bytes a node needs for each byte of the snapshot: the new data, and room to grow until it is compacted. */
const DISK_FACTOR = 3

interface Backup {
  id: string
  path: string
  clusterName: string
  createdAtMs: number
  fileSizeBytes: number
  verdict: string
  objectCounts: Record<string, number>
}

/** Reads every control-plane node and the backup. Changes nothing. */
export async function readRestorePlan(api: ClusterApi, shells: NodeShellFactory, backup: Backup, { signal }: { signal: AbortSignal }): Promise<RestorePlan> {
  const nodes = await api.list('/api/v1/nodes', signal)
  const planes = nodes.filter(isControlPlane)
  if (planes.length === 0)
    throw new StatusError(failure(422, 'Invalid', 'no node is labelled as control plane: only clusters that kubeadm made can be restored on their nodes'))
  const config = await api.get('/api/v1/namespaces/kube-system/configmaps/kubeadm-config', signal)
  const kubeadmPath = kubeadmDataPath((config['data'] as Record<string, string> | undefined)?.['ClusterConfiguration'] ?? '')
  const findings: UpgradeFinding[] = []
  if (backup.verdict !== 'good')
    findings.push({ level: 'blocking', title: `the backup is ${backup.verdict}`, cure: 'Verify it on the Backups page, or choose another.' })
  const read = await Promise.all(planes.map((node) => readNode(shells, node, { kubeadmPath, signal })))
  for (const { name, dataPath } of read)
    if (dataPath !== kubeadmPath)
      findings.push({
        level: 'warning',
        title: `etcd on ${name} keeps its data in ${dataPath}, kubeadm thinks in ${kubeadmPath}: the next upgrade would bring back what is there`,
        cure: `This restore puts the data into ${kubeadmPath} and the manifest back to it.`,
      })
  for (const { name, mounts } of read)
    for (const path of mounts)
      findings.push({
        level: 'blocking',
        title: `${path} on ${name} is a disk of its own (a mount point), which cannot be moved aside: the restore would stop halfway`,
        cure: `Mount that disk at the folder above, with the data in a folder of it, or restore by hand with etcdutl into the mounted disk.`,
      })
  for (const { name, freeBytes } of read)
    if (freeBytes === null)
      findings.push({
        level: 'warning',
        title: `how much room ${name} has for etcd is not known`,
        cure: 'See df on the node: the old data is kept beside the new.',
      })
    else if (freeBytes < DISK_FACTOR * backup.fileSizeBytes)
      findings.push({
        level: 'blocking',
        title: `${name} has ${String(Math.round(freeBytes / 2 ** 20))} MiB free for etcd, the restore needs ${String(Math.round((DISK_FACTOR * backup.fileSizeBytes) / 2 ** 20))} MiB`,
        cure: 'Make room on its disk: the old data is kept beside the new.',
      })
  return {
    backup: { id: backup.id, path: backup.path, createdAtMs: backup.createdAtMs, clusterName: backup.clusterName, objectCounts: backup.objectCounts },
    nodes: read.map(({ freeBytes: _freeBytes, mounts: _mounts, ...node }) => node),
    readyNodes: nodes.filter(isReady).map(({ metadata }) => metadata.name ?? ''),
    findings,
  }
}

async function readNode(
  shells: NodeShellFactory,
  node: KubeObject,
  { kubeadmPath, signal }: { kubeadmPath: string; signal: AbortSignal },
): Promise<RestorePlanNode & { freeBytes: number | null; mounts: string[] }> {
  const name = node.metadata.name ?? ''
  const shell = await shells(name, { signal })
  try {
    const { exitCode, stdout, stderr } = await shell.run(`cat ${MANIFEST}`, { signal })
    if (exitCode !== 0)
      throw new StatusError(
        failure(422, 'Invalid', `${name}: ${MANIFEST} cannot be read (${stderr.trim()}): is its etcd an external one? Those are restored where they run`),
      )
    const manifest = readEtcdManifest(stdout)
    const disks = new Map<string, string>()
    for (const path of new Set([manifest.dataPath, kubeadmPath])) disks.set(path, (await shell.run(`df -Pk ${path} | tail -1`, { signal })).stdout)
    const addresses = (node['status'] as { addresses?: { type: string; address: string }[] } | undefined)?.addresses ?? []
    return {
      name,
      address: addresses.find(({ type }) => type === 'InternalIP')?.address ?? name,
      member: manifest.name,
      peerUrls: manifest.peerUrls,
      dataPath: manifest.dataPath,
      kubeadmPath,
      freeBytes: freeBytesOf(disks.get(manifest.dataPath) ?? ''),
      mounts: [...disks].flatMap(([path, row]) => (mountPointOf(row) === path ? [path] : [])),
    }
  } finally {
    shell.close()
  }
}

/** The fourth column of `df -Pk`; null where there is none. */
function freeBytesOf(row: string): number | null {
  const free = Number(row.trim().split(/\s+/)[3] ?? '')
  return row.trim() === '' || Number.isNaN(free) ? null : free * 1024
}

/** The sixth column of `df -Pk`: where the disk is mounted. */
const mountPointOf = (row: string): string => row.trim().split(/\s+/)[5] ?? ''

/** @throws StatusError Invalid when something stands in the way */
export function restoreInput({ backup, nodes, readyNodes, findings }: RestorePlan, cluster: { id: string; name: string }): RestoreInput {
  const blocking = findings.filter(({ level }) => level === 'blocking')
  if (blocking.length > 0) throw new StatusError(failure(422, 'Invalid', blocking.map(({ title, cure }) => `${title}. ${cure}`).join(' ')))
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    backup: { id: backup.id, path: backup.path, objectCounts: backup.objectCounts },
    nodes,
    readyNodes,
  }
}
