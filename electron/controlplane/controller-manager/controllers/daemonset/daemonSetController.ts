import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { matchesNodeSelection } from '#shared/planning/scheduling/affinity.ts'
import { taintsOf, tolerationsOf, untolerated, type Toleration } from '#shared/planning/scheduling/taints.ts'
import { DAEMON_SETS, NODES, PODS } from '#electron/client/resources.ts'
import {
  controllerRef,
  countAt,
  isDeleting,
  isPodAvailable,
  isPodReady,
  keyOf,
  nodeNameOf,
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
import { claimPods } from '../../claimPods.ts'
import { ControllerHistory, equalRevisions, revisionData, revisionNumber } from '../../controllerHistory.ts'
import { Expectations } from '../../expectations.ts'
import { isNamespaceTerminating, PodControl } from '../../podControl.ts'
import { podTemplateHash } from '../deployment/podTemplateHash.ts'

const HASH = 'controller-revision-hash'
const GENERATION = 'pod-template-generation'
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation'
const BURST = 250
/** Waits between replacements of a node's failed pods: 1 s doubling to 15 minutes. */
const FIRST_FAILURE_MS = 1_000
const MAX_FAILURE_MS = 900_000

/** Taints that pods of a DaemonSet bear, whatever their template says. */
const TOLERATIONS = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
]

interface View {
  key: string
  set: KubeObject
  hash: string
  byNode: ReadonlyMap<string, readonly KubeObject[]>
  collisions: number
}

/** Whether a pod of a set is to run on a node, and whether one that runs there may stay. */
interface Place {
  run: boolean
  stay: boolean
}

function placeOn(template: KubeObject, tolerations: readonly Toleration[], node: KubeObject): Place {
  const named = textAt(specOf(template)['nodeName'])
  if ((named !== '' && named !== node.metadata.name) || !matchesNodeSelection(template, node)) return { run: false, stay: false }
  const taints = taintsOf(node)
  return { run: untolerated(taints, tolerations, ['NoSchedule', 'NoExecute']) === null, stay: untolerated(taints, tolerations, ['NoExecute']) === null }
}

const byAge = (pods: readonly KubeObject[]): KubeObject[] =>
  pods.toSorted((a, b) => Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? ''))

/** Keeps one pod of a DaemonSet on every node that can take it. */
export function daemonSetController(context: ControllerContext): Controller {
  const { client, clock } = context
  const sets = context.informer(DAEMON_SETS)
  const nodes = context.informer(NODES)
  const pods = context.informer(PODS)
  const events = context.recorder('daemonset-controller')
  const control = new PodControl(context, events)
  const history = new ControllerHistory(context)
  const expectations = new Expectations(clock)
  const failedPods = new Map<string, { waitMs: number; notBeforeMs: number }>()
  const queue = context.queue('daemonset', sync)
  /** Kept with the objects as they are: a sync asks for every node, several times. */
  const places = new WeakMap<KubeObject, { template: KubeObject; tolerations: Toleration[]; byNode: WeakMap<KubeObject, Place> }>()

  sets.onEvent(({ type, object }) => {
    if (type === 'delete') expectations.forget(keyOf(object))
    queue.add(keyOf(object))
  })
  nodes.onEvent(({ type, object, old }) => {
    const before = type === 'update' ? old : undefined
    if (before !== undefined && deepEqual(before['spec'], object['spec']) && deepEqual(before.metadata.labels, object.metadata.labels)) return
    // A node that is cordoned is none of a set's business, as its pods bear that.
    for (const set of sets.list()) if (before === undefined || !deepEqual(belongs(set, before), belongs(set, object))) queue.add(keyOf(set))
  })
  pods.onEvent(({ type, object }) => {
    const ref = controllerRef(object)
    if (ref === undefined && type !== 'delete')
      for (const set of sets.byIndex('namespace', object.metadata.namespace ?? '')) if (matches(set, object)) queue.add(keyOf(set))
    if (ref?.kind !== 'DaemonSet') return
    const key = `${object.metadata.namespace ?? ''}/${ref.name}`
    if (type === 'add') expectations.created(key)
    if (type === 'delete') expectations.deleted(key, object.metadata.uid ?? '')
    queue.add(key)
  })

  const matches = (set: KubeObject, pod: KubeObject): boolean => matchesLabelSelector(specOf(set)['selector'], pod.metadata.labels ?? {})

  function podFor(set: KubeObject, node: string, hash: string): KubeObject {
    const generation = set.metadata.annotations?.[TEMPLATE_GENERATION]
    const labels = { [HASH]: hash, ...(generation === undefined ? {} : { [GENERATION]: generation }) }
    const pod = podFromTemplate(specOf(set)['template'], set, { labels })
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
  function belongs(set: KubeObject, node: KubeObject): Place {
    let known = places.get(set)
    if (known === undefined) {
      const template: KubeObject = { metadata: {}, spec: specOf({ metadata: {}, ...objectAt(specOf(set)['template']) }) }
      known = { template, tolerations: tolerationsOf(podFor(set, '', '')), byNode: new WeakMap() }
      places.set(set, known)
    }
    const { template, tolerations, byNode } = known
    let place = byNode.get(node)
    if (place === undefined) {
      place = placeOn(template, tolerations, node)
      byNode.set(node, place)
    }
    return place
  }

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const set = sets.get(namespace, name)
    if (set === undefined) return
    const selector = objectAt(specOf(set)['selector'])
    if (Object.keys(objectAt(selector['matchLabels'])).length === 0 && !Array.isArray(selector['matchExpressions'])) {
      events.event(set, 'Warning', 'SelectingAll', 'This daemon set is selecting all pods. A non-empty selector is required.')
      return
    }
    if (isDeleting(set)) return
    const revisions = await history.claim(set, signal)
    const { current, collisions } = await currentRevision(set, revisions, signal)
    const hash = current.metadata.labels?.[HASH] ?? ''
    const owned = await claimPods(context, set, { pods, matches: (pod) => matches(set, pod) }, signal)
    queue.weigh(key, owned.length)
    const byNode = new Map<string, KubeObject[]>()
    for (const pod of owned) {
      const node = nodeNameOf(pod) || pinnedNode(pod)
      const here = byNode.get(node)
      if (here === undefined) byNode.set(node, [pod])
      else here.push(pod)
    }
    const view = { key, set, hash, byNode, collisions }
    if (expectations.satisfied(key)) {
      await manage(view, signal)
      if (expectations.satisfied(key)) await update(view, signal)
    }
    const live = new Set(owned.map((pod) => pod.metadata.labels?.[HASH]))
    const unused = revisions.filter((each) => each.metadata.name !== current.metadata.name)
    const kept = unused.filter((each) => live.has(each.metadata.labels?.[HASH])).map(({ metadata }) => metadata.name ?? '')
    await history.truncate(unused, new Set(kept), Math.max(0, countAt(specOf(set)['revisionHistoryLimit'] ?? 10) - kept.length), signal)
    await writeStatus(view, signal)
    const minReady = countAt(specOf(set)['minReadySeconds'])
    if (minReady > 0 && owned.some((pod) => isPodReady(pod) && !isPodAvailable(pod, minReady, clock.now()))) queue.addAfter(key, minReady * 1000)
  }

  /** The revision of the set's template, made when there is none, the newest in any case. */
  async function currentRevision(set: KubeObject, revisions: readonly KubeObject[], signal: AbortSignal): Promise<{ current: KubeObject; collisions: number }> {
    const data = revisionData(specOf(set)['template'], context.minor)
    let collisions = countAt(statusOf(set)['collisionCount'])
    const equal = equalRevisions(revisions, data)
    const next = Math.max(0, ...revisions.filter((each) => !equal.includes(each)).map(revisionNumber)) + 1
    const known = equal.at(-1)
    if (known !== undefined) return { current: revisionNumber(known) < next ? await history.renumber(known, next, signal) : known, collisions }
    for (;;) {
      const hash = podTemplateHash(specOf(set)['template'], collisions)
      const labels = { ...(objectAt(objectAt(objectAt(specOf(set)['template'])['metadata'])['labels']) as Record<string, string>), [HASH]: hash }
      const made = await history.create(set, { data, revision: next, hash, labels, collisions }, signal)
      if ('revision' in made) return { current: made.revision, collisions }
      ;({ collisions } = made)
    }
  }

  /** One pod on each node that takes the set, none elsewhere; failed ones are replaced, later and later. */
  async function manage({ key, set, hash, byNode }: View, signal: AbortSignal): Promise<void> {
    const create: string[] = []
    const remove: KubeObject[] = []
    const surge = surgeOf(set) > 0
    for (const node of nodes.list()) {
      const name = node.metadata.name ?? ''
      const { run, stay } = belongs(set, node)
      const all = byNode.get(name) ?? []
      const living: KubeObject[] = []
      for (const pod of all) {
        if (isDeleting(pod)) continue
        if (textAt(statusOf(pod)['phase']) !== 'Failed') living.push(pod)
        else if (stay) remove.push(...retryFailed(key, set, pod, name))
        else remove.push(pod)
      }
      if (run && all.length === 0) create.push(name)
      else if (!stay) remove.push(...living)
      else if (living.length > (surge && living.some((pod) => pod.metadata.labels?.[HASH] !== hash) ? 2 : 1)) remove.push(...byAge(living).slice(1))
    }
    const known = new Set(nodes.list().map(({ metadata }) => metadata.name ?? ''))
    for (const [node, here] of byNode) if (!known.has(node)) remove.push(...here.filter((pod) => !isDeleting(pod) && nodeNameOf(pod) === ''))
    await apply({ key, set, hash }, { create, remove }, signal)
  }

  function retryFailed(key: string, set: KubeObject, pod: KubeObject, node: string): KubeObject[] {
    const id = `${set.metadata.uid ?? ''}/${String(set.metadata.generation ?? 0)}/${node}`
    const known = failedPods.get(id)
    if (known !== undefined && clock.now() < known.notBeforeMs) {
      queue.addAfter(key, known.notBeforeMs - clock.now())
      return []
    }
    const waitMs = known === undefined ? FIRST_FAILURE_MS : Math.min(known.waitMs * 2, MAX_FAILURE_MS)
    failedPods.set(id, { waitMs, notBeforeMs: clock.now() + waitMs })
    events.event(set, 'Warning', 'FailedDaemonPod', `Found failed daemon pod ${keyOf(pod)} on node ${node}, will try to kill it`)
    return [pod]
  }

  async function apply(
    { key, set, hash }: Pick<View, 'key' | 'set' | 'hash'>,
    { create, remove }: { create: readonly string[]; remove: readonly KubeObject[] },
    signal: AbortSignal,
  ): Promise<void> {
    if (create.length === 0 && remove.length === 0) return
    const made = create.slice(0, BURST).map((node) => podFor(set, node, hash))
    const gone = remove.slice(0, BURST)
    expectations.expectCreations(key, made.length)
    expectations.expectDeletions(
      key,
      gone.map(({ metadata }) => metadata.uid ?? ''),
    )
    const result = await control.createAll(set, made, signal)
    expectations.created(key, made.length - result.made)
    for (const pod of gone) {
      try {
        if (!(await control.delete(set, pod, signal))) expectations.deleted(key, pod.metadata.uid ?? '')
      } catch (error) {
        expectations.deleted(key, pod.metadata.uid ?? '')
        throw error
      }
    }
    if (result.failure !== undefined && !isNamespaceTerminating(result.failure)) throw result.failure
  }

  /** Replaces pods of older templates: within maxUnavailable old ones go first, within maxSurge new ones come first. */
  async function update(view: View, signal: AbortSignal): Promise<void> {
    const { set, hash, byNode } = view
    if (objectAt(specOf(set)['updateStrategy'])['type'] === 'OnDelete') return
    const minReady = countAt(specOf(set)['minReadySeconds'])
    const available = (pod: KubeObject): boolean => !isDeleting(pod) && isPodAvailable(pod, minReady, clock.now())
    const targets = nodes.list().filter((node) => belongs(set, node).run)
    const rolling = objectAt(objectAt(specOf(set)['updateStrategy'])['rollingUpdate'])
    const surge = surgeOf(set)
    const most = surge > 0 ? 0 : scaledValue(rolling['maxUnavailable'] ?? 1, targets.length, 'up')
    let unavailable = targets.filter((node) => !(byNode.get(node.metadata.name ?? '') ?? []).some(available)).length
    let surging = 0
    const create: string[] = []
    const remove: KubeObject[] = []
    const candidates: { old: KubeObject; node: string }[] = []
    for (const [node, here] of byNode) {
      const old = here.find((pod) => pod.metadata.labels?.[HASH] !== hash && !isDeleting(pod))
      const fresh = here.find((pod) => pod.metadata.labels?.[HASH] === hash && !isDeleting(pod))
      if (old === undefined) continue
      if (surge > 0 && fresh !== undefined) {
        if (available(fresh)) remove.push(old)
        else if (!available(old)) remove.push(old)
        else surging++
      } else if (!available(old)) remove.push(old)
      else candidates.push({ old, node })
    }
    for (const { old, node } of candidates) {
      if (surge > 0) {
        if (surging >= surge) break
        surging++
        create.push(node)
      } else {
        if (unavailable >= most) break
        unavailable++
        remove.push(old)
      }
    }
    await apply(view, { create, remove }, signal)
  }

  const surgeOf = (set: KubeObject): number =>
    scaledValue(
      objectAt(objectAt(specOf(set)['updateStrategy'])['rollingUpdate'])['maxSurge'] ?? 0,
      nodes.list().filter((node) => belongs(set, node).run).length,
      'up',
    )

  async function writeStatus({ set, hash, byNode, collisions }: View, signal: AbortSignal): Promise<void> {
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
      const [pod] = byAge(here)
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
    if (statusOf(set)['collisionCount'] !== undefined || collisions > 0) status['collisionCount'] = collisions
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
