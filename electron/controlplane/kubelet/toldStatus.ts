import { isObject } from '#shared/kubernetes/json.ts'
import type { PodStatus } from './types.ts'

/**
 * Whether an object's status says all of this already, so that a patch would change nothing; upstream's status manager
 * compares in the same way before it sends (`isPodStatusByKubeletEqual` of pkg/kubelet/status/status_manager.go).
 * Conditions of others may stand beside, in any order; a null is what is not there; which generation a condition is of, kubelets
 * of some releases tell and of others do not.
 */
export function isTold(status: PodStatus, stored: PodStatus | undefined): boolean {
  if (stored === undefined) return false
  const { conditions = [], ...rest } = status
  const told = new Map((stored.conditions ?? []).map((each) => [each.type, each]))
  const before: Record<string, unknown> = { ...stored }
  return (
    conditions.every(({ observedGeneration: _, ...each }) => {
      const known = told.get(each.type)
      return known !== undefined && equalButForNulls({ ...each, observedGeneration: known.observedGeneration }, known)
    }) && Object.entries(rest).every(([key, value]) => equalButForNulls(value, before[key]))
  )
}

function equalButForNulls(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (one === null || one === undefined || other === null || other === undefined) return (one ?? null) === (other ?? null)
  if (Array.isArray(one)) return Array.isArray(other) && one.length === other.length && one.every((each, index) => equalButForNulls(each, other[index]))
  if (!isObject(one) || !isObject(other)) return false
  for (const key of Object.keys(one)) if (!equalButForNulls(one[key], other[key])) return false
  for (const key of Object.keys(other)) if (!(key in one) && other[key] !== null && other[key] !== undefined) return false
  return true
}
