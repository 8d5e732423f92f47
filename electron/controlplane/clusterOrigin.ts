import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { EtcdClient, KeyValue } from '#shared/etcd/rpc.ts'
import { decodeObject } from '#shared/kubernetes/codec/codec.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { parseQuantity, quantityNumber } from '#shared/kubernetes/quantity.ts'
import { SnapshotFile } from '#electron/snapshot/snapshotFile.ts'
import { loadStore } from './etcd/loadStore.ts'
import { noteAdopted, type AdoptedManifest } from './kubelet/staticPods.ts'
import type { NodePlan } from './simulatedNode.ts'

const encoder = new TextEncoder()
const PAGE = 500
/** kube-apiserver's image tag, of any registry. */
const VERSION_TAG = /:(v1\.\d+\.\d+[^@]*)/

/** What a cluster is like that came from an etcd snapshot, read from the objects themselves. */
export interface ClusterOrigin {
  /** Null when nothing in it says so. */
  kubernetesVersion: string | null
  nodes: NodePlan[]
  serviceSubnet: string | null
  podSubnet: string | null
  imageRepository: string | null
  /** By node and file name, from the mirror pods of its static pods. */
  manifests: Map<string, Map<string, AdoptedManifest>>
}

/** Where a data directory's contents came from, kept beside them. */
export interface OriginRecord {
  snapshot: string
  /** The snapshot's revision. */
  revision: number
}

const recordPath = (dataDir: string): string => join(dataDir, 'origin.json')

/** Null for a cluster that was made new. @throws Error when the record is damaged */
export function readOriginRecord(dataDir: string): OriginRecord | null {
  if (!existsSync(recordPath(dataDir))) return null
  return JSON.parse(readFileSync(recordPath(dataDir), 'utf8')) as OriginRecord
}

/**
 * Fills an empty data directory with a snapshot's store, or only notes where it came from when it is read in place. Started again on the
 * same directory and file, it keeps what is there.
 * @throws Error when the directory holds another cluster; SnapshotError; the system's error
 */
export async function importSnapshot(
  snapshot: string,
  { dataDir, inPlace, signal }: { dataDir: string; inPlace: boolean; signal: AbortSignal },
): Promise<void> {
  const storeDir = join(dataDir, 'etcd')
  const known = readOriginRecord(dataDir)
  if (known !== null) {
    if (known.snapshot === snapshot) return
    throw new Error(`${dataDir} holds a cluster made from ${known.snapshot}; give another --data-dir for ${basename(snapshot)}`)
  }
  if (existsSync(storeDir)) throw new Error(`${dataDir} holds a cluster already; give an empty --data-dir for ${basename(snapshot)}`)
  const file = new SnapshotFile(snapshot)
  const loading = `${storeDir}.loading`
  try {
    rmSync(loading, { recursive: true, force: true })
    mkdirSync(loading, { recursive: true, mode: 0o700 })
    const source = file.source()
    if (!inPlace) await loadStore(source, { dataDir: loading, signal })
    writeFileSync(recordPath(dataDir), `${JSON.stringify({ snapshot, revision: source.revision } satisfies OriginRecord)}\n`)
    renameSync(loading, storeDir)
  } finally {
    file.close()
    rmSync(loading, { recursive: true, force: true })
  }
}

/** Reads from the store what its cluster is like. Objects that cannot be decoded are passed over: they stay as they are. */
export async function readOrigin(etcd: EtcdClient, signal: AbortSignal): Promise<ClusterOrigin> {
  const nodes: NodePlan[] = []
  for await (const object of objectsBelow(etcd, '/registry/minions/', signal)) nodes.push(nodePlan(object))
  nodes.sort((a, b) => Number(b.controlPlane) - Number(a.controlPlane) || (a.name < b.name ? -1 : 1))
  const manifests: ClusterOrigin['manifests'] = new Map()
  let version: string | null = null
  const flags = new Map<string, string>()
  for await (const pod of objectsBelow(etcd, '/registry/pods/kube-system/', signal)) {
    if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] === undefined) continue
    const spec = pod['spec'] as { nodeName?: string; containers?: { image?: string; command?: string[] }[] } | undefined
    const node = spec?.nodeName ?? ''
    const component = (pod.metadata.name ?? '').endsWith(`-${node}`) ? (pod.metadata.name ?? '').slice(0, -node.length - 1) : (pod.metadata.name ?? '')
    const files = manifests.get(node) ?? new Map<string, AdoptedManifest>()
    files.set(`${component}.yaml`, {
      text: stringify(manifestOf(pod, component), { lineWidth: 0 }),
      hash: pod.metadata.annotations['kubernetes.io/config.mirror'],
      status: pod['status'] as AdoptedManifest['status'],
    })
    manifests.set(node, files)
    const container = spec?.containers?.[0]
    if (component === 'kube-apiserver') version = VERSION_TAG.exec(container?.image ?? '')?.[1] ?? version
    for (const argument of container?.command ?? []) {
      const [, name = '', value = ''] = /^--([\w-]+)=(.*)$/.exec(argument) ?? []
      if (name !== '') flags.set(name, value)
    }
  }
  const kubeadm = await kubeadmConfiguration(etcd, signal)
  return {
    kubernetesVersion: kubeadm?.kubernetesVersion ?? version ?? newestOf(nodes),
    nodes,
    serviceSubnet: kubeadm?.networking?.serviceSubnet ?? flags.get('service-cluster-ip-range') ?? null,
    podSubnet: kubeadm?.networking?.podSubnet ?? flags.get('cluster-cidr') ?? null,
    imageRepository: kubeadm?.imageRepository ?? null,
    manifests,
  }
}

/** Of a mirror pod's spec, what no manifest of kubeadm's says. */
const ADDED_FIELDS = new Set([
  'nodeName',
  'tolerations',
  'enableServiceLinks',
  'schedulerName',
  'preemptionPolicy',
  'dnsPolicy',
  'restartPolicy',
  'terminationGracePeriodSeconds',
])

/** A mirror pod's manifest: what the kubelet and admission added is taken away. */
function manifestOf(pod: KubeObject, component: string): KubeObject {
  const { labels, annotations = {} } = pod.metadata
  const own = Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith('kubernetes.io/config.')))
  const spec = Object.fromEntries(Object.entries(pod['spec'] as Record<string, unknown>).filter(([field]) => !ADDED_FIELDS.has(field)))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(Object.keys(own).length === 0 ? {} : { annotations: own }),
      ...(labels === undefined ? {} : { labels }),
      name: component,
      namespace: pod.metadata.namespace ?? 'kube-system',
    },
    spec,
  }
}

interface NodeFields {
  spec?: { taints?: { key: string }[] }
  status?: { addresses?: { type: string; address: string }[]; capacity?: Record<string, string>; nodeInfo?: { kubeletVersion?: string } }
}

function nodePlan(node: KubeObject): NodePlan {
  const { status, spec } = node as NodeFields
  const name = node.metadata.name ?? ''
  const roles = [...Object.keys(node.metadata.labels ?? {}), ...(spec?.taints ?? []).map(({ key }) => key)]
  const amount = (resource: string, otherwise: number): number => {
    const quantity = parseQuantity(status?.capacity?.[resource] ?? '')
    return quantity === null ? otherwise : quantityNumber(quantity)
  }
  return {
    name,
    address: status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '127.0.0.1',
    controlPlane: roles.includes('node-role.kubernetes.io/control-plane') || roles.includes('node-role.kubernetes.io/master'),
    existing: {
      kubeletVersion: status?.nodeInfo?.kubeletVersion ?? '',
      capacity: {
        cpuCores: amount('cpu', 4),
        memoryBytes: amount('memory', 8 * 2 ** 30),
        pods: amount('pods', 110),
        diskBytes: amount('ephemeral-storage', 60 * 2 ** 30),
      },
    },
  }
}

function newestOf(nodes: readonly NodePlan[]): string | null {
  const number = (version: string): number => (/^v1\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).reduce((sum, part) => sum * 1000 + Number(part), 0)
  const versions = nodes.map(({ existing }) => existing?.kubeletVersion ?? '').filter((version) => /^v1\.\d+\.\d+/.test(version))
  return versions.sort((a, b) => number(b) - number(a))[0] ?? null
}

interface KubeadmConfiguration {
  imageRepository?: string
  kubernetesVersion?: string
  networking?: { serviceSubnet?: string; podSubnet?: string }
}

async function kubeadmConfiguration(etcd: EtcdClient, signal: AbortSignal): Promise<KubeadmConfiguration | null> {
  const { kvs } = await etcd.range({ key: encoder.encode('/registry/configmaps/kube-system/kubeadm-config') }, { signal })
  const data = objectOf(kvs[0])?.['data'] as { ClusterConfiguration?: string } | undefined
  try {
    return data?.ClusterConfiguration === undefined ? null : (parse(data.ClusterConfiguration) as KubeadmConfiguration | null)
  } catch {
    // Whatever somebody wrote there, the pods say the rest.
    return null
  }
}

async function* objectsBelow(etcd: EtcdClient, prefix: string, signal: AbortSignal): AsyncGenerator<KubeObject> {
  const rangeEnd = encoder.encode(`${prefix.slice(0, -1)}0`)
  let key = encoder.encode(prefix)
  for (;;) {
    const page = await etcd.range({ key, rangeEnd, limit: PAGE }, { signal })
    for (const kv of page.kvs) {
      const object = objectOf(kv)
      if (object !== null) yield object
    }
    const last = page.kvs.at(-1)
    if (!page.more || last === undefined) return
    key = new Uint8Array([...last.key, 0])
  }
}

function objectOf(kv: KeyValue | undefined): KubeObject | null {
  if (kv === undefined) return null
  try {
    return decodeObject(kv.value).object
  } catch {
    return null
  }
}

/** Writes the manifests of a node's static pods, once: what is done to them later stays. */
export function writeOriginManifests(rootDir: string, manifests: ReadonlyMap<string, AdoptedManifest>): void {
  const directory = join(rootDir, 'etc/kubernetes/manifests')
  if (existsSync(directory)) return
  mkdirSync(directory, { recursive: true })
  for (const [file, { text }] of manifests) writeFileSync(join(directory, file), text, { mode: 0o600 })
  noteAdopted(directory, manifests)
}
