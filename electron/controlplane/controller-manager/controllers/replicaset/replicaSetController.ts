import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector, matchesRequirements, selectorRequirements } from '#shared/kubernetes/labelSelector.ts'
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
import { PodTallies, type PodTally } from '../../podTallies.ts'

/** Most pods made or removed in one round. */
const BURST = 500

type Labels = KubeObject['metadata']['labels']

/** What a set has. Its pods themselves are gone through only when they are asked for. */
interface Counts {
  replicas: number
  fullyLabeled: number
  ready: number
  available: number
  /** Ready, but not for long enough to be available. */
  awaited: boolean
  active(): readonly KubeObject[]
}

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
  const tallies = new PodTallies(pods, options.kind)
  const events = context.recorder(`${options.name}-controller`)
  const control = new PodControl(context, events)
  const expectations = new Expectations(clock)
  const queue = context.queue(options.name, sync)

  const selectorOf = (set: KubeObject): unknown =>
    options.kind === 'ReplicationController' ? { matchLabels: objectAt(specOf(set)['selector']) } : specOf(set)['selector']
  const matches = (set: KubeObject, { metadata: { labels } }: KubeObject): boolean => matchesLabelSelector(selectorOf(set), labels ?? {})
  const minReadySeconds = (set: KubeObject): number => countAt(specOf(set)['minReadySeconds'])

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
    const counts = await count(key, set, signal)
    let failure: Failure | null = null
    if (!isDeleting(set) && expectations.satisfied(key)) failure = await manage(key, set, counts, signal)
    await writeStatus(set, counts, failure, signal)
    if (failure !== null) throw failure.error
    if (counts.awaited) queue.addAfter(key, minReadySeconds(set) * 1000)
  }

  /** Claims the set's pods and counts them. */
  async function count(key: string, set: KubeObject, signal: AbortSignal): Promise<Counts> {
    const isFull = fullyLabeledBy(set)
    if (minReadySeconds(set) === 0 && nothingToClaim(set)) {
      const own = tallies.of(set.metadata.uid ?? '')
      const sum = (of: (tally: PodTally) => number): number => own.reduce((total, tally) => total + of(tally), 0)
      const owned = sum((tally) => tally.pods)
      const ready = sum((tally) => tally.ready)
      queue.weigh(key, owned)
      return {
        replicas: sum(({ active }) => active),
        fullyLabeled: sum(({ labels, active }) => (isFull(labels) ? active : 0)),
        ready,
        available: ready,
        awaited: false,
        active: () => pods.byIndex('controller', set.metadata.uid ?? '').filter(isPodActive),
      }
    }
    const owned = await claimPods(context, set, { pods, matches: (pod) => matches(set, pod) }, signal)
    queue.weigh(key, owned.length)
    const active = owned.filter(isPodActive)
    const ready = active.filter(isPodReady)
    const nowMs = clock.now()
    const available = ready.filter((pod) => isPodAvailable(pod, minReadySeconds(set), nowMs)).length
    return {
      replicas: active.length,
      fullyLabeled: active.filter(({ metadata }) => isFull(metadata.labels)).length,
      ready: ready.length,
      available,
      awaited: available < ready.length,
      active: () => active,
    }
  }

  /** Whether all pods that are the set's match, and none that is nobody's does. */
  function nothingToClaim(set: KubeObject): boolean {
    const requirements = selectorRequirements(selectorOf(set))
    const matches = (labels: Labels): boolean => requirements !== null && matchesRequirements(requirements, labels ?? {})
    return (
      tallies.of(set.metadata.uid ?? '').every(({ labels }) => matches(labels)) &&
      !pods.byIndex('orphaned', set.metadata.namespace ?? '').some(({ metadata: { labels } }) => matches(labels))
    )
  }

  async function manage(key: string, set: KubeObject, counts: Counts, signal: AbortSignal): Promise<Failure | null> {
    const difference = counts.replicas - countAt(specOf(set)['replicas'])
    if (difference < 0) {
      const missing = Array.from({ length: Math.min(-difference, BURST) }, () => podFromTemplate(specOf(set)['template'], set))
      expectations.expectCreations(key, missing.length)
      const { made, failure } = await control.createAll(set, missing, signal)
      if (failure === undefined) return null
      expectations.created(key, missing.length - made)
      return isNamespaceTerminating(failure) ? null : { reason: 'FailedCreate', error: failure }
    }
    if (difference === 0) return null
    const active = counts.active()
    const surplus = Math.min(active.length - countAt(specOf(set)['replicas']), BURST)
    if (surplus <= 0) return null
    const victims = rankForDeletion(active, { minor: context.minor, related: relatedPods(set) }).slice(0, surplus)
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

  async function writeStatus(set: KubeObject, counts: Counts, failure: Failure | null, signal: AbortSignal): Promise<void> {
    const conditions = withFailure(objectsAt(statusOf(set)['conditions']), failure)
    const status = {
      replicas: counts.replicas,
      ...(counts.fullyLabeled === 0 ? {} : { fullyLabeledReplicas: counts.fullyLabeled }),
      ...(counts.ready === 0 ? {} : { readyReplicas: counts.ready }),
      ...(counts.available === 0 ? {} : { availableReplicas: counts.available }),
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

/** Whether labels are all that the set's template has. */
function fullyLabeledBy(set: KubeObject): (labels: Labels) => boolean {
  const wanted = Object.entries(objectAt(objectAt(objectAt(specOf(set)['template'])['metadata'])['labels']))
  return (labels) => wanted.every(([key, value]) => labels?.[key] === value)
}

function withoutTerminating({ terminatingReplicas: _, ...status }: Record<string, unknown>): Record<string, unknown> {
  return status
}
