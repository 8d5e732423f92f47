import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ApiResources } from './apiResources.ts'
import type { RestStore, WriteContext } from './restStore.ts'

/** How long an eviction counts as disrupted before the controller has seen the pod go (upstream: 2 minutes, kept by it). */
const RETRY_SECONDS = 10

const objectAt = (value: unknown): JsonObject => (isObject(value) ? value : {})

/**
 * Takes one disruption from the budget that guards a pod, as upstream's eviction REST does: the budget's status is written,
 * so that two evictions cannot use the same allowance.
 *
 * @throws StatusError 429 when the budget allows none now, 500 when several budgets guard the pod
 */
export async function decidePodDisruption(rest: RestStore, resources: ApiResources, pod: KubeObject, context: WriteContext): Promise<void> {
  const phase = objectAt(pod['status'])['phase']
  // A pod that does not run disturbs nobody when it goes.
  if (phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || pod.metadata.deletionTimestamp !== undefined) return
  const resource = resources.byKind('policy', 'PodDisruptionBudget')
  if (resource === undefined) return
  const { namespace = '', name = '', labels = {} } = pod.metadata
  const budgets = [...rest.store.collection(resource.storagePrefix ?? '').range(rest.prefixOf(resource, namespace))].filter(({ object }) =>
    matchesLabelSelector(objectAt(object['spec'])['selector'], labels),
  )
  const [budget] = budgets
  if (budget === undefined) return
  if (budgets.length > 1)
    throw new StatusError(failure(500, 'InternalError', 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'))
  await rest.update(
    resource,
    namespace,
    budget.object.metadata.name ?? '',
    (live) => withOneLess(live, name, rest.now()),
    { retry: true },
    { ...context, subresource: 'status' },
  )
}

function withOneLess(budget: KubeObject, pod: string, now: string): KubeObject {
  const status = objectAt(budget['status'])
  const { name = '' } = budget.metadata
  const refuse = (message: string): StatusError =>
    new StatusError(
      failure(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
        causes: [{ reason: 'DisruptionBudget', message }],
        retryAfterSeconds: RETRY_SECONDS,
      }),
    )
  if (Number(status['observedGeneration'] ?? 0) < (budget.metadata.generation ?? 0))
    throw refuse(`The disruption budget ${name} is still being processed by the server.`)
  const allowed = Number(status['disruptionsAllowed'] ?? 0)
  if (allowed < 1)
    throw refuse(
      `The disruption budget ${name} needs ${String(status['desiredHealthy'] ?? 0)} healthy pods and has ${String(status['currentHealthy'] ?? 0)} currently`,
    )
  return { ...budget, status: { ...status, disruptionsAllowed: allowed - 1, disruptedPods: { ...objectAt(status['disruptedPods']), [pod]: now } } }
}
