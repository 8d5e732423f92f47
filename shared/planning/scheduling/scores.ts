import type { NodeInfo } from './nodeInfo.ts'
import { nodePreference } from './affinity.ts'
import type { CycleState } from './filters.ts'
import { nonZeroRequests } from './pod.ts'
import { tolerates } from './taints.ts'

/** A node's points, 0 to 100 per plugin before weights. */
export interface NodeScore {
  info: NodeInfo
  total: number
  byPlugin: Record<string, number>
}

interface ScorePlugin {
  name: string
  weight: number
  score(state: CycleState, info: NodeInfo): number
  /** How raw scores become 0 to 100; absent = they are already. */
  normalize?: 'highest' | 'lowest'
}

const fraction = (used: number, capacity: number): number => (capacity <= 0 ? 1 : Math.min(1, used / capacity))

function usage({ requests }: CycleState, info: NodeInfo): { cpu: number; memory: number } {
  const own = nonZeroRequests(requests)
  return {
    cpu: fraction(info.nonZeroCpu + own.cpu, info.allocatable.get('cpu') ?? 0),
    memory: fraction(info.nonZeroMemory + own.memory, info.allocatable.get('memory') ?? 0),
  }
}

/** Default plugins and weights of upstream's default profile, as far as they are built. */
const PLUGINS: readonly ScorePlugin[] = [
  {
    name: 'NodeResourcesFit',
    weight: 1,
    score: (state, info) => {
      const { cpu, memory } = usage(state, info)
      return Math.floor((1 - cpu) * 50 + (1 - memory) * 50)
    },
  },
  {
    name: 'NodeResourcesBalancedAllocation',
    weight: 1,
    score: (state, info) => {
      const { cpu, memory } = usage(state, info)
      return Math.floor((1 - Math.abs(cpu - memory) / 2) * 100)
    },
  },
  { name: 'NodeAffinity', weight: 2, normalize: 'highest', score: ({ pod }, { node }) => nodePreference(pod, node) },
  {
    name: 'TaintToleration',
    weight: 3,
    normalize: 'lowest',
    score: ({ tolerations }, { taints }) =>
      taints.filter((taint) => taint.effect === 'PreferNoSchedule' && !tolerations.some((each) => tolerates(each, taint))).length,
  },
  {
    name: 'PodTopologySpread',
    weight: 2,
    normalize: 'lowest',
    score: ({ spread }, { node }) =>
      spread.reduce((sum, { hard, topologyKey, counts }) => sum + (hard ? 0 : (counts.get(node.metadata.labels?.[topologyKey] ?? '') ?? 0)), 0),
  },
  {
    name: 'InterPodAffinity',
    weight: 2,
    normalize: 'highest',
    score: ({ affinity, antiAffinity }, info) => {
      if (affinity.preferred.length === 0 && antiAffinity.preferred.length === 0) return 0
      const pods = [...info.pods.values()]
      const sum = (terms: typeof affinity.preferred): number =>
        terms.reduce((total, term) => total + pods.filter((pod) => term.matches(pod)).length * term.weight, 0)
      return sum(affinity.preferred) - sum(antiAffinity.preferred)
    },
  },
  {
    // Stands for upstream's default spreading of a workload's pods over nodes.
    name: 'DefaultSpread',
    weight: 2,
    normalize: 'lowest',
    score: ({ pod, spread }, info) => {
      const owner = pod.metadata.ownerReferences?.find((each) => each.controller === true)?.uid
      if (owner === undefined || spread.length > 0) return 0
      return [...info.pods.values()].filter((other) => other.metadata.ownerReferences?.some(({ uid }) => uid === owner)).length
    },
  },
]

function normalized(raw: readonly number[], how: ScorePlugin['normalize']): number[] {
  if (how === undefined) return [...raw]
  const [least, most] = [Math.min(...raw), Math.max(...raw)]
  if (most === least) return raw.map(() => (how === 'lowest' ? 100 : 0))
  return raw.map((value) => Math.floor((100 * (how === 'lowest' ? most - value : value - least)) / (most - least)))
}

/** Scores nodes that passed the filters, best first; equal ones keep their order. */
export function scoreNodes(state: CycleState, nodes: readonly NodeInfo[]): NodeScore[] {
  const scores = nodes.map((info): NodeScore => ({ info, total: 0, byPlugin: {} }))
  for (const { name, weight, score, normalize } of PLUGINS) {
    const points = normalized(
      nodes.map((info) => score(state, info)),
      normalize,
    )
    for (const [index, node] of scores.entries()) {
      const value = points[index] ?? 0
      node.byPlugin[name] = value
      node.total += value * weight
    }
  }
  return scores.sort((a, b) => b.total - a.total)
}
