import { deepEqual, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { tolerates, tolerationsOf, type Taint } from '#shared/planning/scheduling/taints.ts'
import { LEASES, NODES, PODS } from '#electron/client/resources.ts'
import { isDeleting, keyOf, nodeNameOf, objectsAt, specOf, splitKey, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'

const MONITOR_MS = 5_000
/** Silence after which a node's state is unknown; since 1.32 a longer one. @see pkg/controller/nodelifecycle/config NodeMonitorGracePeriod */
const GRACE_MS = 50_000
const GRACE_BEFORE_1_32_MS = 40_000
/** A node that has never said anything has longer. @see pkg/controller/nodelifecycle/config NodeStartupGracePeriod */
const STARTUP_GRACE_MS = 60_000
/** What a kubelet tells of its node; the network's condition is somebody else's. */
const OF_KUBELET = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure']
const NEVER = ['NodeStatusNeverUpdated', 'Kubelet never posted node status.'] as const
const STOPPED = ['NodeStatusUnknown', 'Kubelet stopped posting node status.'] as const
const NOT_READY = 'node.kubernetes.io/not-ready'
const UNREACHABLE = 'node.kubernetes.io/unreachable'

/** Conditions of a node that keep new pods away: condition, the status that counts, the taint. */
const CONDITION_TAINTS = [
  ['Ready', 'False', NOT_READY],
  ['Ready', 'Unknown', UNREACHABLE],
  ['MemoryPressure', 'True', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'True', 'node.kubernetes.io/disk-pressure'],
  ['PIDPressure', 'True', 'node.kubernetes.io/pid-pressure'],
  ['NetworkUnavailable', 'True', 'node.kubernetes.io/network-unavailable'],
] as const

/** Watches nodes' heartbeats, taints nodes by their conditions, and evicts pods that do not bear NoExecute taints. */
export function nodeLifecycleController(context: ControllerContext): Controller {
  const { client, clock } = context
  const graceMs = context.minor >= 32 ? GRACE_MS : GRACE_BEFORE_1_32_MS
  const nodes = context.informer(NODES)
  const leases = context.informer(LEASES)
  const pods = context.informer(PODS)
  const events = context.recorder('node-controller')
  const nodeQueue = context.queue('node-lifecycle', syncNode)
  const evictions = context.queue('taint-eviction', evict)
  /** When a heartbeat was last seen to change, by this clock: nodes' clocks are not trusted. */
  /** Since when each pod is on a node with NoExecute taints. */
  const tainted = new Map<string, { uid: string | undefined; node: string; sinceMs: number }>()
  const seen = new Map<string, { heartbeat: string; atMs: number }>()

  nodes.onEvent(({ type, object, old }) => {
    if (type === 'delete') {
      seen.delete(object.metadata.name ?? '')
      return
    }
    nodeQueue.add(keyOf(object))
    if (old === undefined || !deepEqual(specOf(old)['taints'], specOf(object)['taints']))
      for (const pod of podsOn(object.metadata.name ?? '')) evictions.add(keyOf(pod))
  })
  pods.onEvent(({ type, object }) => {
    if (type === 'delete') tainted.delete(keyOf(object))
    else if (nodeNameOf(object) !== '') evictions.add(keyOf(object))
  })

  const podsOn = (node: string): KubeObject[] => pods.byIndex('node', node)

  async function syncNode(key: string, signal: AbortSignal): Promise<void> {
    const node = nodes.get('', key.slice(1))
    if (node === undefined || isDeleting(node)) return
    if (await markUnknown(node, signal)) return
    const conditions = objectsAt(statusOf(node)['conditions'])
    const current = objectsAt(specOf(node)['taints'])
    const owned = new Set<string>(CONDITION_TAINTS.map(([, , taint]) => taint))
    owned.add('node.kubernetes.io/unschedulable')
    const wanted: JsonObject[] = current.filter((taint) => !owned.has(textAt(taint['key'])))
    const add = (taintKey: string, effect: string): void => {
      const known = current.find((taint) => taint['key'] === taintKey && taint['effect'] === effect)
      wanted.push(known ?? { key: taintKey, effect, timeAdded: context.now() })
    }
    if (specOf(node)['unschedulable'] === true) add('node.kubernetes.io/unschedulable', 'NoSchedule')
    for (const [type, status, taint] of CONDITION_TAINTS) {
      if (!conditions.some((each) => each['type'] === type && each['status'] === status)) continue
      add(taint, 'NoSchedule')
      if (taint === NOT_READY || taint === UNREACHABLE) add(taint, 'NoExecute')
    }
    // A node that has said nothing yet keeps the taint it was born with.
    if (conditions.length === 0 && current.some((taint) => taint['key'] === NOT_READY)) add(NOT_READY, 'NoSchedule')
    if (sameTaints(current, wanted)) return
    await client.patch(
      NODES,
      { name: node.metadata.name ?? '' },
      { metadata: { resourceVersion: node.metadata.resourceVersion }, spec: { taints: wanted.length === 0 ? null : wanted } },
      { type: 'merge' },
      signal,
    )
  }

  /** @returns whether the node was written */
  async function markUnknown(node: KubeObject, signal: AbortSignal): Promise<boolean> {
    const name = node.metadata.name ?? ''
    const conditions = objectsAt(statusOf(node)['conditions'])
    const ready = conditions.find((each) => each['type'] === 'Ready')
    const lease = leases.get('kube-node-lease', name)
    const heartbeat = `${textAt(ready?.['lastHeartbeatTime'])} ${lease === undefined ? '' : textAt(specOf(lease)['renewTime'])}`
    const last = seen.get(name)
    if (last?.heartbeat !== heartbeat) {
      seen.set(name, { heartbeat, atMs: clock.now() })
      return false
    }
    if (clock.now() - last.atMs < (ready === undefined ? STARTUP_GRACE_MS : graceMs) || ready?.['status'] === 'Unknown') return false
    const now = context.now()
    const changed = OF_KUBELET.flatMap((type): JsonObject[] => {
      const known = conditions.find((each) => each['type'] === type)
      if (known?.['status'] === 'Unknown') return []
      const before = known ?? { type, lastHeartbeatTime: node.metadata.creationTimestamp }
      const [reason, message] = known === undefined ? NEVER : STOPPED
      return [{ ...before, status: 'Unknown', reason, message, lastTransitionTime: now }]
    })
    await client.patch(NODES, { name, subresource: 'status' }, { status: { conditions: changed } }, { type: 'strategic' }, signal)
    events.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`)
    for (const pod of podsOn(name)) await markNotReady(pod, now, signal)
    return true
  }

  async function markNotReady(pod: KubeObject, now: string, signal: AbortSignal): Promise<void> {
    const ready = objectsAt(statusOf(pod)['conditions']).find((each) => each['type'] === 'Ready')
    if (ready?.['status'] !== 'True') return
    const { namespace, name = '' } = pod.metadata
    try {
      await client.patch(
        PODS,
        { namespace, name, subresource: 'status' },
        { status: { conditions: [{ ...ready, status: 'False', lastTransitionTime: now }] } },
        { type: 'strategic' },
        signal,
      )
      events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready')
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async function evict(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const pod = pods.get(namespace, name)
    if (pod === undefined || isDeleting(pod)) {
      tainted.delete(key)
      return
    }
    const node = nodes.get('', nodeNameOf(pod))
    if (node === undefined) return
    const taints = objectsAt(specOf(node)['taints']).filter((taint) => taint['effect'] === 'NoExecute')
    if (taints.length === 0) {
      tainted.delete(key)
      return
    }
    const tolerations = tolerationsOf(pod)
    // A taint need not say when it was added: what counts is when the pod was first seen beside it.
    const first = tainted.get(key)
    const sinceMs = first?.uid === pod.metadata.uid && first?.node === nodeNameOf(pod) ? first.sinceMs : clock.now()
    tainted.set(key, { uid: pod.metadata.uid, node: nodeNameOf(pod), sinceMs })
    let dueMs = Number.POSITIVE_INFINITY
    for (const each of taints) {
      const taint: Taint = { key: textAt(each['key']), value: textAt(each['value']), effect: 'NoExecute' }
      const bearing = tolerations.filter((toleration) => tolerates(toleration, taint))
      const seconds = bearing.length === 0 ? 0 : Math.min(...bearing.map(({ tolerationSeconds }) => tolerationSeconds ?? Number.POSITIVE_INFINITY))
      dueMs = Math.min(dueMs, sinceMs + seconds * 1000)
    }
    if (!Number.isFinite(dueMs)) return
    if (dueMs > clock.now()) {
      evictions.addAfter(key, dueMs - clock.now())
      return
    }
    // Upstream names the pod alone here, without its uid.
    events.event({ apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name } }, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`)
    try {
      await client.delete(PODS, { namespace, name }, { uid: pod.metadata.uid }, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async function monitor(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const node of nodes.list()) nodeQueue.add(keyOf(node))
      await clock.sleep(MONITOR_MS, { signal }).catch(() => undefined)
    }
  }

  return {
    name: 'node-lifecycle',
    run: async (signal) => {
      await Promise.all([nodeQueue.run(signal), evictions.run(signal), monitor(signal)])
    },
  }
}

function sameTaints(a: readonly JsonObject[], b: readonly JsonObject[]): boolean {
  const text = (taints: readonly JsonObject[]): string[] =>
    taints.map((taint) => `${textAt(taint['key'])}=${textAt(taint['value'])}:${textAt(taint['effect'])}`).sort()
  return deepEqual(text(a), text(b))
}
