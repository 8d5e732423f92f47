import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS } from '#electron/client/resources.ts'
import {
  controllerRef,
  countAt,
  isDeleting,
  isPodReady,
  keyOf,
  objectsAt,
  scaledValue,
  specOf,
  splitKey,
  statusOf,
  textAt,
  type Controller,
  type ControllerContext,
} from '../../controller.ts'

/** An eviction not seen after this long was no eviction (upstream: 2 minutes). */
const DISRUPTED_MS = 120_000

/** Keeps the status of PodDisruptionBudgets: how many pods may be disrupted now. */
export function disruptionController(context: ControllerContext): Controller {
  const { client, clock } = context
  const budgets = context.informer(POD_DISRUPTION_BUDGETS)
  const pods = context.informer(PODS)
  const owners = {
    ReplicaSet: context.informer(REPLICA_SETS),
    Deployment: context.informer(DEPLOYMENTS),
    StatefulSet: context.informer(STATEFUL_SETS),
    ReplicationController: context.informer(REPLICATION_CONTROLLERS),
  }
  const queue = context.queue('disruption', sync)
  budgets.onEvent(({ object }) => {
    queue.add(keyOf(object))
  })
  pods.onEvent(({ object }) => {
    touch(object.metadata.namespace ?? '', object.metadata.labels)
  })
  // A scaled workload changes what a percentage means.
  for (const informer of Object.values(owners))
    informer.onEvent(({ object, old }) => {
      if (specOf(object)['replicas'] !== (old === undefined ? undefined : specOf(old)['replicas'])) touch(object.metadata.namespace ?? '', null)
    })

  function touch(namespace: string, labels: Record<string, string> | undefined | null): void {
    for (const budget of budgets.byIndex('namespace', namespace))
      if (labels === null || matchesLabelSelector(specOf(budget)['selector'], labels ?? {})) queue.add(keyOf(budget))
  }

  /** The number of pods the workloads behind a budget want. */
  function expectedCount(guarded: readonly KubeObject[]): number {
    const workloads = new Map<string, number>()
    for (const pod of guarded) {
      let owner = workloadOf(controllerRef(pod), pod.metadata.namespace ?? '')
      const above = owner === undefined ? undefined : workloadOf(controllerRef(owner), pod.metadata.namespace ?? '')
      owner = above ?? owner
      if (owner !== undefined) workloads.set(owner.metadata.uid ?? '', countAt(specOf(owner)['replicas']))
      else workloads.set(pod.metadata.uid ?? '', 1)
    }
    return [...workloads.values()].reduce((sum, count) => sum + count, 0)
  }

  function workloadOf(ref: ReturnType<typeof controllerRef>, namespace: string): KubeObject | undefined {
    const informer = ref === undefined ? undefined : (owners as Partial<Record<string, (typeof owners)['Deployment']>>)[ref.kind]
    return ref === undefined ? undefined : informer?.get(namespace, ref.name)
  }

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const budget = budgets.get(namespace, name)
    if (budget === undefined || isDeleting(budget)) return
    const spec = specOf(budget)
    const guarded = pods
      .byIndex('namespace', namespace)
      .filter((pod) => matchesLabelSelector(spec['selector'], pod.metadata.labels ?? {}) && !['Succeeded', 'Failed'].includes(textAt(statusOf(pod)['phase'])))
    const expected = spec['maxUnavailable'] !== undefined || typeof spec['minAvailable'] === 'string' ? expectedCount(guarded) : guarded.length
    const desired =
      spec['maxUnavailable'] !== undefined
        ? Math.max(0, expected - scaledValue(spec['maxUnavailable'], expected, 'up'))
        : scaledValue(spec['minAvailable'] ?? 1, expected, 'up')
    const disrupted = stillDisrupted(objectAt(statusOf(budget)['disruptedPods']), guarded)
    const healthy = guarded.filter((pod) => isPodReady(pod) && !isDeleting(pod) && disrupted[pod.metadata.name ?? ''] === undefined).length
    const allowed = expected > 0 ? Math.max(0, healthy - desired) : 0
    const status: JsonObject = {
      observedGeneration: budget.metadata.generation ?? 0,
      ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
      disruptionsAllowed: allowed,
      currentHealthy: healthy,
      desiredHealthy: desired,
      expectedPods: expected,
      // Conditions came with policy/v1.
      ...(context.minor >= 21 ? { conditions: [condition(budget, allowed)] } : {}),
    }
    if (Object.keys(disrupted).length > 0) queue.addAfter(key, DISRUPTED_MS)
    if (deepEqual(statusOf(budget), status)) return
    // A conflict means an eviction used the budget meanwhile: looked at again.
    await client.update(context.resource(POD_DISRUPTION_BUDGETS), { namespace, name, subresource: 'status' }, { ...budget, status }, signal)
  }

  function stillDisrupted(known: JsonObject, guarded: readonly KubeObject[]): JsonObject {
    const present = new Map(guarded.map((pod) => [pod.metadata.name ?? '', pod]))
    return Object.fromEntries(
      Object.entries(known).filter(
        ([pod, since]) => present.has(pod) && !isDeleting(present.get(pod) ?? { metadata: {} }) && Date.parse(textAt(since)) + DISRUPTED_MS > clock.now(),
      ),
    )
  }

  function condition(budget: KubeObject, allowed: number): JsonObject {
    const status = allowed > 0 ? 'True' : 'False'
    const known = objectsAt(statusOf(budget)['conditions']).find((each) => each['type'] === 'DisruptionAllowed')
    const same = known?.['status'] === status
    return {
      type: 'DisruptionAllowed',
      status,
      observedGeneration: budget.metadata.generation ?? 0,
      lastTransitionTime: same ? known['lastTransitionTime'] : context.now(),
      reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
      message: '',
    }
  }

  return { name: 'disruption', run: (signal) => queue.run(signal) }
}
