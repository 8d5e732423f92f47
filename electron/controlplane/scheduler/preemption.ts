import type { KubeObject } from '#shared/kubernetes/object.ts'
import { filterNode, prepareCycle, type NamespaceLabels, type Refusal } from '#shared/planning/scheduling/filters.ts'
import type { NodeInfo } from '#shared/planning/scheduling/nodeInfo.ts'
import { priorityOf, specOf } from '#shared/planning/scheduling/pod.ts'

export type Preemption = { kind: 'victims'; node: string; victims: KubeObject[] } | { kind: 'none'; message: string }

/**
 * Looks for a node where fewer and less important pods would have to go. First depth: budgets are not weighed.
 */
export function choosePreemption(
  pod: KubeObject,
  infos: readonly NodeInfo[],
  refusals: ReadonlyMap<string, Refusal>,
  namespaceLabels: NamespaceLabels,
): Preemption {
  const helpful = infos.filter(({ name }) => refusals.get(name)?.unresolvable === false)
  const count = infos.length
  const none = (why: string): Preemption => ({ kind: 'none', message: `0/${String(count)} nodes are available: ${why}.` })
  if (helpful.length < count && helpful.length === 0) return none(`${String(count)} Preemption is not helpful for scheduling`)
  if (specOf(pod)['preemptionPolicy'] === 'Never') return none('not eligible due to preemptionPolicy=Never')
  const priority = priorityOf(pod)
  let best: { node: string; victims: KubeObject[] } | null = null
  for (const info of helpful) {
    const victims = victimsOn(pod, info, infos, priority, namespaceLabels)
    if (victims !== null && (best === null || isBetter(victims, best.victims))) best = { node: info.name, victims }
  }
  if (best !== null) return { kind: 'victims', ...best }
  const unhelpful = count - helpful.length
  const parts = [
    ...(helpful.length === 0 ? [] : [`${String(helpful.length)} No preemption victims found for incoming pod`]),
    ...(unhelpful === 0 ? [] : [`${String(unhelpful)} Preemption is not helpful for scheduling`]),
  ]
  return none(parts.join(', '))
}

/** The fewest pods of lower priority that must go: all go, then as many as fit come back, most important first. */
function victimsOn(pod: KubeObject, info: NodeInfo, infos: readonly NodeInfo[], priority: number, namespaceLabels: NamespaceLabels): KubeObject[] | null {
  const lower = [...info.pods.values()].filter((other) => priorityOf(other) < priority).sort((a, b) => priorityOf(b) - priorityOf(a))
  if (lower.length === 0) return null
  const fits = (gone: readonly KubeObject[]): boolean => {
    const thinned = info.without(gone)
    const others = infos.map((each) => (each === info ? thinned : each))
    return filterNode(prepareCycle(pod, others, namespaceLabels), thinned) === null
  }
  if (!fits(lower)) return null
  let victims = lower
  for (const candidate of lower) {
    const fewer = victims.filter((each) => each !== candidate)
    if (fits(fewer)) victims = fewer
  }
  return victims
}

/** Lower highest priority first, then fewer. */
function isBetter(a: readonly KubeObject[], b: readonly KubeObject[]): boolean {
  const highest = (victims: readonly KubeObject[]): number => Math.max(...victims.map(priorityOf), Number.NEGATIVE_INFINITY)
  return highest(a) !== highest(b) ? highest(a) < highest(b) : a.length < b.length
}
