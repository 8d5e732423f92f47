import { deepEqual, isObject, objectAt } from '../../kubernetes/json.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import type { AffinityTerms, PodTerm } from './affinity.ts'
import { addResources, hostPorts, nonZeroRequests, objectsAt, podRequests, resourcesOf, specOf, type HostPort, type Resources } from './pod.ts'
import { taintsOf, type Taint } from './taints.ts'

const keyOf = ({ metadata }: KubeObject): string => metadata.uid ?? `${metadata.namespace ?? ''}/${metadata.name ?? ''}`

/** Counts kept per node; more than this are of workloads that were looked at long ago. */
const MAX_COUNTS = 256

const hasPodAffinity = (pod: KubeObject): boolean => {
  const { affinity } = specOf(pod)
  return isObject(affinity) && (isObject(affinity['podAffinity']) || isObject(affinity['podAntiAffinity']))
}

/** Whether a pod that has changed counts as it did before: then it was most likely told how its containers are. */
const countsAlike = (known: KubeObject, pod: KubeObject): boolean =>
  known.metadata.namespace === pod.metadata.namespace &&
  known.metadata.deletionTimestamp === pod.metadata.deletionTimestamp &&
  deepEqual(known.metadata.labels, pod.metadata.labels) &&
  deepEqual(known['spec'], pod['spec'])

function imagesOf(node: KubeObject): Map<string, number> {
  const images = new Map<string, number>()
  for (const { names, sizeBytes } of objectsAt(objectAt(node['status'])['images']))
    if (Array.isArray(names)) for (const name of names) images.set(String(name), Number(sizeBytes ?? 0))
  return images
}

interface Count {
  matches: (pod: KubeObject) => boolean
  count: number
}

/** What the pods of a node ask of others, each rule once. */
export interface NodeRules {
  /** Required anti-affinity: whom they keep away. */
  repels: readonly PodTerm[]
  /** What they would rather have beside them: points of a match, times the pods that ask so; a required affinity counts 1. */
  prefers: readonly { term: PodTerm; points: number }[]
}

const NO_RULES: NodeRules = { repels: [], prefers: [] }

/** A node with what runs on it, in numbers that scheduling compares; kept up with each pod that comes and goes. */
export class NodeInfo {
  readonly name: string
  node: KubeObject
  labels: Readonly<Record<string, string>>
  unschedulable: boolean
  allocatable: Resources
  /** What every pod is asked about, as plain numbers: allocatable, and what is left of it. */
  readonly basic = { pods: 0, cpu: 0, memory: 0, freeCpu: 0, freeMemory: 0, freeStorage: 0 }
  taints: Taint[]
  /** Names of images that are there, with their bytes. */
  images: ReadonlyMap<string, number>
  readonly pods = new Map<string, KubeObject>()
  /** Those with rules about other pods. */
  readonly podsWithAffinity = new Map<string, KubeObject>()
  readonly requested: Resources = new Map()
  nonZeroCpu = 0
  nonZeroMemory = 0
  readonly #ports = new Map<string, HostPort[]>()
  readonly #counts = new Map<string, Count>()
  #rules: { terms: AffinityTerms; rules: NodeRules } | null = null

  constructor(node: KubeObject) {
    this.name = node.metadata.name ?? ''
    this.node = node
    this.labels = node.metadata.labels ?? {}
    this.unschedulable = specOf(node)['unschedulable'] === true
    this.allocatable = resourcesOf(objectAt(node['status'])['allocatable'])
    this.taints = taintsOf(node)
    this.images = imagesOf(node)
    this.#count()
  }

  update(node: KubeObject): void {
    const [before, now] = [objectAt(this.node['status']), objectAt(node['status'])]
    this.node = node
    this.labels = node.metadata.labels ?? {}
    this.unschedulable = specOf(node)['unschedulable'] === true
    this.allocatable = resourcesOf(now['allocatable'])
    this.#count()
    this.taints = taintsOf(node)
    // The longest part of a node that changes the least.
    if (!deepEqual(before['images'], now['images'])) this.images = imagesOf(node)
  }

  add(pod: KubeObject): void {
    const key = keyOf(pod)
    const known = this.pods.get(key)
    if (known !== undefined && countsAlike(known, pod)) {
      this.pods.delete(key)
      this.pods.set(key, pod)
      if (this.podsWithAffinity.delete(key)) this.podsWithAffinity.set(key, pod)
      return
    }
    this.remove(pod)
    this.pods.set(key, pod)
    if (hasPodAffinity(pod)) {
      this.podsWithAffinity.set(key, pod)
      this.#rules = null
    }
    const ports = hostPorts(pod)
    if (ports.length > 0) this.#ports.set(key, ports)
    this.#tally(pod, 1)
  }

  remove(pod: KubeObject): void {
    const key = keyOf(pod)
    const known = this.pods.get(key)
    if (known === undefined) return
    this.pods.delete(key)
    if (this.podsWithAffinity.delete(key)) this.#rules = null
    this.#ports.delete(key)
    this.#tally(known, -1)
  }

  /** What the pods here ask of others; put together anew after one with rules has come or gone. */
  rules(terms: AffinityTerms): NodeRules {
    if (this.podsWithAffinity.size === 0) return NO_RULES
    if (this.#rules?.terms !== terms) this.#rules = { terms, rules: rulesOf(this.podsWithAffinity.values(), terms) }
    return this.#rules.rules
  }

  usedPorts(): HostPort[] {
    return [...this.#ports.values()].flat()
  }

  /**
   * How many pods here match.
   *
   * @param key equal for equal questions, whose answer is then kept; null counts anew
   */
  count(key: string | null, matches: (pod: KubeObject) => boolean): number {
    const known = key === null ? undefined : this.#counts.get(key)
    if (known !== undefined) return known.count
    let count = 0
    for (const pod of this.pods.values()) if (matches(pod)) count++
    if (key !== null) {
      if (this.#counts.size >= MAX_COUNTS) this.#counts.clear()
      this.#counts.set(key, { matches, count })
    }
    return count
  }

  /** A copy without some pods and with others, for asking what would fit then. */
  changed({ without = [], with: more = [] }: { without?: Iterable<KubeObject>; with?: Iterable<KubeObject> }): NodeInfo {
    const copy = new NodeInfo(this.node)
    for (const pod of this.pods.values()) copy.add(pod)
    for (const pod of without) copy.remove(pod)
    for (const pod of more) copy.add(pod)
    return copy
  }

  #count(): void {
    const { allocatable, requested } = this
    const of = (resources: Resources, name: string): number => resources.get(name) ?? 0
    const free = (name: string): number => of(allocatable, name) - of(requested, name)
    const { basic } = this
    basic.pods = of(allocatable, 'pods')
    basic.cpu = of(allocatable, 'cpu')
    basic.memory = of(allocatable, 'memory')
    basic.freeCpu = free('cpu')
    basic.freeMemory = free('memory')
    basic.freeStorage = free('ephemeral-storage')
  }

  #tally(pod: KubeObject, sign: 1 | -1): void {
    addResources(this.requested, podRequests(pod), sign)
    this.#count()
    const { cpu, memory } = nonZeroRequests(pod)
    this.nonZeroCpu += sign * cpu
    this.nonZeroMemory += sign * memory
    for (const each of this.#counts.values()) if (each.matches(pod)) each.count += sign
  }
}

function rulesOf(pods: Iterable<KubeObject>, terms: AffinityTerms): NodeRules {
  const repels = new Set<PodTerm>()
  const prefers = new Map<PodTerm, number>()
  const add = (term: PodTerm, points: number): void => {
    prefers.set(term, (prefers.get(term) ?? 0) + points)
  }
  for (const pod of pods) {
    const { affinity, antiAffinity } = terms.of(pod)
    for (const term of antiAffinity.required) repels.add(term)
    for (const term of affinity.required) add(term, 1)
    for (const term of affinity.preferred) add(term, term.weight)
    for (const term of antiAffinity.preferred) add(term, -term.weight)
  }
  return { repels: [...repels], prefers: [...prefers].map(([term, points]) => ({ term, points })) }
}
