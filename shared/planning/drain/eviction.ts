import { isObject, objectAt } from '../../kubernetes/json.ts'
import { matchesRequirements, selectorRequirements } from '../../kubernetes/labelSelector.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { objectsAt, specOf, textAt } from '../scheduling/pod.ts'

/** What the Eviction API answers for a pod at this moment. */
export type EvictionDecision =
  /** `spends`: the budget whose allowance goes down by one; null when none is asked. */
  | { decision: 'granted'; spends: KubeObject | null }
  /** 429: it may be granted later. */
  | { decision: 'refused'; budget: KubeObject; cause: 'budget' | 'unobserved'; message: string }
  /** 500, and stays so until a budget is taken away. */
  | { decision: 'impossible'; budgets: KubeObject[]; message: string }

const statusOf = (object: KubeObject): Record<string, unknown> => objectAt(object['status'])
const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0)

export function isPodReady(pod: KubeObject): boolean {
  return objectsAt(statusOf(pod)['conditions']).some(({ type, status }) => type === 'Ready' && status === 'True')
}

/** A pod that does not run, or is on its way out, disturbs nobody when it goes. */
export function ignoresBudgets(pod: KubeObject): boolean {
  return ['Succeeded', 'Failed', 'Pending'].includes(textAt(statusOf(pod)['phase'])) || pod.metadata.deletionTimestamp !== undefined
}

/** The budgets that guard a pod. Up to 1.20 an empty selector selects no pod, from policy/v1 on every pod of the namespace. */
export function budgetsOf(pod: KubeObject, budgets: Iterable<KubeObject>, minor: number): KubeObject[] {
  return [...budgets].filter((budget) => {
    if (budget.metadata.namespace !== pod.metadata.namespace) return false
    const requirements = selectorRequirements(specOf(budget)['selector'])
    if (requirements === null || (requirements.length === 0 && minor < 21)) return false
    return matchesRequirements(requirements, pod.metadata.labels)
  })
}

/** Evictions that a budget grants now. */
export const allowanceOf = (budget: KubeObject): number => numberOf(statusOf(budget)['disruptionsAllowed'])

/** The budget's arithmetic: what it wants and what it counts. */
export function budgetHealth(budget: KubeObject): { desired: number; current: number; expected: number } {
  const { desiredHealthy, currentHealthy, expectedPods } = statusOf(budget)
  return { desired: numberOf(desiredHealthy), current: numberOf(currentHealthy), expected: numberOf(expectedPods) }
}

/** The rules of upstream's eviction REST: pkg/registry/core/pod/storage/eviction.go. */
export function decideEviction(pod: KubeObject, budgets: Iterable<KubeObject>, minor: number): EvictionDecision {
  if (ignoresBudgets(pod)) return { decision: 'granted', spends: null }
  const guarding = budgetsOf(pod, budgets, minor)
  const [budget] = guarding
  if (budget === undefined) return { decision: 'granted', spends: null }
  if (guarding.length > 1)
    return {
      decision: 'impossible',
      budgets: guarding,
      message: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    }
  const name = budget.metadata.name ?? ''
  const { desired, current } = budgetHealth(budget)
  if (!isPodReady(pod)) {
    // A pod that is not ready is not counted, so it may go where enough others are healthy, or where the budget says so (1.27).
    const always = minor >= 27 && isObject(budget['spec']) && budget['spec']['unhealthyPodEvictionPolicy'] === 'AlwaysAllow'
    if (always || (current >= desired && desired > 0)) return { decision: 'granted', spends: null }
  }
  if (numberOf(statusOf(budget)['observedGeneration']) < (budget.metadata.generation ?? 0))
    return { decision: 'refused', budget, cause: 'unobserved', message: `The disruption budget ${name} is still being processed by the server.` }
  if (allowanceOf(budget) < 1)
    return {
      decision: 'refused',
      budget,
      cause: 'budget',
      message: `The disruption budget ${name} needs ${String(desired)} healthy pods and has ${String(current)} currently`,
    }
  return { decision: 'granted', spends: budget }
}
