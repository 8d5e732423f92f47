import { deepEqual, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { PODS, REPLICA_SETS } from '#electron/client/resources.ts'
import {
  controllerRef,
  countAt,
  isDeleting,
  isPodActive,
  isPodAvailable,
  isPodReady,
  keyOf,
  objectAt,
  objectsAt,
  podFromTemplate,
  specOf,
  splitKey,
  statusOf,
  type Controller,
  type ControllerContext,
} from '../../controller.ts'
import { claimPods } from '../../claimPods.ts'
import { Expectations } from '../../expectations.ts'
import { errorText, isNamespaceTerminating, PodControl } from '../../podControl.ts'
import { rankForDeletion } from '../../podRank.ts'

/** Most pods made or removed in one round. */
const BURST = 500

interface Failure {
  reason: 'FailedCreate' | 'FailedDelete'
  error: unknown
}

/** Keeps as many pods as a ReplicaSet (or ReplicationController) wants. */
export function replicaSetController(
  context: ControllerContext,
  options: { gvr: GroupVersionResource; kind: string; name: string } = { gvr: REPLICA_SETS, kind: 'ReplicaSet', name: 'replicaset' },
): Controller {
  const { client, clock } = context
  const sets = context.informer(options.gvr)
  const pods = context.informer(PODS)
  const events = context.recorder(`${options.name}-controller`)
  const control = new PodControl(context, events)
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
    const owned = await claimPods(context, set, { pods, matches: (pod) => matches(set, pod) }, signal)
    const active = owned.filter(isPodActive)
    queue.weigh(key, owned.length)
    let failure: Failure | null = null
    if (!isDeleting(set) && expectations.satisfied(key)) failure = await manage(key, set, active, signal)
    await writeStatus(set, active, failure, signal)
    if (failure !== null) throw failure.error
    const minReady = countAt(specOf(set)['minReadySeconds'])
    if (minReady > 0 && active.some((pod) => isPodReady(pod) && !isPodAvailable(pod, minReady, clock.now()))) queue.addAfter(key, minReady * 1000)
  }

  async function manage(key: string, set: KubeObject, active: readonly KubeObject[], signal: AbortSignal): Promise<Failure | null> {
    const difference = active.length - countAt(specOf(set)['replicas'])
    if (difference < 0) {
      const missing = Array.from({ length: Math.min(-difference, BURST) }, () => podFromTemplate(specOf(set)['template'], set))
      expectations.expectCreations(key, missing.length)
      const { made, failure } = await control.createAll(set, missing, signal)
      if (failure === undefined) return null
      expectations.created(key, missing.length - made)
      return isNamespaceTerminating(failure) ? null : { reason: 'FailedCreate', error: failure }
    }
    if (difference === 0) return null
    const victims = rankForDeletion(active, { minor: context.minor, related: relatedPods(set) }).slice(0, Math.min(difference, BURST))
    expectations.expectDeletions(
      key,
      victims.map(({ metadata }) => metadata.uid ?? ''),
    )
    const results = await Promise.allSettled(
      victims.map(async (pod) => {
        try {
          if (!(await control.delete(set, pod, signal))) expectations.deleted(key, pod.metadata.uid ?? '')
        } catch (error) {
          expectations.deleted(key, pod.metadata.uid ?? '')
          throw error
        }
      }),
    )
    const failed = results.find((each) => each.status === 'rejected')
    return failed === undefined ? null : { reason: 'FailedDelete', error: failed.reason }
  }

  /** Pods of all sets of the same owner: how crowded a node is counts over a whole Deployment. */
  function relatedPods(set: KubeObject): KubeObject[] {
    const owner = controllerRef(set)
    const siblings = owner === undefined ? [set] : sets.byIndex('controller', owner.uid)
    return siblings.flatMap((each) => pods.byIndex('controller', each.metadata.uid ?? '')).filter(isPodActive)
  }

  async function writeStatus(set: KubeObject, counted: readonly KubeObject[], failure: Failure | null, signal: AbortSignal): Promise<void> {
    const template = objectAt(objectAt(objectAt(specOf(set)['template'])['metadata'])['labels'])
    const minReady = countAt(specOf(set)['minReadySeconds'])
    const wanted = Object.entries(template)
    const nowMs = clock.now()
    const ready = counted.filter(isPodReady)
    const available = ready.filter((pod) => isPodAvailable(pod, minReady, nowMs)).length
    const labeled = counted.filter((pod) => wanted.every(([key, value]) => pod.metadata.labels?.[key] === value)).length
    const conditions = withFailure(objectsAt(statusOf(set)['conditions']), failure)
    const status = {
      replicas: counted.length,
      ...(labeled === 0 ? {} : { fullyLabeledReplicas: labeled }),
      ...(ready.length === 0 ? {} : { readyReplicas: ready.length }),
      ...(available === 0 ? {} : { availableReplicas: available }),
      observedGeneration: set.metadata.generation ?? 0,
      ...(conditions.length === 0 ? {} : { conditions }),
    }
    if (deepEqual(withoutTerminating(statusOf(set)), status)) return
    await client.update(options.gvr, { namespace: set.metadata.namespace, name: set.metadata.name ?? '', subresource: 'status' }, { ...set, status }, signal)
  }

  function withFailure(conditions: readonly JsonObject[], failure: Failure | null): JsonObject[] {
    const known = conditions.find(({ type }) => type === 'ReplicaFailure')
    const rest = conditions.filter((each) => each !== known)
    if (failure === null) return rest
    if (known !== undefined) return [...conditions]
    return [...rest, { type: 'ReplicaFailure', status: 'True', lastTransitionTime: context.now(), reason: failure.reason, message: errorText(failure.error) }]
  }

  return { name: options.name, run: (signal) => queue.run(signal) }
}

function withoutTerminating({ terminatingReplicas: _, ...status }: Record<string, unknown>): Record<string, unknown> {
  return status
}
