import { deepEqual, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { matchesNodeSelection } from '#shared/planning/scheduling/affinity.ts'
import { taintsOf, tolerationsOf, untolerated } from '#shared/planning/scheduling/taints.ts'
import { DAEMON_SETS, NODES, PODS } from '#electron/client/resources.ts'
import {
  controllerRef,
  countAt,
  isDeleting,
  isPodActive,
  isPodAvailable,
  isPodReady,
  keyOf,
  nodeNameOf,
  objectAt,
  objectsAt,
  podFromTemplate,
  scaledValue,
  specOf,
  splitKey,
  statusOf,
  textAt,
  type Controller,
  type ControllerContext,
} from '../../controller.ts'
import { Expectations } from '../../expectations.ts'
import { podTemplateHash } from '../deployment/podTemplateHash.ts'

const HASH = 'controller-revision-hash'
const GENERATION = 'pod-template-generation'

/** Taints that pods of a DaemonSet bear, whatever their template says. */
const TOLERATIONS = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
]

/** Keeps one pod of a DaemonSet on every node that can take it. */
export function daemonSetController(context: ControllerContext): Controller {
  const { client, clock } = context
  const sets = context.informer(DAEMON_SETS)
  const nodes = context.informer(NODES)
  const pods = context.informer(PODS)
  const events = context.recorder('daemonset-controller')
  const expectations = new Expectations(clock)
  const queue = context.queue('daemonset', sync)

  sets.onEvent(({ type, object }) => {
    if (type === 'delete') expectations.forget(keyOf(object))
    queue.add(keyOf(object))
  })
  nodes.onEvent(({ type, object, old }) => {
    if (type === 'update' && old !== undefined && deepEqual(old['spec'], object['spec']) && deepEqual(old.metadata.labels, object.metadata.labels)) return
    for (const set of sets.list()) queue.add(keyOf(set))
  })
  pods.onEvent(({ type, object }) => {
    const ref = controllerRef(object)
    if (ref?.kind !== 'DaemonSet') return
    const key = `${object.metadata.namespace ?? ''}/${ref.name}`
    if (type === 'add') expectations.created(key)
    if (type === 'delete') expectations.deleted(key, object.metadata.uid ?? '')
    queue.add(key)
  })

  function podFor(set: KubeObject, node: string, hash: string): KubeObject {
    const pod = podFromTemplate(specOf(set)['template'], set, { labels: { [HASH]: hash, [GENERATION]: String(set.metadata.generation ?? 1) } })
    const spec = specOf(pod)
    const affinity = objectAt(spec['affinity'])
    const nodeAffinity = objectAt(affinity['nodeAffinity'])
    const pinned = { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }] }
    const hostNetwork = spec['hostNetwork'] === true ? [{ key: 'node.kubernetes.io/network-unavailable', operator: 'Exists', effect: 'NoSchedule' }] : []
    return {
      ...pod,
      spec: {
        ...spec,
        affinity: { ...affinity, nodeAffinity: { ...nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: pinned } },
        tolerations: [...objectsAt(spec['tolerations']), ...TOLERATIONS, ...hostNetwork],
      },
    }
  }

  /** Where a pod of the set belongs: selection fits, and no taint stands against it. */
  function belongs(set: KubeObject, node: KubeObject): { run: boolean; stay: boolean } {
    const template: KubeObject = { metadata: {}, spec: specOf({ metadata: {}, ...objectAt(specOf(set)['template']) }) }
    if (!matchesNodeSelection(template, node)) return { run: false, stay: false }
    const probe = podFor(set, node.metadata.name ?? '', '')
    const tolerations = tolerationsOf(probe)
    return {
      run: untolerated(taintsOf(node), tolerations, ['NoSchedule', 'NoExecute']) === null,
      stay: untolerated(taintsOf(node), tolerations, ['NoExecute']) === null,
    }
  }

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const set = sets.get(namespace, name)
    if (set === undefined || isDeleting(set)) return
    const hash = podTemplateHash(specOf(set)['template'], countAt(statusOf(set)['collisionCount']))
    const owned = pods.byIndex('controller', set.metadata.uid ?? '')
    const byNode = new Map<string, KubeObject[]>()
    for (const pod of owned) {
      const node = nodeNameOf(pod) || pinnedNode(pod)
      byNode.set(node, [...(byNode.get(node) ?? []), pod])
    }
    if (expectations.satisfied(key)) await manage(key, set, hash, byNode, signal)
    await writeStatus(set, hash, byNode, signal)
  }

  async function manage(key: string, set: KubeObject, hash: string, byNode: ReadonlyMap<string, readonly KubeObject[]>, signal: AbortSignal): Promise<void> {
    const create: string[] = []
    const remove: KubeObject[] = []
    const known = new Set(nodes.list().map(({ metadata }) => metadata.name ?? ''))
    for (const node of nodes.list()) {
      const { run, stay } = belongs(set, node)
      const here = (byNode.get(node.metadata.name ?? '') ?? []).filter((pod) => !isDeleting(pod))
      const failed = here.filter((pod) => !isPodActive(pod))
      remove.push(...failed)
      const living = here.filter(isPodActive)
      if (run && living.length === 0 && (byNode.get(node.metadata.name ?? '') ?? []).length === failed.length) create.push(node.metadata.name ?? '')
      if (!stay) remove.push(...living)
      else remove.push(...living.toSorted((a, b) => Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? '')).slice(1))
    }
    for (const [node, here] of byNode) if (!known.has(node)) remove.push(...here.filter((pod) => !isDeleting(pod)))
    if (remove.length === 0 && create.length === 0) remove.push(...outdated(set, hash, byNode))
    expectations.expectCreations(key, create.length)
    expectations.expectDeletions(
      key,
      remove.map(({ metadata }) => metadata.uid ?? ''),
    )
    for (const node of create) {
      try {
        const pod = await client.create(PODS, { namespace: set.metadata.namespace }, podFor(set, node, hash), signal)
        events.event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name ?? ''}`)
      } catch (error) {
        expectations.forget(key)
        if (!signal.aborted) events.event(set, 'Warning', 'FailedCreate', `Error creating: ${error instanceof Error ? error.message : String(error)}`)
        throw error
      }
    }
    for (const pod of remove) {
      const { namespace, name = '', uid = '' } = pod.metadata
      try {
        await client.delete(PODS, { namespace, name }, { uid }, signal)
        events.event(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`)
      } catch (error) {
        expectations.deleted(key, uid)
        if (!isNotFound(error)) throw error
      }
    }
  }

  /** Pods of an older template that may go now, as maxUnavailable allows. */
  function outdated(set: KubeObject, hash: string, byNode: ReadonlyMap<string, readonly KubeObject[]>): KubeObject[] {
    const strategy = objectAt(specOf(set)['updateStrategy'])
    if (strategy['type'] === 'OnDelete') return []
    const all = [...byNode.values()].flat().filter((pod) => !isDeleting(pod))
    const old = all.filter((pod) => pod.metadata.labels?.[HASH] !== hash)
    if (old.length === 0) return []
    const wanted = nodes.list().filter((node) => belongs(set, node).run).length
    const allowed = Math.max(1, scaledValue(objectAt(strategy['rollingUpdate'])['maxUnavailable'] ?? 1, wanted, 'up'))
    const minReady = countAt(specOf(set)['minReadySeconds'])
    const available = (pod: KubeObject): boolean => isPodAvailable(pod, minReady, clock.now())
    const unavailable = wanted - all.filter(available).length
    const idle = old.filter((pod) => !available(pod))
    return [...idle, ...old.filter(available).slice(0, Math.max(0, allowed - unavailable))]
  }

  async function writeStatus(set: KubeObject, hash: string, byNode: ReadonlyMap<string, readonly KubeObject[]>, signal: AbortSignal): Promise<void> {
    const figures = {
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: 0,
      numberReady: 0,
      updatedNumberScheduled: 0,
      numberAvailable: 0,
      numberUnavailable: 0,
    }
    for (const node of nodes.list()) {
      const { run } = belongs(set, node)
      const here = (byNode.get(node.metadata.name ?? '') ?? []).filter((pod) => !isDeleting(pod))
      if (!run) {
        if (here.length > 0) figures.numberMisscheduled++
        continue
      }
      figures.desiredNumberScheduled++
      const [pod] = here
      if (pod === undefined) continue
      figures.currentNumberScheduled++
      if (pod.metadata.labels?.[HASH] === hash) figures.updatedNumberScheduled++
      if (!isPodReady(pod)) continue
      figures.numberReady++
      if (isPodAvailable(pod, countAt(specOf(set)['minReadySeconds']), clock.now())) figures.numberAvailable++
    }
    figures.numberUnavailable = figures.desiredNumberScheduled - figures.numberAvailable
    const optional = ['updatedNumberScheduled', 'numberAvailable', 'numberUnavailable']
    const status: JsonObject = { observedGeneration: set.metadata.generation ?? 0 }
    for (const [name, value] of Object.entries(figures)) if (value !== 0 || !optional.includes(name)) status[name] = value
    if (statusOf(set)['collisionCount'] !== undefined) status['collisionCount'] = statusOf(set)['collisionCount']
    if (deepEqual(statusOf(set), status)) return
    await client.update(DAEMON_SETS, { namespace: set.metadata.namespace, name: set.metadata.name ?? '', subresource: 'status' }, { ...set, status }, signal)
  }

  return { name: 'daemonset', run: (signal) => queue.run(signal) }
}

/** The node a pod was made for, before the scheduler has bound it. */
function pinnedNode(pod: KubeObject): string {
  const required = objectAt(objectAt(objectAt(specOf(pod)['affinity'])['nodeAffinity'])['requiredDuringSchedulingIgnoredDuringExecution'])
  for (const term of objectsAt(required['nodeSelectorTerms']))
    for (const field of objectsAt(term['matchFields']))
      if (field['key'] === 'metadata.name' && Array.isArray(field['values'])) return textAt(field['values'][0])
  return ''
}
