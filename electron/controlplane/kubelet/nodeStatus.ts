import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ImageStore } from './imageStore.ts'
import { timestamp } from './types.ts'

export interface NodeCapacity {
  cpuCores: number
  memoryBytes: number
  pods: number
  diskBytes: number
}

export interface NodeFacts {
  name: string
  internalIP: string
  kubeletVersion: string
  capacity: NodeCapacity
  /** 32 hexadecimal digits. */
  machineId: string
  bootId: string
  images: ImageStore
  nowMs: number
  ready: { status: 'True' | 'False'; reason: string; message: string }
}

interface NodeCondition {
  type: string
  status: string
  lastHeartbeatTime: string
  lastTransitionTime: string
  reason: string
  message: string
}

/** What the kubelet reserves of memory for hard eviction (100 MiB), the difference of capacity and allocatable. */
const EVICTION_BYTES = 100 * 2 ** 20

/** The object a kubelet registers. kubeadm's taint and labels of a control-plane node are kubeadm's, not the kubelet's. */
export function newNode(name: string, extra: { labels: Record<string, string>; taints: { key: string; effect: string }[] }): KubeObject {
  const well = { 'kubernetes.io/arch': 'amd64', 'kubernetes.io/os': 'linux', 'kubernetes.io/hostname': name }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { 'beta.kubernetes.io/arch': 'amd64', 'beta.kubernetes.io/os': 'linux', ...well, ...extra.labels },
      annotations: {
        'node.alpha.kubernetes.io/ttl': '0',
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
        'drydock.invalid/simulated': 'true',
      },
    },
    spec: { ...(extra.taints.length === 0 ? {} : { taints: extra.taints }) },
  }
}

/** Resources that somebody has added to the node's capacity (`example.com/gpu`): the kubelet leaves them, and lets all of them be used. */
function extended(before: KubeObject | null): Record<string, unknown> {
  const { capacity = {} } = (before?.['status'] ?? {}) as { capacity?: Record<string, unknown> }
  return Object.fromEntries(Object.entries(capacity).filter(([name]) => name.includes('/')))
}

/** node.status as the kubelet reports it. */
export function nodeStatus(facts: NodeFacts, before: KubeObject | null): Record<string, unknown> {
  const known = ((before?.['status'] as { conditions?: NodeCondition[] } | undefined)?.conditions ?? []).filter(
    ({ type }) => !['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].includes(type),
  )
  const condition = (type: string, status: string, reason: string, message: string): NodeCondition => {
    const previous = (before?.['status'] as { conditions?: NodeCondition[] } | undefined)?.conditions?.find((one) => one.type === type)
    const now = timestamp(facts.nowMs)
    return { type, status, lastHeartbeatTime: now, lastTransitionTime: previous?.status === status ? previous.lastTransitionTime : now, reason, message }
  }
  const { cpuCores, memoryBytes, pods, diskBytes } = facts.capacity
  const kib = (bytes: number): string => `${String(Math.floor(bytes / 1024))}Ki`
  const common = { cpu: String(cpuCores), 'hugepages-1Gi': '0', 'hugepages-2Mi': '0', pods: String(pods) }
  return {
    addresses: [
      { type: 'InternalIP', address: facts.internalIP },
      { type: 'Hostname', address: facts.name },
    ],
    capacity: { ...common, 'ephemeral-storage': kib(diskBytes), memory: kib(memoryBytes) },
    allocatable: { ...extended(before), ...common, 'ephemeral-storage': String(Math.floor(diskBytes * 0.9)), memory: kib(memoryBytes - EVICTION_BYTES) },
    conditions: [
      ...known,
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
      condition('Ready', facts.ready.status, facts.ready.reason, facts.ready.message),
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    images: facts.images.list(),
    nodeInfo: {
      architecture: 'amd64',
      bootID: facts.bootId,
      containerRuntimeVersion: 'containerd://2.2.0',
      kernelVersion: '6.12.48-simulated',
      kubeProxyVersion: '',
      kubeletVersion: facts.kubeletVersion,
      machineID: facts.machineId,
      operatingSystem: 'linux',
      osImage: 'Debian GNU/Linux 13 (simulated by Drydock)',
      systemUUID: facts.machineId,
    },
  }
}
