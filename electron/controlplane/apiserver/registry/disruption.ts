import { objectAt } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { allowanceOf, decideEviction } from '#shared/planning/drain/eviction.ts'
import type { ApiResources } from './apiResources.ts'
import type { RestStore, WriteContext } from './restStore.ts'

/** Told to a client whose budget has not been looked at yet. */
const RETRY_SECONDS = 10

/**
 * Takes one disruption from the budget that guards a pod, as upstream's eviction REST does: the budget's status is written,
 * so that two evictions cannot use the same allowance.
 *
 * @throws StatusError 429 when the budget allows none now, 500 when several budgets guard the pod
 */
export async function decidePodDisruption(rest: RestStore, resources: ApiResources, pod: KubeObject, context: WriteContext): Promise<void> {
  const minor = resources.kubernetesMinor
  const resource = resources.byKind('policy', 'PodDisruptionBudget')
  if (resource === undefined) return
  const { namespace = '', name = '' } = pod.metadata
  const budgets = [...rest.store.collection(resource.storagePrefix ?? '').range(rest.prefixOf(resource, namespace))].map(({ object }) => object)
  const decision = decideEviction(pod, budgets, minor)
  if (decision.decision === 'impossible') throw new StatusError(failure(500, 'InternalError', decision.message))
  if (decision.decision === 'refused') throw refusal(decision)
  if (decision.spends === null) return
  await rest.update(
    resource,
    namespace,
    decision.spends.metadata.name ?? '',
    (live) => {
      // Another eviction may have taken the last allowance meanwhile.
      const again = decideEviction(pod, [live], minor)
      if (again.decision === 'refused') throw refusal(again)
      const status = objectAt(live['status'])
      return {
        ...live,
        status: { ...status, disruptionsAllowed: allowanceOf(live) - 1, disruptedPods: { ...objectAt(status['disruptedPods']), [name]: rest.now() } },
      }
    },
    { retry: true },
    { ...context, subresource: 'status' },
  )
}

function refusal({ cause, message }: { cause: 'budget' | 'unobserved'; message: string }): StatusError {
  return new StatusError(
    failure(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
      causes: [{ reason: 'DisruptionBudget', message }],
      ...(cause === 'unobserved' ? { retryAfterSeconds: RETRY_SECONDS } : {}),
    }),
  )
}
