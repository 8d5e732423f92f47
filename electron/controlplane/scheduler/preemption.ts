import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { filterNode, prepareCycle, type Refusal, type SchedulingView } from '#shared/planning/scheduling/filters.ts'
import type { NodeInfo } from '#shared/planning/scheduling/nodeInfo.ts'
import { objectAt, priorityOf, specOf, textAt } from '#shared/planning/scheduling/pod.ts'

export type Preemption = { kind: 'victims'; node: string; victims: KubeObject[] } | { kind: 'none'; message: string }

/** PodDisruptionBudgets, as they stand. */
export type Budgets = readonly KubeObject[]

/**
 * Looks for a node where the fewest budgets would be broken, then less important and fewer pods would have to go.
 *
 * @see pkg/scheduler/framework/plugins/defaultpreemption pickOneNodeForPreemption
 */
export function choosePreemption(
  pod: KubeObject,
  infos: readonly NodeInfo[],
  refusals: ReadonlyMap<string, Refusal>,
  { view, budgets }: { view: SchedulingView; budgets: Budgets },
): Preemption {
  const helpful = infos.filter(({ name }) => refusals.get(name)?.unresolvable === false)
  const count = infos.length
  const none = (why: string): Preemption => ({ kind: 'none', message: `0/${String(count)} nodes are available: ${why}.` })
  if (helpful.length < count && helpful.length === 0) return none(`${String(count)} Preemption is not helpful for scheduling`)
  if (specOf(pod)['preemptionPolicy'] === 'Never') return none('not eligible due to preemptionPolicy=Never')
  const priority = priorityOf(pod)
  let best: { node: string; victims: KubeObject[]; key: number[] } | null = null
  for (const info of helpful) {
    const victims = victimsOn(pod, info, infos, { priority, view, budgets })
    if (victims === null) continue
    const key = costOf(victims, budgets)
    if (best === null || isLess(key, best.key)) best = { node: info.name, victims, key }
  }
  if (best !== null) return { kind: 'victims', node: best.node, victims: best.victims }
  const unhelpful = count - helpful.length
  const parts = [
    ...(helpful.length === 0 ? [] : [`${String(helpful.length)} No preemption victims found for incoming pod`]),
    ...(unhelpful === 0 ? [] : [`${String(unhelpful)} Preemption is not helpful for scheduling`]),
  ]
  return none(parts.join(', '))
}

/** Pods that may not go by their budgets, each budget's allowance used up in order. */
function violating(pods: readonly KubeObject[], budgets: Budgets): Set<KubeObject> {
  const left = new Map(budgets.map((budget) => [budget, Number(objectAt(budget['status'])['disruptionsAllowed'] ?? 0)]))
  const result = new Set<KubeObject>()
  for (const pod of pods)
    for (const budget of budgets) {
      if (budget.metadata.namespace !== pod.metadata.namespace || !matchesLabelSelector(specOf(budget)['selector'], pod.metadata.labels ?? {})) continue
      const allowed = (left.get(budget) ?? 0) - 1
      left.set(budget, allowed)
      if (allowed < 0) result.add(pod)
    }
  return result
}

/** The fewest pods of lower priority that must go: all go, then as many as fit come back, those under budgets first, then the most important. */
function victimsOn(
  pod: KubeObject,
  info: NodeInfo,
  infos: readonly NodeInfo[],
  { priority, view, budgets }: { priority: number; view: SchedulingView; budgets: Budgets },
): KubeObject[] | null {
  const lower = [...info.pods.values()].filter((other) => priorityOf(other) < priority).sort((a, b) => priorityOf(b) - priorityOf(a))
  if (lower.length === 0) return null
  const fits = (gone: readonly KubeObject[]): boolean => {
    const thinned = info.changed({ without: gone })
    const others = infos.map((each) => (each === info ? thinned : each))
    return filterNode(prepareCycle(pod, others, view), thinned) === null
  }
  if (!fits(lower)) return null
  const guarded = violating(lower, budgets)
  let victims = lower
  for (const candidate of [...lower.filter((each) => guarded.has(each)), ...lower.filter((each) => !guarded.has(each))]) {
    const fewer = victims.filter((each) => each !== candidate)
    if (fits(fewer)) victims = fewer
  }
  return victims
}

/** Broken budgets, highest priority, sum of priorities, number, and minus the start of the most important; each smaller is better. */
function costOf(victims: readonly KubeObject[], budgets: Budgets): number[] {
  const highest = Math.max(...victims.map(priorityOf), Number.NEGATIVE_INFINITY)
  const sum = victims.reduce((total, victim) => total + priorityOf(victim) + 2 ** 31, 0)
  const starts = victims.filter((victim) => priorityOf(victim) === highest).map((victim) => Date.parse(textAt(objectAt(victim['status'])['startTime'])) || 0)
  return [violating(victims, budgets).size, highest, sum, victims.length, -Math.min(...starts)]
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const index = a.findIndex((value, at) => value !== b[at])
  return index >= 0 && (a[index] ?? 0) < (b[index] ?? 0)
}
