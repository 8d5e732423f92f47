import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import { RunbookEngine } from '#electron/runbooks/engine.ts'
import { readEtcdManifest } from '#electron/runbooks/restore/etcdManifest.ts'
import { readRestorePlan, restoreInput } from '#electron/runbooks/restore/restorePlan.ts'
import { restoreRunbook } from '#electron/runbooks/restore/restoreRunbook.ts'
import { CONTROL_PLANE_COMPONENTS } from '#electron/runbooks/staticPods.ts'
import { restoreDataDir } from '#electron/snapshot/dataDir/restoreDataDir.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { snapshotStatus } from '#electron/snapshot/status.ts'
import type { RestorePlan } from '#shared/contract/runbooks.ts'
import { startDiskNode, type DiskNode } from '#test/support/diskNode.ts'
import { etcdManifest } from '#test/support/etcdManifest.ts'
import { freeHold, noCluster } from '#test/support/freeHold.ts'
import { sourceOf } from '../../snapshot/source.ts'

export const NODE = 'cp1'
const ALONE = { name: NODE, initialCluster: `${NODE}=https://10.0.0.11:2380`, initialClusterToken: 'old', initialAdvertisePeerUrls: 'https://10.0.0.11:2380' }
const MANIFESTS = '/etc/kubernetes/manifests'

/** A control-plane node of files alone, whose etcd has data, and the runbook that restores a backup on it. */
export interface RestoreOnDisks {
  node: DiskNode
  engine: RunbookEngine
  plan(): Promise<RestorePlan>
  /** @returns the run's id */
  start(): Promise<string>
  /** Revision of the data that etcd reads, by the manifest in the kubelet's folder. */
  revision(): Promise<number>
  close(): Promise<void>
}

export async function restoreOnDisks(
  directory: string,
  { dataPath, kubeadmPath, sizesMiB }: { dataPath: string; kubeadmPath: string; sizesMiB: Readonly<Record<string, number>> },
): Promise<RestoreOnDisks> {
  const { signal } = new AbortController()
  const node = await startDiskNode(directory, sizesMiB)
  const [present, backup] = [join(directory, 'present.db'), join(directory, 'backup.db')]
  await encodeSnapshot(sourceOf({ count: 60, valueBytes: () => 300, deletes: 2 }), { path: present, signal })
  await encodeSnapshot(sourceOf({ count: 400, valueBytes: () => 300, deletes: 20 }), { path: backup, signal })
  await restoreDataDir({ ...ALONE, snapshot: present, dataDir: join(directory, 'present'), signal })
  const texts = CONTROL_PLANE_COMPONENTS.map((name) => [name, name === 'etcd' ? etcdManifest(dataPath) : `kind: Pod\nmetadata: {name: ${name}}\n`])
  const prepared = await node.run(
    [
      `mkdir -p ${MANIFESTS} ${dataPath} && cp -r --sparse=always ${join(directory, 'present/member')} ${dataPath}/member`,
      ...texts.map(([name = '', text = '']) => `cat > ${MANIFESTS}/${name}.yaml << 'END'\n${text}END`),
    ].join('\n'),
  )
  if (prepared.exitCode !== 0) throw new Error(prepared.stderr)
  const object = (name: string, change: object): KubeObject => ({ apiVersion: 'v1', kind: 'Object', metadata: { name }, ...change })
  const ready = { status: { conditions: [{ type: 'Ready', status: 'True' }] } }
  const labels = { 'node-role.kubernetes.io/control-plane': '' }
  const api: Pick<ClusterApi, 'get' | 'list' | 'version'> = {
    get: () => Promise.resolve(object('kubeadm-config', { data: { ClusterConfiguration: `etcd: {local: {dataDir: ${kubeadmPath}}}` } })),
    version: async () => ((await node.manifests()).includes('kube-apiserver.yaml') ? 'v1.36.4' : ''),
    list: async (path) => {
      if (path.includes('/pods')) return (await node.manifests()).map((file) => object(`${file.replace('.yaml', '')}-${NODE}`, ready))
      if (path.includes('/leases')) return [object(NODE, { spec: { renewTime: new Date().toISOString() } })]
      return [{ ...object(NODE, ready), metadata: { name: NODE, labels } }]
    },
  }
  const statusOf = async (): Promise<{ revision: number; hash: number }> => {
    const path = readEtcdManifest(readFileSync(node.outside(`${MANIFESTS}/etcd.yaml`), 'utf8')).dataPath
    return snapshotStatus(node.outside(`${path}/member/snap/db`), { signal })
  }
  const shells = (): Promise<DiskNode['shell']> => Promise.resolve(node.shell)
  let serial = 0
  const engine = new RunbookEngine({
    directory: join(directory, 'runs'),
    runbooks: [
      restoreRunbook({
        api: () => Promise.resolve(api as ClusterApi),
        shell: () => Promise.resolve(shells),
        save: () => Promise.resolve({ line: 'saved', objectCounts: {} }),
        hashes: async () => [{ node: NODE, members: 1, ...(await statusOf()) }],
      }),
    ],
    clock: new SystemClock(),
    logger: silentLogger,
    newId: () => `run${String(++serial)}`,
    hold: freeHold,
    identify: noCluster,
  })
  engine.open()
  const described = { id: 'b', path: backup, clusterName: 'c', createdAtMs: 0, fileSizeBytes: 100_000, verdict: 'good', objectCounts: {} }
  const plan = (): Promise<RestorePlan> => readRestorePlan(api as ClusterApi, shells, described, { signal })
  return {
    node,
    engine,
    plan,
    start: async () => engine.start('restore', restoreInput(await plan(), { id: 'c1', name: 'production' })),
    revision: async () => (await statusOf()).revision,
    close: async () => {
      await engine.close()
      await node.close()
    },
  }
}
