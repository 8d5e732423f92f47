import { stringify } from 'yaml'
import { decodeTar, encodeTar, TarFault, type TarEntry } from '../platform/tarArchive.ts'
import type { ClusterApi } from './clusterApi.ts'
import type { NodeShellFactory } from './nodeShell/nodeShell.ts'
import { isControlPlane } from './upgrade/plan.ts'

/** Where kubeadm keeps what a control-plane node cannot be made again without, from the root on. */
const FOLDERS = ['etc/kubernetes', 'etc/kubernetes/pki', 'etc/kubernetes/pki/etcd', 'etc/kubernetes/manifests']
const ENDINGS = ['crt', 'key', 'pub', 'conf', 'yaml']
/** One archive of them all, and none where there is no such file; files that links lead to go in themselves, each as often as it is named. Names that sh would take apart are no file of kubeadm's. */
const READ = [
  'cd / || exit 1',
  'files=""',
  `for file in ${FOLDERS.flatMap((folder) => ENDINGS.map((ending) => `${folder}/*.${ending}`)).join(' ')}; do case "$file" in *[!A-Za-z0-9_./-]*) ;; *) if [ -f "$file" ]; then files="$files $file"; fi;; esac; done`,
  'if [ -n "$files" ]; then tar -c -h --hard-dereference -f - $files; fi',
].join('; ')
const CONFIGURATION = '/api/v1/namespaces/kube-system/configmaps/kubeadm-config'

/**
 * PKI, kubeconfigs and static pods of every control-plane node that is reached, and kubeadm's configuration, as one archive of files that
 * only their owner may read.
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
  if (data !== undefined) entries.push(privateFile('kubeadm-config.yaml', Buffer.from(data['ClusterConfiguration'] ?? stringify(data)), nowMs))
  if (problems.length > 0) entries.push(privateFile('NOT-REACHED.txt', Buffer.from(`${problems.join('\n')}\n`), nowMs))
  return encodeTar(entries)
}

const privateFile = (name: string, content: Uint8Array, modifiedMs: number): TarEntry => ({ name, kind: 'file', mode: 0o600, modifiedMs, content, target: '' })

/** @throws Error with what the node says */
async function filesOf(node: string, shell: NodeShellFactory, signal: AbortSignal): Promise<TarEntry[]> {
  const session = await shell(node, { signal })
  try {
    const chunks: Uint8Array[] = []
    const { exitCode, stderr } = await session.run(READ, { signal, onStdout: (bytes) => chunks.push(bytes) })
    if (exitCode !== 0) throw new Error(`its files could not be read: ${stderr.trim() || `exit code ${String(exitCode)}`}`)
    return [...decodeTar(Buffer.concat(chunks))].flatMap(({ name, kind, content, modifiedMs }) =>
      kind === 'file' ? [privateFile(`${node}/${name}`, content, modifiedMs)] : [],
    )
  } catch (error) {
    if (error instanceof TarFault) throw new Error(`what it sent is no whole archive: ${error.message}`, { cause: error })
    throw error
  } finally {
    session.close()
  }
}
