import { matchesRequirements, selectorRequirements, type Requirement } from '../../kubernetes/labelSelector.ts'
import { isObject } from '../../kubernetes/json.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { nodeSelection } from './affinity.ts'
import type { NodeInfo } from './nodeInfo.ts'
import { objectsAt, specOf, textAt } from './pod.ts'
import type { Points } from './points.ts'

export const HOSTNAME = 'kubernetes.io/hostname'
const ZONE = 'topology.kubernetes.io/zone'

/** A topologySpreadConstraint, its selector compiled. */
export interface SpreadConstraint {
  topologyKey: string
  maxSkew: number
  /** Counts pods of the node that match; terminating ones are none. */
  countOn(info: NodeInfo): number
  /** 1 when the pod itself counts. */
  self: 0 | 1
}

/** Objects of the pod's namespace by whose selectors its workload is known. */
export interface Workloads {
  services: readonly KubeObject[]
  replicationControllers: readonly KubeObject[]
  replicaSets: readonly KubeObject[]
  statefulSets: readonly KubeObject[]
}

/** Spreading of pods that ask for none (upstream's system defaults): softly, by host and by zone. */
const DEFAULTS = [
  { topologyKey: HOSTNAME, maxSkew: 3 },
  { topologyKey: ZONE, maxSkew: 5 },
]

function compiled(pod: KubeObject, topologyKey: string, { maxSkew, requirements }: { maxSkew: number; requirements: Requirement[] | null }): SpreadConstraint {
  const namespace = pod.metadata.namespace ?? ''
  const matches = (other: KubeObject): boolean =>
    requirements !== null &&
    other.metadata.namespace === namespace &&
    other.metadata.deletionTimestamp === undefined &&
    matchesRequirements(requirements, other.metadata.labels ?? {})
  const key = `spread ${namespace} ${JSON.stringify(requirements)}`
  return {
    topologyKey,
    maxSkew,
    countOn: (info) => info.count(key, matches),
    self: requirements !== null && matchesRequirements(requirements, pod.metadata.labels ?? {}) ? 1 : 0,
  }
}

/** The pod's own constraints; hard ones refuse nodes, soft ones score them. */
export function ownConstraints(pod: KubeObject, hard: boolean): SpreadConstraint[] {
  return objectsAt(specOf(pod)['topologySpreadConstraints'])
    .filter((each) => (each['whenUnsatisfiable'] !== 'ScheduleAnyway') === hard)
    .map((each) =>
      compiled(pod, textAt(each['topologyKey']), { maxSkew: Number(each['maxSkew'] ?? 1), requirements: selectorRequirements(each['labelSelector']) }),
    )
}

/** Soft constraints: the pod's own, or those of its workload when it has none at all. */
export function softConstraints(pod: KubeObject, workloads: Workloads, minor: number): SpreadConstraint[] {
  if (objectsAt(specOf(pod)['topologySpreadConstraints']).length > 0) return ownConstraints(pod, false)
  const requirements = workloadRequirements(pod, workloads, minor)
  if (requirements.length === 0) return []
  return DEFAULTS.map(({ topologyKey, maxSkew }) => compiled(pod, topologyKey, { maxSkew, requirements }))
}

/** What the selectors of the services and workloads that select the pod ask for together. From 1.22 only its own controller counts. */
function workloadRequirements(pod: KubeObject, workloads: Workloads, minor: number): Requirement[] {
  const labels = pod.metadata.labels ?? {}
  const asMap = (object: KubeObject): unknown => ({ matchLabels: specOf(object)['selector'] })
  const owner = pod.metadata.ownerReferences?.find((each) => each.controller === true)?.uid
  const owns = (object: KubeObject): boolean => minor < 22 || object.metadata.uid === owner
  const requirementsOf = (objects: readonly KubeObject[], selectorOf: (object: KubeObject) => unknown): Requirement[] =>
    objects.flatMap((object) => {
      if (!isObject(specOf(object)['selector'])) return []
      const requirements = selectorRequirements(selectorOf(object)) ?? []
      return requirements.length > 0 && matchesRequirements(requirements, labels) ? requirements : []
    })
  const plain = (object: KubeObject): unknown => specOf(object)['selector']
  return [
    ...requirementsOf(workloads.services, asMap),
    ...requirementsOf(workloads.replicationControllers.filter(owns), asMap),
    ...requirementsOf(workloads.replicaSets.filter(owns), plain),
    ...requirementsOf(workloads.statefulSets.filter(owns), plain),
  ]
}

/** Matching pods by topology value for one hard constraint, of nodes that count. */
export interface SpreadCounts extends SpreadConstraint {
  counts: Map<string, number>
  least: number
}

const hasKeys = ({ labels }: NodeInfo, constraints: readonly SpreadConstraint[]): boolean =>
  constraints.every(({ topologyKey }) => labels[topologyKey] !== undefined)

/** A node counts when the pod's own selection lets it go there, and it has the labels of all constraints. */
export function hardSpread(pod: KubeObject, nodes: readonly NodeInfo[]): SpreadCounts[] {
  const constraints = ownConstraints(pod, true)
  if (constraints.length === 0) return []
  const selects = nodeSelection(pod)
  const counting = nodes.filter((info) => hasKeys(info, constraints) && (selects === null || selects(info.node)))
  // Every node with a value that counts adds to it, whether or not it counts itself.
  return constraints.map((constraint) => {
    const { topologyKey } = constraint
    const counts = new Map<string, number>()
    for (const { labels } of counting) counts.set(labels[topologyKey] ?? '', 0)
    for (const info of nodes) {
      if (info.pods.size === 0) continue
      const value = info.labels[topologyKey]
      const before = value === undefined ? undefined : counts.get(value)
      if (value !== undefined && before !== undefined) counts.set(value, before + constraint.countOn(info))
    }
    return { ...constraint, counts, least: counts.size === 0 ? Number.MAX_SAFE_INTEGER : Math.min(...counts.values()) }
  })
}

/**
 * Points of nodes for soft constraints, 0 to 100; the fewer matching pods in a node's topology the more. Rare topologies weigh
 * less, by the logarithm of their number.
 *
 * @see pkg/scheduler/framework/plugins/podtopologyspread/scoring.go
 */
export function spreadPoints(
  pod: KubeObject,
  feasible: readonly NodeInfo[],
  { constraints, nodes, requireAll }: { constraints: readonly SpreadConstraint[]; nodes: readonly NodeInfo[]; requireAll: boolean },
): Points {
  if (constraints.length === 0) return 100
  const scored = (info: NodeInfo): boolean => !requireAll || hasKeys(info, constraints)
  const eligible = feasible.filter(scored)
  const selects = nodeSelection(pod)
  const parts = constraints.map((constraint) => {
    const { topologyKey } = constraint
    if (topologyKey === HOSTNAME) return { constraint, counts: null, weight: Math.log(eligible.length + 2) }
    const counts = new Map<string, number>()
    for (const { labels } of eligible) if (labels[topologyKey] !== undefined) counts.set(labels[topologyKey], 0)
    for (const info of counts.size === 0 ? [] : nodes) {
      if (info.pods.size === 0) continue
      const value = info.labels[topologyKey]
      const before = value === undefined ? undefined : counts.get(value)
      if (value !== undefined && before !== undefined && scored(info) && (selects === null || selects(info.node)))
        counts.set(value, before + constraint.countOn(info))
    }
    return { constraint, counts, weight: Math.log(counts.size + 2) }
  })
  const raw = feasible.map((info) => {
    if (!scored(info)) return null
    let score = 0
    for (const { constraint, counts, weight } of parts) {
      const value = info.labels[constraint.topologyKey]
      if (value === undefined) continue
      const count = counts === null ? constraint.countOn(info) : (counts.get(value) ?? 0)
      score += count * weight + (constraint.maxSkew - 1)
    }
    return Math.trunc(score)
  })
  return normalized(raw)
}

/** Nodes without the topology get nothing; the others the more the smaller their score. */
function normalized(raw: readonly (number | null)[]): number[] {
  const known = raw.filter((each) => each !== null)
  const [least, most] = [Math.min(...known), Math.max(0, ...known)]
  return raw.map((each) => (each === null ? 0 : most === 0 ? 100 : Math.trunc((100 * (most + least - each)) / most)))
}
