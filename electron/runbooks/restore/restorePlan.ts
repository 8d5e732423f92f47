import { dirname } from 'node:path'
import type { RestorePlan, RestorePlanNode, UpgradeFinding } from '#shared/contract/runbooks.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { NodeShellFactory } from '../nodeShell/nodeShell.ts'
import { isControlPlane, isReady } from '../upgrade/plan.ts'
import { WAL_SEGMENT_BYTES } from '../../snapshot/dataDir/raftState.ts'
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
/** Besides: etcd takes the room of its write-ahead log's segment whole, and that of the next one with it. */
const LOG_BYTES = 2 * WAL_SEGMENT_BYTES

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
  for (const { name, keptInPlace } of read)
    for (const path of keptInPlace)
      findings.push({
        level: 'note',
        title: `${path} on ${name} is a disk of its own (a mount point) or a link, which stays where it is: only what etcd has in it is moved`,
        cure: `The old data goes into a folder ${path}/before-RUN beside the new. Remove it when the restore has proved good: etcd warns of a folder it does not know at each start, and kubeadm copies it with the data before it upgrades etcd.`,
      })
  for (const { name, walDir } of read)
    if (walDir !== '')
      findings.push({
        level: 'blocking',
        title: `etcd on ${name} keeps its write-ahead log apart (--wal-dir=${walDir}), where the old one would be read with the restored data`,
        cure: 'Restore by hand with etcdutl snapshot restore --data-dir and --wal-dir, or take --wal-dir out of the manifest first, with the log moved to member/wal of the data.',
      })
  const neededBytes = DISK_FACTOR * backup.fileSizeBytes + LOG_BYTES
  for (const { name, freeBytes } of read)
    if (freeBytes === null)
      findings.push({
        level: 'warning',
        title: `how much room ${name} has for etcd is not known`,
        cure: 'See df on the node: the old data is kept beside the new.',
      })
    else if (freeBytes < neededBytes)
      findings.push({
        level: 'blocking',
        title: `${name} has ${String(Math.floor(freeBytes / 2 ** 20))} MiB free for etcd, the restore needs ${String(Math.ceil(neededBytes / 2 ** 20))} MiB`,
        cure: 'Make room on its disk: the old data is kept beside the new.',
      })
  return {
    backup: { id: backup.id, path: backup.path, createdAtMs: backup.createdAtMs, clusterName: backup.clusterName, objectCounts: backup.objectCounts },
    nodes: read.map(({ freeBytes: _freeBytes, walDir: _walDir, ...node }) => node),
    readyNodes: nodes.filter(isReady).map(({ metadata }) => metadata.name ?? ''),
    findings,
  }
}

async function readNode(
  shells: NodeShellFactory,
  node: KubeObject,
  { kubeadmPath, signal }: { kubeadmPath: string; signal: AbortSignal },
): Promise<RestorePlanNode & { freeBytes: number | null; walDir: string; keptInPlace: string[] }> {
  const name = node.metadata.name ?? ''
  const shell = await shells(name, { signal })
  try {
    const { exitCode, stdout, stderr } = await shell.run(`cat ${MANIFEST}`, { signal })
    if (exitCode !== 0)
      throw new StatusError(
        failure(422, 'Invalid', `${name}: ${MANIFEST} cannot be read (${stderr.trim()}): is its etcd an external one? Those are restored where they run`),
      )
    const manifest = readEtcdManifest(stdout)
    const keptInPlace: string[] = []
    let freeBytes: number | null = null
    for (const path of new Set([manifest.dataPath, kubeadmPath])) {
      // A folder that is not there yet is made on the disk of the one above.
      const row = (await shell.run(`if [ -e ${path} ]; then df -Pk ${path}; else df -Pk ${dirname(path)}; fi | tail -1`, { signal })).stdout
      if (path === kubeadmPath) freeBytes = freeBytesOf(row)
      if (mountPointOf(row) === path || (await shell.run(`[ -L ${path} ]`, { signal })).exitCode === 0) keptInPlace.push(path)
    }
    const addresses = (node['status'] as { addresses?: { type: string; address: string }[] } | undefined)?.addresses ?? []
    return {
      name,
      address: addresses.find(({ type }) => type === 'InternalIP')?.address ?? name,
      member: manifest.name,
      peerUrls: manifest.peerUrls,
      dataPath: manifest.dataPath,
      kubeadmPath,
      keptInPlace,
      freeBytes,
      walDir: manifest.walDir,
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
