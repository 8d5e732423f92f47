import { selectorRequirements, matchesRequirements } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { filterNode, prepareCycle, type CycleState, type Refusal, type SchedulingView } from '#shared/planning/scheduling/filters.ts'
import type { NodeInfo } from '#shared/planning/scheduling/nodeInfo.ts'
import { priorityOf, specOf, textAt } from '#shared/planning/scheduling/pod.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

export type Preemption = { kind: 'victims'; node: string; victims: KubeObject[] } | { kind: 'none'; message: string }

/** A node that would do once some pods have left it. */
export interface PreemptionCandidate {
  node: string
  /** In the order in which they are asked to leave. */
  victims: KubeObject[]
  /** What it costs, the most important first; each smaller is better. */
  cost: readonly number[]
}

/** PodDisruptionBudgets, as they stand. */
export type Budgets = readonly KubeObject[]

export interface PreemptionOptions {
  view: SchedulingView
  budgets: Budgets
  /** Others that are to come to a node, and whose room is theirs. @default none */
  coming?: (node: string) => readonly KubeObject[]
}

/**
 * Looks for a node where the fewest budgets would be broken, then less important and fewer pods would have to go.
 *
 * @see pkg/scheduler/framework/plugins/defaultpreemption pickOneNodeForPreemption
 */
export function choosePreemption(pod: KubeObject, infos: readonly NodeInfo[], refusals: ReadonlyMap<string, Refusal>, options: PreemptionOptions): Preemption {
  const helpful = infos.filter(({ name }) => refusals.get(name)?.unresolvable === false)
  const count = infos.length
  const none = (why: string): Preemption => ({ kind: 'none', message: `0/${String(count)} nodes are available: ${why}.` })
  if (helpful.length < count && helpful.length === 0) return none(`${String(count)} Preemption is not helpful for scheduling`)
  if (specOf(pod)['preemptionPolicy'] === 'Never') return none('not eligible due to preemptionPolicy=Never')
  let best: PreemptionCandidate | null = null
  for (const candidate of preemptionCandidates(pod, infos, helpful, options)) if (best === null || isLess(candidate.cost, best.cost)) best = candidate
  if (best !== null) return { kind: 'victims', node: best.node, victims: best.victims }
  const unhelpful = count - helpful.length
  const parts = [
    ...(helpful.length === 0 ? [] : [`${String(helpful.length)} No preemption victims found for incoming pod`]),
    ...(unhelpful === 0 ? [] : [`${String(unhelpful)} Preemption is not helpful for scheduling`]),
  ]
  return none(parts.join(', '))
}

/** Every node of `helpful` that would do, in their order, with what has to leave it. */
export function preemptionCandidates(
  pod: KubeObject,
  infos: readonly NodeInfo[],
  helpful: readonly NodeInfo[],
  options: PreemptionOptions,
): PreemptionCandidate[] {
  const state = prepareCycle(pod, infos, options.view)
  return helpful.flatMap((info) => {
    const found = victimsOn(state, info, options)
    return found === null ? [] : [{ node: info.name, victims: found.victims, cost: costOf(found, options.view.minor) }]
  })
}

/** Pods that may not go by their budgets, each budget's allowance used up in order. */
function violating(pods: readonly KubeObject[], budgets: Budgets): Set<KubeObject> {
  const known = budgets.flatMap((budget) => {
    const requirements = selectorRequirements(specOf(budget)['selector'])
    // One that selects everything selects nothing here, as upstream has it.
    if (requirements === null || requirements.length === 0) return []
    const { disruptionsAllowed, disruptedPods } = objectAt(budget['status'])
    return [{ namespace: budget.metadata.namespace, requirements, left: Number(disruptionsAllowed ?? 0), disrupted: objectAt(disruptedPods) }]
  })
  const result = new Set<KubeObject>()
  for (const pod of pods) {
    const { namespace, name = '', labels = {} } = pod.metadata
    for (const budget of known) {
      if (budget.namespace !== namespace || Object.keys(labels).length === 0 || !matchesRequirements(budget.requirements, labels)) continue
      if (budget.disrupted[name] !== undefined) continue
      if (--budget.left < 0) result.add(pod)
    }
  }
  return result
}

/** Since when a pod runs; one that was bound and has not started yet is the newest. */
function startOf(pod: KubeObject): number {
  const startMs = Date.parse(textAt(objectAt(pod['status'])['startTime']))
  return Number.isNaN(startMs) ? Number.MAX_SAFE_INTEGER : startMs
}

/** The fewest pods of lower priority that must go: all go, then as many as fit come back, those under budgets first, then the most important. */
function victimsOn(state: CycleState, info: NodeInfo, { view, budgets, coming }: PreemptionOptions): { victims: KubeObject[]; broken: number } | null {
  const { pod } = state
  const priority = priorityOf(pod)
  const lower = [...info.pods.values()].filter((other) => priorityOf(other) < priority).sort((a, b) => priorityOf(b) - priorityOf(a) || startOf(a) - startOf(b))
  if (lower.length === 0) return null
  const more = coming?.(info.name) ?? []
  // Who else runs where counts only for rules about other pods; without them the node alone is looked at anew.
  const isAlone = state.spread.length === 0 && state.affinity.required.length === 0 && state.antiAffinity.required.length === 0 && state.repelled.size === 0
  const passes = (changed: NodeInfo, alone: boolean): boolean =>
    filterNode(
      alone
        ? state
        : prepareCycle(
            pod,
            state.nodes.map((each) => (each === info ? changed : each)),
            view,
          ),
      changed,
    ) === null
  const fits = (gone: readonly KubeObject[]): boolean =>
    passes(info.changed({ without: gone }), isAlone) && (more.length === 0 || passes(info.changed({ without: gone, with: more }), false))
  if (!fits(lower)) return null
  const guarded = violating(lower, budgets)
  let gone = lower
  const victims: KubeObject[] = []
  let broken = 0
  for (const candidate of [...lower.filter((each) => guarded.has(each)), ...lower.filter((each) => !guarded.has(each))]) {
    const fewer = gone.filter((each) => each !== candidate)
    if (fits(fewer)) gone = fewer
    else {
      victims.push(candidate)
      if (guarded.has(candidate)) broken++
    }
  }
  return { victims, broken }
}

/** The release from which on victims are put in the order of their importance before they are compared. */
const SORTED_SINCE = 31

/** Broken budgets, priority of the first victim, sum of priorities, number, and minus the start of the oldest of the most important. */
function costOf({ victims, broken }: { victims: readonly KubeObject[]; broken: number }, minor: number): number[] {
  const highest = Math.max(...victims.map(priorityOf), Number.NEGATIVE_INFINITY)
  const [first] = victims
  const leading = first === undefined || minor >= SORTED_SINCE ? highest : priorityOf(first)
  const sum = victims.reduce((total, victim) => total + priorityOf(victim) + 2 ** 31, 0)
  const starts = victims.filter((victim) => priorityOf(victim) === highest).map(startOf)
  return [broken, leading, sum, victims.length, -Math.min(...starts)]
}

export function isLess(a: readonly number[], b: readonly number[]): boolean {
  const index = a.findIndex((value, at) => value !== b[at])
  return index >= 0 && (a[index] ?? 0) < (b[index] ?? 0)
}
