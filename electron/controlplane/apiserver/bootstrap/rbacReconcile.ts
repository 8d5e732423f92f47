import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { rulesIn, uncovered } from '#shared/planning/rbac/evaluate.ts'

const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate'
const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

/**
 * What a default role or binding should become at the start of a release: missing rules and subjects are added, nothing is
 * taken away, and nothing is touched where its owner turned updates off.
 *
 * @returns null when it is right as it is
 * @see kubernetes pkg/registry/rbac/reconciliation
 */
export function reconciled(live: KubeObject, wanted: KubeObject): KubeObject | null {
  if (live.metadata.annotations?.[AUTOUPDATE] === 'false') return null
  const labels = { ...wanted.metadata.labels, ...live.metadata.labels }
  const annotations = { ...wanted.metadata.annotations, ...live.metadata.annotations }
  const metadata = { ...live.metadata, labels, annotations }
  const sameMetadata = sizeOf(labels) === sizeOf(live.metadata.labels) && sizeOf(annotations) === sizeOf(live.metadata.annotations)
  if (wanted.kind === 'ClusterRole' || wanted.kind === 'Role') {
    // The controller keeps the rules of roles that are put together from others.
    const missing = wanted['aggregationRule'] === undefined ? uncovered(rulesIn(live), rulesIn(wanted)) : []
    if (missing.length === 0 && sameMetadata) return null
    return { ...live, metadata, rules: [...objects(live['rules']), ...missing.map(compact)] }
  }
  const key = ({ kind, namespace, name }: JsonObject): string => `${String(kind)}/${String(namespace ?? '')}/${String(name)}`
  const known = new Set(objects(live['subjects']).map(key))
  const missing = objects(wanted['subjects']).filter((subject) => !known.has(key(subject)))
  if (missing.length === 0 && sameMetadata) return null
  return { ...live, metadata, subjects: [...objects(live['subjects']), ...missing] }
}

const sizeOf = (map: object | undefined): number => Object.keys(map ?? {}).length

function compact(rule: ReturnType<typeof rulesIn>[number]): JsonObject {
  return Object.fromEntries(Object.entries(rule).filter(([field, values]) => field === 'verbs' || values.length > 0))
}
