import { deepEqual, isObject } from '#shared/kubernetes/json.ts'
import type { PodStatus } from './types.ts'

/**
 * Whether an object's status says all of this already, so that a patch would change nothing; upstream's status manager
 * compares in the same way before it sends (`isPodStatusByKubeletEqual` of pkg/kubelet/status/status_manager.go).
 * Conditions of others may stand beside, in any order; a null is what is not there.
 */
export function isTold(status: PodStatus, stored: PodStatus | undefined): boolean {
  if (stored === undefined) return false
  const { conditions = [], ...rest } = status
  const told = new Map((stored.conditions ?? []).map((each) => [each.type, each]))
  if (!conditions.every((each) => deepEqual(withoutNulls(each), withoutNulls(told.get(each.type))))) return false
  const before: Record<string, unknown> = { ...stored }
  return Object.entries(rest).every(([key, value]) => deepEqual(withoutNulls(value), withoutNulls(before[key])))
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).flatMap(([key, each]) => (each === null || each === undefined ? [] : [[key, withoutNulls(each)]])))
}
