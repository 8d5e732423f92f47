import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { SchedulingOutcome } from '#shared/planning/scheduling/decision.ts'
import { fitErrorMessage } from '#shared/planning/scheduling/filters.ts'
import type { RestClient } from '#electron/client/restClient.ts'
import { placementOf } from '#electron/clusters/schedulingExplanation.ts'

export interface Expected extends SchedulingOutcome {
  message: string
}

/** What Drydock's plugins decide for a pod, in the cluster as an API server has it. */
export async function decide(client: RestClient, pod: KubeObject, signal: AbortSignal): Promise<Expected> {
  const { state, outcome } = await placementOf(client, pod, { minor: 20 }, signal)
  return { ...outcome, message: outcome.scores.length > 0 ? '' : fitErrorMessage(state.nodes.length, outcome.refusals.values(), state) }
}
