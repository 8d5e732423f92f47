import type { KubeList, KubeObject } from '#shared/kubernetes/object.ts'
import type { SchedulingOutcome } from '#shared/planning/scheduling/decision.ts'
import { fitErrorMessage, type CycleState } from '#shared/planning/scheduling/filters.ts'
import { scoreNodes } from '#shared/planning/scheduling/scores.ts'
import { specOf } from '#shared/planning/scheduling/pod.ts'
import { POD_DISRUPTION_BUDGETS, PODS } from '#electron/client/resources.ts'
import type { RestClient } from '#electron/client/restClient.ts'
import { placementOf } from '#electron/clusters/schedulingExplanation.ts'
import { isLess, preemptionCandidates, type PreemptionCandidate } from '#electron/controlplane/scheduler/preemption.ts'

export interface Expected extends SchedulingOutcome {
  message: string
  state: CycleState
  /** Where others might be asked to leave, those that cost the least; several when nothing tells them apart. */
  preemption: PreemptionCandidate[]
}

/** A client of a cluster in which only pods change: every other list is asked for once. */
export class SettledCluster implements Pick<RestClient, 'list'> {
  readonly #client: RestClient
  readonly #lists = new Map<string, Promise<KubeList>>()

  constructor(client: RestClient) {
    this.#client = client
  }

  list(...asked: Parameters<RestClient['list']>): Promise<KubeList> {
    const [gvr, options] = asked
    if (gvr === PODS) return this.#client.list(...asked)
    const key = JSON.stringify([gvr, options])
    const list = this.#lists.get(key) ?? this.#client.list(...asked)
    this.#lists.set(key, list)
    return list
  }
}

/** What Drydock's plugins decide for a pod, in the cluster as an API server has it. */
export async function decide(client: Pick<RestClient, 'list'>, pod: KubeObject, signal: AbortSignal): Promise<Expected> {
  const { state, outcome } = await placementOf(client, pod, { minor: 20 }, signal)
  const fits = outcome.scores.length > 0
  const message = fits ? '' : fitErrorMessage(state.nodes.length, outcome.refusals.values(), state)
  if (fits || specOf(pod)['preemptionPolicy'] === 'Never') return { ...outcome, state, message, preemption: [] }
  const budgets = (await client.list({ ...POD_DISRUPTION_BUDGETS, version: 'v1beta1' }, {}, signal)).items
  const helpful = state.nodes.filter(({ name }) => outcome.refusals.get(name)?.unresolvable === false)
  const candidates = preemptionCandidates(pod, state.nodes, helpful, { view: state.view, budgets })
  return { ...outcome, state, message, preemption: candidates.filter(({ cost }) => !candidates.some((other) => isLess(other.cost, cost))) }
}

/** The same with only some of the nodes that would do, as where the search ended early. */
export function narrowed(expected: Expected, names: ReadonlySet<string>): Expected {
  const feasible = expected.scores.map(({ info }) => info).filter(({ name }) => names.has(name))
  return { ...expected, scores: scoreNodes(expected.state, feasible) }
}
