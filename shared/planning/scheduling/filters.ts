import { isObject } from '../../kubernetes/json.ts'
import { matchesLabelSelector } from '../../kubernetes/labelSelector.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { matchesNodeSelection, podAffinity, type PodAffinity } from './affinity.ts'
import type { NodeInfo } from './nodeInfo.ts'
import { hostPorts, objectsAt, podRequests, specOf, textAt, type HostPort, type Resources } from './pod.ts'
import { tolerationsOf, untolerated, type Toleration } from './taints.ts'
import { podVolumes, volumesOn, zoneConflict, type PodVolumes, type VolumeView } from './volumes.ts'

/** A plugin's refusal of a node, in upstream's words. `unresolvable`: no other pod's leaving would help. */
export interface Refusal {
  plugin: string
  reasons: string[]
  unresolvable: boolean
}

interface SpreadConstraint {
  topologyKey: string
  maxSkew: number
  hard: boolean
  selector: unknown
  /** Matching pods by topology value, of nodes that count. */
  counts: Map<string, number>
}

/** What is the same for every node while one pod is looked at. */
export interface CycleState {
  pod: KubeObject
  requests: Resources
  tolerations: Toleration[]
  ports: HostPort[]
  affinity: PodAffinity
  antiAffinity: PodAffinity
  /** Per required affinity term: topology values where a match runs; null where none runs anywhere and the pod matches itself. */
  affinityValues: (Set<string> | null)[]
  antiAffinityValues: Set<string>[]
  /** `key=value` of topologies that a running pod's own anti-affinity keeps this pod from. */
  repelled: Set<string>
  spread: SpreadConstraint[]
  volumes: PodVolumes
  view: SchedulingView
}

export type NamespaceLabels = (namespace: string) => Record<string, string>

/** What scheduling looks at beside nodes and pods. */
export interface SchedulingView {
  namespaceLabels: NamespaceLabels
  volumes: VolumeView
  /** The minor release whose words are used. */
  minor: number
}

/** Looks over all nodes once for a pod. */
export function prepareCycle(pod: KubeObject, nodes: readonly NodeInfo[], view: SchedulingView): CycleState {
  const { namespaceLabels } = view
  const affinity = podAffinity(pod, 'podAffinity', namespaceLabels)
  const antiAffinity = podAffinity(pod, 'podAntiAffinity', namespaceLabels)
  const valuesOf = (matches: (other: KubeObject) => boolean, topologyKey: string): Set<string> => {
    const values = new Set<string>()
    for (const info of nodes) {
      const value = info.node.metadata.labels?.[topologyKey]
      if (value !== undefined && !values.has(value) && [...info.pods.values()].some(matches)) values.add(value)
    }
    return values
  }
  // A pod counts for an affinity when it matches all of its terms.
  const matchesAll = (other: KubeObject): boolean => affinity.required.every((term) => term.matches(other))
  const together = affinity.required.map((term) => valuesOf(matchesAll, term.topologyKey))
  // The first pod of a group that wants to be together may go anywhere.
  const isFirst = together.every((values) => values.size === 0) && matchesAll(pod)
  const affinityValues = together.map((values) => (isFirst ? null : values))
  return {
    pod,
    requests: podRequests(pod),
    tolerations: tolerationsOf(pod),
    ports: hostPorts(pod),
    affinity,
    antiAffinity,
    affinityValues,
    antiAffinityValues: antiAffinity.required.map((term) => valuesOf((other) => term.matches(other), term.topologyKey)),
    repelled: repelledTopologies(pod, nodes, namespaceLabels),
    spread: spreadConstraints(pod, nodes),
    volumes: podVolumes(pod, view.volumes),
    view,
  }
}

function repelledTopologies(pod: KubeObject, nodes: readonly NodeInfo[], namespaceLabels: NamespaceLabels): Set<string> {
  const repelled = new Set<string>()
  for (const info of nodes)
    for (const other of info.pods.values()) {
      if (!isObject(specOf(other)['affinity'])) continue
      for (const term of podAffinity(other, 'podAntiAffinity', namespaceLabels).required) {
        const value = info.node.metadata.labels?.[term.topologyKey]
        if (value !== undefined && term.matches(pod)) repelled.add(`${term.topologyKey}=${value}`)
      }
    }
  return repelled
}

function spreadConstraints(pod: KubeObject, nodes: readonly NodeInfo[]): SpreadConstraint[] {
  const constraints = objectsAt(specOf(pod)['topologySpreadConstraints']).map((each) => ({
    topologyKey: textAt(each['topologyKey']),
    maxSkew: Number(each['maxSkew'] ?? 1),
    hard: each['whenUnsatisfiable'] !== 'ScheduleAnyway',
    selector: each['labelSelector'],
    counts: new Map<string, number>(),
  }))
  const keys = (hard: boolean): string[] => constraints.filter((each) => each.hard === hard).map(({ topologyKey }) => topologyKey)
  for (const constraint of constraints)
    for (const info of nodes) {
      const value = info.node.metadata.labels?.[constraint.topologyKey]
      // A node counts only when it has the labels of all constraints of the kind.
      if (keys(constraint.hard).some((key) => info.node.metadata.labels?.[key] === undefined)) continue
      if (value === undefined || !matchesNodeSelection(pod, info.node)) continue
      const matching = [...info.pods.values()].filter(
        (other) =>
          other.metadata.namespace === pod.metadata.namespace &&
          other.metadata.deletionTimestamp === undefined &&
          matchesLabelSelector(constraint.selector, other.metadata.labels ?? {}),
      ).length
      constraint.counts.set(value, (constraint.counts.get(value) ?? 0) + matching)
    }
  return constraints
}

type Filter = (state: CycleState, info: NodeInfo) => Refusal | null

const refuse = (plugin: string, reason: string, unresolvable: boolean): Refusal => ({ plugin, reasons: [reason], unresolvable })

const FILTERS: readonly Filter[] = [
  ({ tolerations }, { node }) => {
    if (specOf(node)['unschedulable'] !== true) return null
    const taint = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' }
    return untolerated([taint], tolerations, ['NoSchedule']) === null ? null : refuse('NodeUnschedulable', 'node(s) were unschedulable', true)
  },
  ({ pod, view }, { name }) => {
    const wanted = textAt(specOf(pod)['nodeName'])
    const what = view.minor >= 23 ? 'node name' : 'hostname'
    return wanted === '' || wanted === name ? null : refuse('NodeName', `node(s) didn't match the requested ${what}`, true)
  },
  ({ tolerations, view }, { taints }) => {
    const taint = untolerated(taints, tolerations, ['NoSchedule', 'NoExecute'])
    if (taint === null) return null
    const text = `{${taint.key}: ${taint.value}}`
    return refuse(
      'TaintToleration',
      view.minor >= 24 ? `node(s) had untolerated taint ${text}` : `node(s) had taint ${text}, that the pod didn't tolerate`,
      true,
    )
  },
  ({ pod, view }, { node }) =>
    matchesNodeSelection(pod, node) ? null : refuse('NodeAffinity', `node(s) didn't match Pod's node affinity${view.minor >= 21 ? '/selector' : ''}`, true),
  ({ ports }, info) => {
    if (ports.length === 0) return null
    const used = info.usedPorts()
    const clash = ports.some((port) =>
      used.some(
        (other) =>
          other.port === port.port &&
          other.protocol === port.protocol &&
          (other.address === port.address || other.address === '0.0.0.0' || port.address === '0.0.0.0'),
      ),
    )
    return clash ? refuse('NodePorts', "node(s) didn't have free ports for the requested pod ports", false) : null
  },
  fitsResources,
  fitsVolumes,
  fitsSpread,
  fitsPodAffinity,
]

function fitsVolumes({ volumes, view }: CycleState, { node }: NodeInfo): Refusal | null {
  const { reasons } = volumesOn(volumes, node, view.volumes)
  if (reasons.length > 0) return { plugin: 'VolumeBinding', reasons, unresolvable: true }
  return zoneConflict(volumes.bound, node) ? refuse('VolumeZone', 'node(s) had no available volume zone', true) : null
}

/** NodeResourcesFit: every resource that is short is named. */
function fitsResources({ requests, view }: CycleState, { pods, allocatable, requested }: NodeInfo): Refusal | null {
  const reasons: string[] = []
  let unresolvable = false
  if (pods.size + 1 > (allocatable.get('pods') ?? 0)) reasons.push('Too many pods')
  for (const [name, amount] of requests) {
    if (amount === 0) continue
    const capacity = allocatable.get(name) ?? 0
    if (amount <= capacity - (requested.get(name) ?? 0)) continue
    reasons.push(`Insufficient ${name}`)
    if (amount > capacity && view.minor >= 26) unresolvable = true
  }
  return reasons.length === 0 ? null : { plugin: 'NodeResourcesFit', reasons, unresolvable }
}

function fitsSpread({ pod, spread }: CycleState, { node }: NodeInfo): Refusal | null {
  for (const { topologyKey, maxSkew, hard, selector, counts } of spread) {
    if (!hard) continue
    const value = node.metadata.labels?.[topologyKey]
    if (value === undefined) return refuse('PodTopologySpread', "node(s) didn't match pod topology spread constraints (missing required label)", true)
    const self = matchesLabelSelector(selector, pod.metadata.labels ?? {}) ? 1 : 0
    const least = Math.min(...counts.values())
    if ((counts.get(value) ?? 0) + self - least > maxSkew) return refuse('PodTopologySpread', "node(s) didn't match pod topology spread constraints", false)
  }
  return null
}

function fitsPodAffinity(state: CycleState, { node }: NodeInfo): Refusal | null {
  const { affinity, antiAffinity, affinityValues, antiAffinityValues, repelled, view } = state
  // Until 1.21 the rules are named twice: as a whole and one by one.
  const refuseRules = (reason: string, unresolvable: boolean): Refusal => ({
    plugin: 'InterPodAffinity',
    reasons: view.minor < 22 ? ["node(s) didn't match pod affinity/anti-affinity", reason] : [reason],
    unresolvable,
  })
  const labels = node.metadata.labels ?? {}
  for (const [index, { topologyKey }] of affinity.required.entries()) {
    const value = labels[topologyKey]
    const values = affinityValues[index]
    if (value === undefined || (values !== null && values?.has(value) !== true)) return refuseRules("node(s) didn't match pod affinity rules", true)
  }
  for (const [index, { topologyKey }] of antiAffinity.required.entries()) {
    const value = labels[topologyKey]
    if (value !== undefined && antiAffinityValues[index]?.has(value) === true) return refuseRules("node(s) didn't match pod anti-affinity rules", false)
  }
  if (repelled.size > 0 && Object.entries(labels).some(([key, value]) => repelled.has(`${key}=${value}`)))
    return refuseRules("node(s) didn't satisfy existing pods anti-affinity rules", false)
  return null
}

/** The first plugin that refuses the node, null when the pod may go there. */
export function filterNode(state: CycleState, info: NodeInfo): Refusal | null {
  // PreFilter: what holds for all nodes comes before what one of them lacks.
  if (state.volumes.problem !== null) return refuse('VolumeBinding', state.volumes.problem, true)
  for (const filter of FILTERS) {
    const refusal = filter(state, info)
    if (refusal !== null) return refusal
  }
  return null
}

/** Upstream's FailedScheduling text: `0/3 nodes are available: 1 Insufficient cpu, 2 …`. */
export function fitErrorMessage(nodeCount: number, refusals: Iterable<Refusal>, state: CycleState): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods'
  // Later releases tell what holds for the pod as a whole once, not per node.
  if (state.volumes.problem !== null && state.view.minor >= 22) return `0/${String(nodeCount)} nodes are available: ${state.volumes.problem}.`
  const counts = new Map<string, number>()
  for (const { reasons } of refusals) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const texts = [...counts].map(([reason, count]) => `${String(count)} ${reason}`).sort()
  return `0/${String(nodeCount)} nodes are available: ${texts.join(', ')}.`
}
