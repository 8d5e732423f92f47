import { deepEqual } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { PODS, REPLICA_SETS } from '#electron/client/resources.ts'
import {
  controllerRef,
  countAt,
  isDeleting,
  isPodActive,
  isPodAvailable,
  isPodReady,
  keyOf,
  newControllerRef,
  nodeNameOf,
  objectAt,
  objectsAt,
  podFromTemplate,
  specOf,
  splitKey,
  statusOf,
  textAt,
  type Controller,
  type ControllerContext,
} from '../../controller.ts'
import { Expectations } from '../../expectations.ts'

/** Pods made at once in the first batch; each batch that succeeds doubles it (upstream's slow start). */
const FIRST_BATCH = 1
const BURST = 500

/** Keeps as many pods as a ReplicaSet (or ReplicationController) wants. */
export function replicaSetController(
  context: ControllerContext,
  options: { gvr: GroupVersionResource; kind: string; name: string } = { gvr: REPLICA_SETS, kind: 'ReplicaSet', name: 'replicaset' },
): Controller {
  const { client, clock } = context
  const sets = context.informer(options.gvr)
  const pods = context.informer(PODS)
  const events = context.recorder(`${options.name}-controller`)
  const expectations = new Expectations(clock)
  const queue = context.queue(options.name, sync)

  const selectorOf = (set: KubeObject): unknown =>
    options.kind === 'ReplicationController' ? { matchLabels: objectAt(specOf(set)['selector']) } : specOf(set)['selector']
  const matches = (set: KubeObject, pod: KubeObject): boolean => matchesLabelSelector(selectorOf(set), pod.metadata.labels ?? {})

  function ownerKey(pod: KubeObject): string | null {
    const ref = controllerRef(pod)
    return ref?.kind === options.kind ? `${pod.metadata.namespace ?? ''}/${ref.name}` : null
  }

  sets.onEvent(({ type, object }) => {
    if (type === 'delete') expectations.forget(keyOf(object))
    queue.add(keyOf(object))
  })
  pods.onEvent(({ type, object, old }) => {
    const key = ownerKey(object)
    if (key !== null) {
      if (type === 'add') expectations.created(key)
      if (type === 'delete' || isDeleting(object)) expectations.deleted(key, object.metadata.uid ?? '')
      queue.add(key)
    } else if (type !== 'delete') for (const set of sets.byIndex('namespace', object.metadata.namespace ?? '')) if (matches(set, object)) queue.add(keyOf(set))
    const former = old === undefined ? null : ownerKey(old)
    if (former !== null && former !== key) queue.add(former)
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const set = sets.get(namespace, name)
    if (set === undefined) {
      expectations.forget(key)
      return
    }
    const owned = await claim(set, signal)
    const active = owned.filter(isPodActive)
    if (!isDeleting(set) && expectations.satisfied(key)) await manage(key, set, active, signal)
    await writeStatus(
      set,
      owned.filter((pod) => !isDeleting(pod) && textAt(statusOf(pod)['phase']) !== 'Failed' && textAt(statusOf(pod)['phase']) !== 'Succeeded'),
      signal,
    )
    const minReady = countAt(specOf(set)['minReadySeconds'])
    if (minReady > 0 && active.some((pod) => isPodReady(pod) && !isPodAvailable(pod, minReady, clock.now()))) queue.addAfter(key, minReady * 1000)
  }

  /** Takes orphans that match, lets go what does not match any more. */
  async function claim(set: KubeObject, signal: AbortSignal): Promise<KubeObject[]> {
    const uid = set.metadata.uid ?? ''
    const mine: KubeObject[] = []
    for (const pod of pods.byIndex('namespace', set.metadata.namespace ?? '')) {
      const ref = controllerRef(pod)
      if (ref !== undefined && ref.uid !== uid) continue
      const target = { namespace: pod.metadata.namespace, name: pod.metadata.name ?? '' }
      if (ref !== undefined) {
        if (matches(set, pod) || isDeleting(pod)) mine.push(pod)
        else
          await client.patch(PODS, target, { metadata: { ownerReferences: [{ $patch: 'delete', uid }], uid: pod.metadata.uid } }, { type: 'strategic' }, signal)
      } else if (matches(set, pod) && isPodActive(pod) && !isDeleting(set)) {
        mine.push(
          await client.patch(PODS, target, { metadata: { ownerReferences: [newControllerRef(set)], uid: pod.metadata.uid } }, { type: 'strategic' }, signal),
        )
      }
    }
    return mine
  }

  async function manage(key: string, set: KubeObject, active: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const difference = active.length - countAt(specOf(set)['replicas'])
    if (difference < 0) await createPods(key, set, Math.min(-difference, BURST), signal)
    else if (difference > 0) {
      const victims = rank(active).slice(0, Math.min(difference, BURST))
      expectations.expectDeletions(
        key,
        victims.map(({ metadata }) => metadata.uid ?? ''),
      )
      await Promise.all(victims.map((pod) => deletePod(key, set, pod, signal)))
    }
  }

  async function createPods(key: string, set: KubeObject, count: number, signal: AbortSignal): Promise<void> {
    expectations.expectCreations(key, count)
    let left = count
    for (let batch = FIRST_BATCH; left > 0; batch *= 2) {
      const size = Math.min(batch, left)
      const results = await Promise.allSettled(
        Array.from({ length: size }, () => client.create(PODS, { namespace: set.metadata.namespace }, podFromTemplate(specOf(set)['template'], set), signal)),
      )
      left -= size
      for (const result of results)
        if (result.status === 'fulfilled') events.event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${result.value.metadata.name ?? ''}`)
      const failed = results.find((each) => each.status === 'rejected')
      if (failed === undefined) continue
      expectations.created(key, left + results.filter((each) => each.status === 'rejected').length)
      const message = failed.reason instanceof Error ? failed.reason.message : String(failed.reason)
      if (!signal.aborted) events.event(set, 'Warning', 'FailedCreate', `Error creating: ${message}`)
      throw failed.reason
    }
  }

  async function deletePod(key: string, set: KubeObject, pod: KubeObject, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = pod.metadata
    try {
      await client.delete(PODS, { namespace, name }, { uid }, signal)
      events.event(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`)
    } catch (error) {
      expectations.deleted(key, uid)
      if (!isNotFound(error)) throw error
    }
  }

  /** Whom a smaller set loses first: unassigned, then pending, not ready, crowded nodes, younger. */
  function rank(active: readonly KubeObject[]): KubeObject[] {
    const perNode = new Map<string, number>()
    for (const pod of active) perNode.set(nodeNameOf(pod), (perNode.get(nodeNameOf(pod)) ?? 0) + 1)
    const phases = ['Pending', 'Unknown', 'Running']
    const order = (pod: KubeObject): number[] => [
      nodeNameOf(pod) === '' ? 0 : 1,
      phases.indexOf(textAt(statusOf(pod)['phase'])),
      isPodReady(pod) ? 1 : 0,
      Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0),
      -(perNode.get(nodeNameOf(pod)) ?? 0),
      -Date.parse(pod.metadata.creationTimestamp ?? ''),
    ]
    return active.toSorted((a, b) => {
      const [left, right] = [order(a), order(b)]
      const index = left.findIndex((value, at) => value !== right[at])
      return index < 0 ? 0 : (left[index] ?? 0) - (right[index] ?? 0)
    })
  }

  async function writeStatus(set: KubeObject, counted: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const template = objectAt(objectAt(objectAt(specOf(set)['template'])['metadata'])['labels'])
    const minReady = countAt(specOf(set)['minReadySeconds'])
    const ready = counted.filter(isPodReady).length
    const available = counted.filter((pod) => isPodAvailable(pod, minReady, clock.now())).length
    const labeled = counted.filter((pod) => Object.entries(template).every(([key, value]) => pod.metadata.labels?.[key] === value)).length
    const conditions = objectsAt(statusOf(set)['conditions'])
    const status = {
      replicas: counted.length,
      ...(labeled === 0 ? {} : { fullyLabeledReplicas: labeled }),
      ...(ready === 0 ? {} : { readyReplicas: ready }),
      ...(available === 0 ? {} : { availableReplicas: available }),
      observedGeneration: set.metadata.generation ?? 0,
      ...(conditions.length === 0 ? {} : { conditions }),
    }
    if (deepEqual(withoutTerminating(statusOf(set)), status)) return
    await client.update(options.gvr, { namespace: set.metadata.namespace, name: set.metadata.name ?? '', subresource: 'status' }, { ...set, status }, signal)
  }

  return { name: options.name, run: (signal) => queue.run(signal) }
}

function withoutTerminating({ terminatingReplicas: _, ...status }: Record<string, unknown>): Record<string, unknown> {
  return status
}
