import { isObject, objectAt } from '../../kubernetes/json.ts'
import { nodePreference } from './affinity.ts'
import { askedOnce, type CycleState } from './filters.ts'
import type { NodeInfo } from './nodeInfo.ts'
import { nonZeroRequests, objectsAt, specOf, textAt } from './pod.ts'
import type { Points } from './points.ts'
import { softConstraints, spreadPoints } from './spread.ts'
import { tolerates } from './taints.ts'

/** A node's points, 0 to 100 per plugin before weights. */
export interface NodeScore {
  readonly info: NodeInfo
  readonly total: number
  readonly byPlugin: Readonly<Record<string, number>>
}

interface ScorePlugin {
  name: string
  /** In the default profile of a release. */
  weight(minor: number): number
  /** Points of each node, normalized. */
  points(state: CycleState, feasible: readonly NodeInfo[]): Points
}

const MIB = 1024 * 1024
/** Weights of what users ask for were raised when the configuration API became v1beta3. */
const since23 = (before: number, after: number) => (minor: number) => (minor >= 23 ? after : before)

/** Free share of cpu and memory, each rounded down, then their mean rounded down. */
function leastAllocated(state: CycleState, feasible: readonly NodeInfo[]): number[] {
  const own = nonZeroRequests(state.pod)
  const free = (used: number, capacity: number): number => (capacity === 0 || used > capacity ? 0 : Math.trunc(((capacity - used) * 100) / capacity))
  return feasible.map(({ nonZeroCpu, nonZeroMemory, basic }) => {
    const cpu = free(nonZeroCpu + own.cpu, basic.cpu)
    return Math.trunc((cpu + free(nonZeroMemory + own.memory, basic.memory)) / 2)
  })
}

/** How alike the used shares of cpu and memory are. From 1.22 the standard deviation counts, until then their difference. */
function balancedAllocation(state: CycleState, feasible: readonly NodeInfo[]): number[] {
  const own = nonZeroRequests(state.pod)
  const share = (used: number, capacity: number): number => (capacity === 0 ? 1 : used / capacity)
  return feasible.map(({ nonZeroCpu, nonZeroMemory, basic }) => {
    const cpu = share(nonZeroCpu + own.cpu, basic.cpu)
    const memory = share(nonZeroMemory + own.memory, basic.memory)
    if (state.view.minor < 22) return cpu >= 1 || memory >= 1 ? 0 : Math.trunc((1 - Math.abs(cpu - memory)) * 100)
    return Math.trunc((1 - Math.abs((Math.min(1, cpu) - Math.min(1, memory)) / 2)) * 100)
  })
}

/** Shares of the highest; reversed, what is left of it. */
function byHighest(raw: readonly number[], { reverse }: { reverse: boolean }): number[] {
  const most = Math.max(0, ...raw)
  if (most === 0) return raw.map(() => (reverse ? 100 : 0))
  return raw.map((each) => (reverse ? 100 - Math.trunc((100 * each) / most) : Math.trunc((100 * each) / most)))
}

const imageName = (name: string): string => (name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name)

/** Images of the pod that a node has, by size and by how many nodes have them. */
function imageLocality({ pod, nodes, view }: CycleState, feasible: readonly NodeInfo[]): Points {
  const wanted = objectsAt(specOf(pod)['containers']).map((container) => imageName(textAt(container['image'])))
  const having = wanted.map((image) => {
    if (view.nodesWithImage !== undefined) return view.nodesWithImage(image)
    let count = 0
    for (const { images } of nodes) if (images.size > 0 && images.has(image)) count++
    return count
  })
  if (having.every((count) => count === 0)) return 0
  const [least, most] = [23 * MIB, 1000 * MIB * wanted.length]
  return feasible.map((info) => {
    const sum = wanted.reduce((total, image, index) => total + Math.trunc((info.images.get(image) ?? 0) * ((having[index] ?? 0) / nodes.length)), 0)
    return Math.trunc((100 * (Math.min(Math.max(sum, least), most) - least)) / (most - least))
  })
}

/** What a node's annotation says it would rather not have: pods of named controllers (until 1.22). */
function preferAvoidPods({ pod }: CycleState, feasible: readonly NodeInfo[]): Points {
  const owner = pod.metadata.ownerReferences?.find((each) => each.controller === true)
  if (owner?.kind !== 'ReplicaSet' && owner?.kind !== 'ReplicationController') return 100
  return feasible.map(({ node }) => {
    const text = node.metadata.annotations?.['scheduler.alpha.kubernetes.io/preferAvoidPods']
    if (text === undefined) return 100
    try {
      const avoided = objectsAt(objectAt(JSON.parse(text) as unknown)['preferAvoidPods'])
      return avoided.some((each) => objectAt(objectAt(each['podSignature'])['podController'])['uid'] === owner.uid) ? 0 : 100
    } catch (error) {
      // Upstream takes an annotation that cannot be read as none.
      if (error instanceof SyntaxError) return 100
      throw error
    }
  })
}

/** Preferences of the pod for where others run, and of those that run for this one; what one requires of it counts 1. */
function interPodAffinity(state: CycleState, feasible: readonly NodeInfo[]): Points {
  const { pod, nodes, ruled, affinity, antiAffinity, view } = state
  const sums = new Map<string, Map<string, number>>()
  const add = (info: NodeInfo, topologyKey: string, amount: number): void => {
    const value = info.labels[topologyKey]
    if (value === undefined || amount === 0) return
    const values = sums.get(topologyKey) ?? new Map<string, number>()
    sums.set(topologyKey, values)
    values.set(value, (values.get(value) ?? 0) + amount)
  }
  const matches = askedOnce(pod)
  if (affinity.preferred.length + antiAffinity.preferred.length > 0)
    for (const info of nodes) {
      if (info.pods.size === 0) continue
      for (const term of affinity.preferred) add(info, term.topologyKey, term.weight * info.count(term.key, (other) => term.matches(other)))
      for (const term of antiAffinity.preferred) add(info, term.topologyKey, -term.weight * info.count(term.key, (other) => term.matches(other)))
    }
  for (const info of ruled) for (const { term, points } of info.rules(view.terms).prefers) if (matches(term)) add(info, term.topologyKey, points)
  if (sums.size === 0) return 0
  const raw = feasible.map(({ labels }) => {
    let sum = 0
    for (const [key, values] of sums) sum += values.get(labels[key] ?? '') ?? 0
    return sum
  })
  const [least, most] = [Math.min(0, ...raw), Math.max(0, ...raw)]
  return raw.map((each) => (most > least ? Math.trunc(100 * ((each - least) / (most - least))) : 0))
}

/** The default profile. */
const PLUGINS: readonly ScorePlugin[] = [
  { name: 'NodeResourcesBalancedAllocation', weight: () => 1, points: balancedAllocation },
  { name: 'ImageLocality', weight: () => 1, points: imageLocality },
  { name: 'InterPodAffinity', weight: since23(1, 2), points: interPodAffinity },
  { name: 'NodeResourcesFit', weight: () => 1, points: leastAllocated },
  {
    name: 'NodeAffinity',
    weight: since23(1, 2),
    points: ({ pod }, feasible) =>
      isObject(objectAt(specOf(pod)['affinity'])['nodeAffinity'])
        ? byHighest(
            feasible.map(({ node }) => nodePreference(pod, node)),
            { reverse: false },
          )
        : 0,
  },
  { name: 'NodePreferAvoidPods', weight: since23(10_000, 0), points: preferAvoidPods },
  {
    name: 'PodTopologySpread',
    weight: () => 2,
    points: ({ pod, nodes, view }, feasible) =>
      spreadPoints(pod, feasible, {
        constraints: softConstraints(pod, view.workloads(pod.metadata.namespace ?? ''), view.minor),
        nodes,
        requireAll: view.minor < 22 || objectsAt(specOf(pod)['topologySpreadConstraints']).length > 0,
      }),
  },
  {
    name: 'TaintToleration',
    weight: since23(1, 3),
    points: ({ tolerations }, feasible) => {
      if (feasible.every(({ taints }) => taints.length === 0)) return 100
      const soft = tolerations.filter(({ effect }) => effect === '' || effect === 'PreferNoSchedule')
      const counts = feasible.map(
        ({ taints }) => taints.filter((taint) => taint.effect === 'PreferNoSchedule' && !soft.some((each) => tolerates(each, taint))).length,
      )
      return byHighest(counts, { reverse: true })
    },
  },
]

/** What the plugins think of nodes that passed the filters. */
export class Scores {
  readonly #feasible: readonly NodeInfo[]
  readonly #plugins: { name: string; points: Points }[] = []
  readonly #totals: Float64Array
  #ranked: NodeScore[] | null = null

  constructor(state: CycleState, feasible: readonly NodeInfo[]) {
    this.#feasible = feasible
    this.#totals = new Float64Array(feasible.length)
    for (const plugin of PLUGINS) {
      const weight = plugin.weight(state.view.minor)
      if (weight === 0) continue
      // The plugin was named so before it took over the strategy of fitting.
      const name = plugin.name === 'NodeResourcesFit' && state.view.minor < 22 ? 'NodeResourcesLeastAllocated' : plugin.name
      const points = plugin.points(state, feasible)
      this.#plugins.push({ name, points })
      const totals = this.#totals
      for (let index = 0; index < totals.length; index++)
        totals[index] = (totals[index] ?? 0) + weight * (typeof points === 'number' ? points : (points[index] ?? 0))
    }
  }

  /** Those with the most points, in the order in which they were given. */
  best(): NodeInfo[] {
    let most = Number.NEGATIVE_INFINITY
    for (const total of this.#totals) if (total > most) most = total
    return this.#feasible.filter((_, index) => this.#totals[index] === most)
  }

  /** All, best first; equal ones keep their order. Put together when somebody reads it. */
  get ranked(): NodeScore[] {
    this.#ranked ??= this.#feasible.map((info, index) => this.#scoreOf(info, index)).sort((a, b) => b.total - a.total)
    return this.#ranked
  }

  #scoreOf(info: NodeInfo, index: number): NodeScore {
    const byPlugin = Object.fromEntries(this.#plugins.map(({ name, points }) => [name, typeof points === 'number' ? points : (points[index] ?? 0)]))
    return { info, total: this.#totals[index] ?? 0, byPlugin }
  }
}

/** Scores nodes that passed the filters, best first; equal ones keep their order. */
export function scoreNodes(state: CycleState, feasible: readonly NodeInfo[]): NodeScore[] {
  return new Scores(state, feasible).ranked
}
