import { stringify } from 'yaml'
import { tarOf, type TarEntry } from '../snapshot/envelope/tar.ts'
import type { ClusterApi } from './clusterApi.ts'
import type { NodeShellFactory } from './nodeShell/nodeShell.ts'
import { isControlPlane } from './upgrade/plan.ts'

/** Where kubeadm keeps what a control-plane node cannot be made again without. */
const FOLDERS = ['/etc/kubernetes', '/etc/kubernetes/pki', '/etc/kubernetes/pki/etcd', '/etc/kubernetes/manifests']
const CONFIGURATION = '/api/v1/namespaces/kube-system/configmaps/kubeadm-config'

/**
 * PKI, kubeconfigs and static pods of every control-plane node that is reached, and kubeadm's configuration, as one archive.
 * @throws Error when no node is reached
 */
export async function pkiArchive(
  { api, shell, nowMs }: { api: ClusterApi; shell: NodeShellFactory; nowMs: number },
  { signal }: { signal: AbortSignal },
): Promise<Buffer> {
  const nodes = (await api.list('/api/v1/nodes', signal)).filter(isControlPlane).map(({ metadata }) => metadata.name ?? '')
  const entries: TarEntry[] = []
  const problems: string[] = []
  for (const node of nodes)
    try {
      entries.push(...(await filesOf(node, shell, signal)))
    } catch (error) {
      signal.throwIfAborted()
      problems.push(`${node}: ${error instanceof Error ? error.message : String(error)}`)
    }
  if (entries.length === 0)
    throw new Error(
      problems.length === 0 ? 'no control-plane node is known whose PKI could be saved' : `no control-plane node was reached: ${problems.join('; ')}`,
    )
  const { data } = (await api.get(CONFIGURATION, signal).catch(() => ({ data: undefined }))) as { data?: Record<string, string> }
  if (data !== undefined) entries.push({ name: 'kubeadm-config.yaml', bytes: Buffer.from(data['ClusterConfiguration'] ?? stringify(data)) })
  if (problems.length > 0) entries.push({ name: 'NOT-REACHED.txt', bytes: Buffer.from(`${problems.join('\n')}\n`) })
  return tarOf(entries, nowMs)
}

async function filesOf(node: string, shell: NodeShellFactory, signal: AbortSignal): Promise<TarEntry[]> {
  const session = await shell(node, { signal })
  try {
    const entries: TarEntry[] = []
    for (const folder of FOLDERS) {
      const { exitCode, stdout } = await session.run(`ls ${folder}`, { signal })
      if (exitCode !== 0) continue
      for (const name of stdout.split(/\s+/).filter((each) => /^[\w.-]+\.(?:crt|key|pub|conf|yaml)$/.test(each))) {
        const read = await session.run(`cat ${folder}/${name}`, { signal })
        if (read.exitCode === 0) entries.push({ name: `${node}${folder}/${name}`, bytes: Buffer.from(read.stdout) })
      }
    }
    return entries
  } finally {
    session.close()
  }
}
