import { join } from 'node:path'
import type { StoredRevision } from '#shared/etcd/snapshotSource.ts'
import { decodeObject, encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { SnapshotFile } from '#electron/snapshot/snapshotFile.ts'
import { runProgram } from '#test/support/peers.ts'
import { cli, startCluster } from '#test/support/runningCluster.ts'

const WORKLOADS = 20
const NODE = 'node01'
/** Last byte of the first address that copied pods take on a node. */
const FIRST_POD = 40
const encoder = new TextEncoder()

/** A deployment whose pods ask for little, so that thirty of them fit on a node. */
const deployment = (index: number): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: work-${String(index)}, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: work-${String(index)}}}
  template:
    metadata: {labels: {app: work-${String(index)}}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: registry.k8s.io/pause:3.9, resources: {requests: {cpu: 10m, memory: 8Mi}}}]}
---
`

/**
 * Writes a snapshot of a kubeadm cluster of so many workers and pods: a small embedded cluster is filled and saved, and what it
 * holds is written out again with one of its nodes and its pods copied many times.
 */
export async function writeTwinSnapshot(
  path: string,
  { nodes, pods, scratch, version }: { nodes: number; pods: number; scratch: string; version: string },
): Promise<void> {
  const small = join(scratch, 'small.db')
  await saveSmall(small, { scratch, version })
  const live = readLive(small)
  const objects = [...live].map(([key, value]): [string, Uint8Array] => [key, value])
  const add = (key: string, object: KubeObject): void => void objects.push([key, encodeProtobuf(object)])
  const decoded = (key: string): KubeObject => {
    const value = live.get(key)
    if (value === undefined) throw new Error(`the small cluster has no ${key}`)
    return decodeObject(value).object
  }
  const replace = (key: string, change: (object: KubeObject) => KubeObject): void => {
    const index = objects.findIndex(([each]) => each === key)
    objects[index] = [key, encodeProtobuf(change(decoded(key)))]
  }
  const names = [NODE, ...Array.from({ length: nodes - 1 }, (_, index) => `worker-${String(index + 1).padStart(4, '0')}`)]
  const [node, lease] = [decoded(`/registry/minions/${NODE}`), decoded(`/registry/leases/kube-node-lease/${NODE}`)]
  names.slice(1).forEach((name, index) => {
    add(`/registry/minions/${name}`, copyOfNode(node, { name, index }))
    const owner = { apiVersion: 'v1', kind: 'Node', name, uid: uidOf('node', index) }
    add(`/registry/leases/kube-node-lease/${name}`, {
      ...lease,
      metadata: { ...lease.metadata, name, uid: uidOf('lease', index), ownerReferences: [owner] },
      spec: { ...(isObject(lease['spec']) ? lease['spec'] : {}), holderIdentity: name },
    })
  })
  const replicas = Math.ceil(pods / WORKLOADS)
  const podKeys = [...live.keys()].filter((key) => key.startsWith('/registry/pods/default/work-'))
  let made = 0
  for (const key of podKeys) {
    const pod = decoded(key)
    for (let index = 1; index < replicas; index++, made++) {
      const name = `${(pod.metadata.name ?? '').replace(/-[^-]+$/, '')}-${String(index).padStart(5, '0')}`
      add(`/registry/pods/default/${name}`, copyOfPod(pod, { name, index: made, ...placeOf(decoded, names, made) }))
    }
  }
  const proxyKey = [...live.keys()].find((key) => key.startsWith('/registry/pods/kube-system/kube-proxy-') && nodeOf(decoded(key)) === NODE)
  if (proxyKey !== undefined)
    for (const [index, node] of names.slice(1).entries()) {
      const name = `kube-proxy-${String(index).padStart(5, '0')}`
      const { hostIP } = placeOf(decoded, names, index + 1)
      add(`/registry/pods/kube-system/${name}`, ofNode(copyOfPod(decoded(proxyKey), { name, node, hostIP, podIP: hostIP, index: made + index }), node))
    }
  const scaled = (object: KubeObject): KubeObject => ({
    ...object,
    spec: { ...(isObject(object['spec']) ? object['spec'] : {}), replicas },
    status: {
      ...(isObject(object['status']) ? object['status'] : {}),
      ...Object.fromEntries(
        ['replicas', 'readyReplicas', 'availableReplicas', 'updatedReplicas', 'fullyLabeledReplicas']
          .filter((field) => isObject(object['status']) && field in object['status'])
          .map((field) => [field, replicas]),
      ),
    },
  })
  for (const key of live.keys()) if (/^\/registry\/(deployments|replicasets)\/default\/work-/.test(key)) replace(key, scaled)
  replace('/registry/daemonsets/kube-system/kube-proxy', (set) => ({ ...set, status: grown(set['status'], nodes - 1) }))
  await encodeSnapshot(
    {
      revision: objects.length + 1,
      compactRevision: 0,
      *revisions(): Iterable<StoredRevision> {
        for (const [index, [key, value]] of objects.entries()) {
          const main = 2 + index
          yield { main, sub: 0, tombstone: false, kv: { key: encoder.encode(key), value, createRevision: main, modRevision: main, version: 1, lease: 0n } }
        }
      },
      leases: [],
      members: [],
      clusterVersion: '3.5.0',
      otherBuckets: new Map(),
    },
    { path, signal: new AbortController().signal },
  )
}

const nodeOf = ({ spec }: KubeObject): unknown => (isObject(spec) ? spec['nodeName'] : undefined)

/** A pod that a DaemonSet made for a node: its affinity names the node. */
function ofNode(pod: KubeObject, node: string): KubeObject {
  return JSON.parse(JSON.stringify(pod).replaceAll(`"values":["${NODE}"]`, `"values":["${node}"]`)) as KubeObject
}

/** A DaemonSet's counts with so many nodes more. */
function grown(status: unknown, by: number): JsonObject {
  const counts = ['currentNumberScheduled', 'desiredNumberScheduled', 'numberReady', 'numberAvailable', 'updatedNumberScheduled']
  return Object.fromEntries(Object.entries(isObject(status) ? status : {}).map(([name, value]) => [name, counts.includes(name) ? Number(value) + by : value]))
}

async function saveSmall(path: string, { scratch, version }: { scratch: string; version: string }): Promise<void> {
  const cluster = await startCluster(join(scratch, 'small'), ['--nodes', '2', '--kubernetes-version', version, '--etcd-port', '0'])
  try {
    const yaml = Array.from({ length: WORKLOADS }, (_, index) => deployment(index)).join('')
    const applied = await cluster.kubectl(['apply', '-f', '-'], { input: yaml })
    const waited = await cluster.kubectl(['wait', '--for=condition=Available', 'deployments', '--all', '-A', '--timeout=120s'], { timeoutMs: 130_000 })
    if (applied.code !== 0 || waited.code !== 0) throw new Error(applied.stderr + waited.stderr)
    const pki = (name: string): string => join(cluster.pki, 'etcd', name)
    const tls = ['--cacert', pki('ca.crt'), '--cert', pki('healthcheck-client.crt'), '--key', pki('healthcheck-client.key')]
    const saved = await runProgram(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      cli,
      'snapshot',
      'save',
      path,
      '--endpoints',
      cluster.etcd,
      ...tls,
    ])
    if (saved.code !== 0) throw new Error(saved.stderr)
  } finally {
    await cluster.end()
  }
}

/** Keys and values as they are at the end, events aside. */
function readLive(path: string): Map<string, Uint8Array> {
  const file = new SnapshotFile(path)
  const live = new Map<string, Uint8Array>()
  try {
    for (const { tombstone, kv } of file.revisions()) {
      const key = Buffer.from(kv.key).toString('utf8')
      if (tombstone) live.delete(key)
      else if (!key.startsWith('/registry/events/')) live.set(key, Uint8Array.from(kv.value))
    }
  } finally {
    file.pages.close()
  }
  return new Map([...live].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const uidOf = (kind: 'node' | 'lease' | 'pod', index: number): string =>
  `${{ node: '1', lease: '2', pod: '3' }[kind]}0000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`

/** Of the node of an index: 250 of a kind share the first two bytes. */
const addressOf = (index: number): string => `172.31.${String(Math.floor(index / 250))}.${String((index % 250) + 1)}`
const rangeOf = (index: number): string => `10.${String(100 + Math.floor(index / 250))}.${String((index % 250) + 1)}`

/** Where a pod runs and with which addresses, as its node's kubelet would have told: the nodes take turns, and each counts its pods. */
function placeOf(decoded: (key: string) => KubeObject, names: readonly string[], index: number): { node: string; hostIP: string; podIP: string } {
  const at = index % names.length
  const node = names[at] ?? NODE
  // The first network addresses of a range are the bridge's and those of pods that the small cluster had there.
  const last = String(FIRST_POD + Math.floor(index / names.length))
  if (at > 0) return { node, hostIP: addressOf(at - 1), podIP: `${rangeOf(at - 1)}.${last}` }
  const original = decoded(`/registry/minions/${NODE}`)
  const { podCIDR } = isObject(original['spec']) ? original['spec'] : {}
  const addresses = isObject(original['status']) && Array.isArray(original['status']['addresses']) ? original['status']['addresses'] : []
  const own = (addresses as { type: string; address: string }[]).find(({ type }) => type === 'InternalIP')
  return { node, hostIP: own?.address ?? '', podIP: `${String(podCIDR).replace(/\.\d+\/.*$/, '')}.${last}` }
}

function copyOfNode(node: KubeObject, { name, index }: { name: string; index: number }): KubeObject {
  const status = isObject(node['status']) ? node['status'] : {}
  const podCIDR = `${rangeOf(index)}.0/24`
  return {
    ...node,
    metadata: { ...node.metadata, name, uid: uidOf('node', index), labels: { ...node.metadata.labels, 'kubernetes.io/hostname': name } },
    spec: { ...(isObject(node['spec']) ? node['spec'] : {}), podCIDR, podCIDRs: [podCIDR] },
    status: {
      ...status,
      addresses: [
        { type: 'InternalIP', address: addressOf(index) },
        { type: 'Hostname', address: name },
      ],
    },
  }
}

function copyOfPod(
  pod: KubeObject,
  { name, node, hostIP, podIP, index }: { name: string; node: string; hostIP: string; podIP: string; index: number },
): KubeObject {
  return {
    ...pod,
    metadata: { ...pod.metadata, name, uid: uidOf('pod', index) },
    spec: { ...(isObject(pod['spec']) ? pod['spec'] : {}), nodeName: node },
    status: { ...(isObject(pod['status']) ? pod['status'] : {}), hostIP, hostIPs: [{ ip: hostIP }], podIP, podIPs: [{ ip: podIP }] },
  }
}
