import type { KubeObject } from '../../kubernetes/object.ts'
import { nodeSelection, type AffinityTerms, type NamespaceLabels, type PodAffinity, type PodTerm } from './affinity.ts'
import type { NodeInfo } from './nodeInfo.ts'
import { hostPorts, podRequests, specOf, textAt, type HostPort, type Resources } from './pod.ts'
import { hardSpread, type SpreadCounts, type Workloads } from './spread.ts'
import { tolerationsOf, untolerated, type Toleration } from './taints.ts'
import { podVolumes, volumesOn, zoneConflict, type PodVolumes, type VolumeView } from './volumes.ts'

/** A plugin's refusal of a node, in upstream's words. `unresolvable`: no other pod's leaving would help. */
export interface Refusal {
  plugin: string
  reasons: string[]
  unresolvable: boolean
}

/** What is the same for every node while one pod is looked at. */
export interface CycleState {
  pod: KubeObject
  requests: Resources
  /** Those of every pod, as plain numbers. */
  basic: { cpu: number; memory: number; storage: number }
  /** Names of requested resources that are looked at beside cpu, memory and storage; null when the pod asks for nothing at all. */
  scalars: readonly string[] | null
  /** Of nodes by their labels and names; null when every one will do. */
  selects: ((node: KubeObject) => boolean) | null
  tolerations: Toleration[]
  ports: HostPort[]
  affinity: PodAffinity
  antiAffinity: PodAffinity
  /** Per required affinity term: topology values where a match runs; null where none runs anywhere and the pod matches itself. */
  affinityValues: (Set<string> | null)[]
  antiAffinityValues: Set<string>[]
  /** Topology key to the values that a running pod's own anti-affinity keeps this pod from. */
  repelled: Map<string, Set<string>>
  spread: SpreadCounts[]
  volumes: PodVolumes
  view: SchedulingView
  /** All nodes, also those that do not fit: topologies are counted over them. */
  nodes: readonly NodeInfo[]
  /** Nodes with pods that have rules about other pods. */
  ruled: readonly NodeInfo[]
  /** Those that have something to ask of a node for this pod, in upstream's order. */
  filters: readonly Filter[]
}

/** What scheduling looks at beside nodes and pods. */
export interface SchedulingView {
  namespaceLabels: NamespaceLabels
  terms: AffinityTerms
  volumes: VolumeView
  /** The objects of a namespace by which workloads spread. */
  workloads(namespace: string): Workloads
  /** On how many nodes an image is; without it all nodes are asked for each pod. */
  nodesWithImage?(image: string): number
  /** The minor release whose words are used. */
  minor: number
}

/** Looks over all nodes once for a pod. */
export function prepareCycle(pod: KubeObject, nodes: readonly NodeInfo[], view: SchedulingView): CycleState {
  const requests = podRequests(pod)
  const ruled = nodes.filter(({ podsWithAffinity }) => podsWithAffinity.size > 0)
  const { affinity, antiAffinity } = view.terms.of(pod)
  const valuesOf = (topologyKey: string, key: string | null, matches: (other: KubeObject) => boolean): Set<string> => {
    const values = new Set<string>()
    for (const info of nodes) {
      if (info.pods.size === 0) continue
      const value = info.labels[topologyKey]
      if (value !== undefined && !values.has(value) && info.count(key, matches) > 0) values.add(value)
    }
    return values
  }
  // A pod counts for an affinity when it matches all of its terms.
  const matchesAll = (other: KubeObject): boolean => affinity.required.every((term) => term.matches(other))
  const keys = affinity.required.map(({ key }) => key)
  const together = affinity.required.map((term) => valuesOf(term.topologyKey, keys.includes(null) ? null : `all ${keys.join()}`, matchesAll))
  // The first pod of a group that wants to be together may go anywhere.
  const isFirst = together.every((values) => values.size === 0) && matchesAll(pod)
  const state: Omit<CycleState, 'filters'> = {
    pod,
    requests,
    basic: { cpu: requests.get('cpu') ?? 0, memory: requests.get('memory') ?? 0, storage: requests.get('ephemeral-storage') ?? 0 },
    scalars: scalarsOf(requests),
    selects: nodeSelection(pod),
    tolerations: tolerationsOf(pod),
    ports: hostPorts(pod),
    affinity,
    antiAffinity,
    affinityValues: together.map((values) => (isFirst ? null : values)),
    antiAffinityValues: antiAffinity.required.map((term) => valuesOf(term.topologyKey, term.key, (other) => term.matches(other))),
    repelled: repelledTopologies(pod, ruled, view.terms),
    spread: hardSpread(pod, nodes),
    volumes: podVolumes(pod, view.volumes),
    view,
    nodes,
    ruled,
  }
  return { ...state, filters: FILTERS.filter(({ isAsked }) => isAsked(state)).map(({ filter }) => filter) }
}

/** Asks each term about the pod once: replicas have the same. */
export function askedOnce(pod: KubeObject): (term: PodTerm) => boolean {
  const known = new Map<PodTerm, boolean>()
  return (term) => {
    let answer = known.get(term)
    if (answer === undefined) known.set(term, (answer = term.matches(pod)))
    return answer
  }
}

function repelledTopologies(pod: KubeObject, ruled: readonly NodeInfo[], terms: AffinityTerms): Map<string, Set<string>> {
  const repelled = new Map<string, Set<string>>()
  const matches = askedOnce(pod)
  for (const info of ruled)
    for (const term of info.rules(terms).repels) {
      const value = info.labels[term.topologyKey]
      if (value === undefined || !matches(term)) continue
      const values = repelled.get(term.topologyKey)
      if (values === undefined) repelled.set(term.topologyKey, new Set([value]))
      else values.add(value)
    }
  return repelled
}

/** Why a node will not do for the pod; null when it will. */
export type Filter = (state: CycleState, info: NodeInfo) => Refusal | null

const refuse = (plugin: string, reason: string, unresolvable: boolean): Refusal => ({ plugin, reasons: [reason], unresolvable })

interface FilterPlugin {
  filter: Filter
  /** False when every node passes, whatever it is like. */
  isAsked(state: Omit<CycleState, 'filters'>): boolean
}

const always = (): boolean => true

const FILTERS: readonly FilterPlugin[] = [
  {
    isAsked: always,
    filter: ({ tolerations }, { unschedulable }) => {
      if (!unschedulable) return null
      const taint = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' }
      return untolerated([taint], tolerations, ['NoSchedule']) === null ? null : refuse('NodeUnschedulable', 'node(s) were unschedulable', true)
    },
  },
  {
    isAsked: ({ pod }) => textAt(specOf(pod)['nodeName']) !== '',
    filter: ({ pod, view }, { name }) => {
      const what = view.minor >= 23 ? 'node name' : 'hostname'
      return textAt(specOf(pod)['nodeName']) === name ? null : refuse('NodeName', `node(s) didn't match the requested ${what}`, true)
    },
  },
  {
    isAsked: always,
    filter: ({ tolerations, view }, { taints }) => {
      if (taints.length === 0) return null
      const taint = untolerated(taints, tolerations, ['NoSchedule', 'NoExecute'])
      if (taint === null) return null
      const text = `{${taint.key}: ${taint.value}}`
      return refuse(
        'TaintToleration',
        view.minor >= 24 ? `node(s) had untolerated taint ${text}` : `node(s) had taint ${text}, that the pod didn't tolerate`,
        true,
      )
    },
  },
  {
    isAsked: ({ selects }) => selects !== null,
    filter: ({ selects, view }, { node }) =>
      selects === null || selects(node) ? null : refuse('NodeAffinity', `node(s) didn't match Pod's node affinity${view.minor >= 21 ? '/selector' : ''}`, true),
  },
  { isAsked: ({ ports }) => ports.length > 0, filter: hasFreePorts },
  { isAsked: always, filter: fitsResources },
  { isAsked: ({ volumes }) => volumes.bound.length > 0 || volumes.delayed.length > 0, filter: fitsVolumes },
  { isAsked: ({ spread }) => spread.length > 0, filter: fitsSpread },
  {
    isAsked: ({ affinity, antiAffinity, repelled }) => affinity.required.length > 0 || antiAffinity.required.length > 0 || repelled.size > 0,
    filter: fitsPodAffinity,
  },
]

function hasFreePorts({ ports }: CycleState, info: NodeInfo): Refusal | null {
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
}

function fitsVolumes({ volumes, view }: CycleState, { node }: NodeInfo): Refusal | null {
  const { reasons } = volumesOn(volumes, node, view.volumes)
  if (reasons.length > 0) return { plugin: 'VolumeBinding', reasons, unresolvable: true }
  return zoneConflict(volumes.bound, node) ? refuse('VolumeZone', 'node(s) had no available volume zone', true) : null
}

/** Until 1.26 a pod that asks for something at all must not find any of these overcommitted, asked for or not. */
const BASIC = ['cpu', 'memory', 'ephemeral-storage']
/** Of other names only extended resources (in a domain of their own), huge pages and volumes that attach are looked at. */
const isScalar = (name: string): boolean => name.startsWith('hugepages-') || name.startsWith('attachable-volumes-') || name.includes('/')

function scalarsOf(requests: Resources): string[] | null {
  const scalars = [...requests.keys()].filter(isScalar)
  return scalars.length === 0 && BASIC.every((name) => (requests.get(name) ?? 0) === 0) ? null : scalars
}

/** NodeResourcesFit: every resource that is short is named. */
function fitsResources({ requests, basic, scalars, view }: CycleState, info: NodeInfo): Refusal | null {
  const { pods, allocatable, requested } = info
  const { pods: most, freeCpu, freeMemory, freeStorage } = info.basic
  const hasRoom = basic.cpu <= freeCpu && basic.memory <= freeMemory && basic.storage <= freeStorage
  if (pods.size < most && (scalars === null || (scalars.length === 0 && hasRoom))) return null
  let refusal: Refusal | null = null
  const lacks = (reason: string): Refusal => {
    refusal ??= { plugin: 'NodeResourcesFit', reasons: [], unresolvable: false }
    refusal.reasons.push(reason)
    return refusal
  }
  if (pods.size + 1 > most) lacks('Too many pods')
  if (scalars === null) return refusal
  for (const names of [BASIC, scalars])
    for (const name of names) {
      const amount = requests.get(name) ?? 0
      if (amount === 0 && view.minor >= 27) continue
      const capacity = allocatable.get(name) ?? 0
      if (amount <= capacity - (requested.get(name) ?? 0)) continue
      const told = lacks(`Insufficient ${name}`)
      if (amount > capacity && view.minor >= 26) told.unresolvable = true
    }
  return refusal
}

function fitsSpread({ spread }: CycleState, { labels }: NodeInfo): Refusal | null {
  for (const { topologyKey, maxSkew, counts, least, self } of spread) {
    const value = labels[topologyKey]
    if (value === undefined) return refuse('PodTopologySpread', "node(s) didn't match pod topology spread constraints (missing required label)", true)
    if ((counts.get(value) ?? 0) + self - least > maxSkew) return refuse('PodTopologySpread', "node(s) didn't match pod topology spread constraints", false)
  }
  return null
}

function fitsPodAffinity(state: CycleState, { labels }: NodeInfo): Refusal | null {
  const { affinity, antiAffinity, affinityValues, antiAffinityValues, repelled, view } = state
  // Until 1.21 the rules are named twice: as a whole and one by one.
  const refuseRules = (reason: string, unresolvable: boolean): Refusal => ({
    plugin: 'InterPodAffinity',
    reasons: view.minor < 22 ? ["node(s) didn't match pod affinity/anti-affinity", reason] : [reason],
    unresolvable,
  })
  for (const [index, { topologyKey }] of affinity.required.entries()) {
    const value = labels[topologyKey]
    const values = affinityValues[index]
    if (value === undefined || (values !== null && values?.has(value) !== true)) return refuseRules("node(s) didn't match pod affinity rules", true)
  }
  for (const [index, { topologyKey }] of antiAffinity.required.entries()) {
    const value = labels[topologyKey]
    if (value !== undefined && antiAffinityValues[index]?.has(value) === true) return refuseRules("node(s) didn't match pod anti-affinity rules", false)
  }
  for (const [key, values] of repelled) {
    const value = labels[key]
    if (value !== undefined && values.has(value)) return refuseRules("node(s) didn't satisfy existing pods anti-affinity rules", false)
  }
  return null
}

/** The first plugin that refuses the node, null when the pod may go there. */
export function filterNode(state: CycleState, info: NodeInfo): Refusal | null {
  // PreFilter: what holds for all nodes comes before what one of them lacks.
  if (state.volumes.problem !== null) return refuse('VolumeBinding', state.volumes.problem, true)
  for (const filter of state.filters) {
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
