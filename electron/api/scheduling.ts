import type { Clock } from '#shared/base/clock.ts'
import type { RequestHandlers } from '#shared/contract/contract.ts'
import { RestClient } from '../client/restClient.ts'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'
import { explainScheduling } from '../clusters/schedulingExplanation.ts'

/** Why a pod is where it is, or nowhere. */
export function schedulingHandlers(registry: ClusterRegistry, clock: Clock): Pick<RequestHandlers, 'pods.scheduling'> {
  return {
    'pods.scheduling': ({ clusterId, namespace, name }, { signal }) =>
      explainScheduling(new RestClient(registry.session(clusterId).transport), { namespace, name, nowMs: clock.now() }, signal),
  }
}
