import type { KubeObject } from '../../kubernetes/object.ts'
import { filterNode, fitErrorMessage, type CycleState, type Refusal } from './filters.ts'
import type { NodeInfo } from './nodeInfo.ts'
import { Scores, type NodeScore } from './scores.ts'

/** What one attempt to place a pod came to. */
export interface SchedulingOutcome {
  /** Nodes that would do, best first. With one alone nothing is compared. */
  readonly scores: NodeScore[]
  /** Why the others would not. */
  refusals: Map<string, Refusal>
}

/** One node's part in a decision. */
export interface NodeVerdict {
  node: string
  /** Who refused it; null when it would do. */
  plugin: string | null
  /** In upstream's words. */
  reasons: string[]
  /** No other pod's leaving would help. */
  unresolvable: boolean
  /** Points by plugin before weights, 0 to 100; null for a node that was refused. */
  scores: Record<string, number> | null
  /** With weights. */
  total: number | null
}

/** The record of one attempt, for reading. */
export interface SchedulingDecision {
  namespace: string
  name: string
  uid: string
  /** RFC 3339. */
  at: string
  attempt: number
  /** Where it went; null when nowhere. */
  node: string | null
  /** Upstream's FailedScheduling text; empty when a node was found. */
  message: string
  /** Where pods of lower priority are asked to leave, and which. */
  preemption: { node: string; victims: string[] } | null
  nodeCount: number
  /** The search ends once enough nodes would do, so there may be fewer than nodes. */
  verdicts: NodeVerdict[]
}

/** What a search over the nodes came to. */
export interface NodeSearch extends SchedulingOutcome {
  /** How many nodes were looked at: the next search starts behind them. */
  looked: number
  /** How many of them would do. */
  feasibleCount: number
  /** Those with the most points. */
  best: NodeInfo[]
}

/** Fewest nodes to find before the search ends, and the least share of all (upstream's adaptive percentage). */
const MIN_FEASIBLE = 100
const MIN_PERCENTAGE = 5

/** How many nodes that would do are enough. */
export function feasibleEnough(nodeCount: number): number {
  if (nodeCount < MIN_FEASIBLE) return nodeCount
  const percentage = Math.max(MIN_PERCENTAGE, 50 - Math.trunc(nodeCount / 125))
  return Math.max(MIN_FEASIBLE, Math.trunc((nodeCount * percentage) / 100))
}

/**
 * Asks every filter about the nodes, from `start` on until enough would do, and scores those.
 *
 * @param verdict asked about one node; by default all filters
 */
export function findNodes(
  state: CycleState,
  infos: readonly NodeInfo[],
  {
    start = 0,
    enough = infos.length,
    verdict = (info) => filterNode(state, info),
  }: { start?: number; enough?: number; verdict?: (info: NodeInfo) => Refusal | null } = {},
): NodeSearch {
  const refusals = new Map<string, Refusal>()
  const feasible: NodeInfo[] = []
  let looked = 0
  for (; looked < infos.length && feasible.length < enough; looked++) {
    const info = infos[(start + looked) % infos.length]
    if (info === undefined) break
    const refusal = verdict(info)
    if (refusal === null) feasible.push(info)
    else refusals.set(info.name, refusal)
  }
  const feasibleCount = feasible.length
  if (feasibleCount <= 1) return { scores: feasible.map((info) => ({ info, total: 0, byPlugin: {} })), refusals, looked, best: feasible, feasibleCount }
  const compared = new Scores(state, feasible)
  return {
    get scores() {
      return compared.ranked
    },
    refusals,
    looked,
    best: compared.best(),
    feasibleCount,
  }
}

export function decisionOf(
  state: CycleState,
  { scores, refusals }: SchedulingOutcome,
  facts: Pick<SchedulingDecision, 'at' | 'attempt' | 'node' | 'preemption'>,
): SchedulingDecision {
  const { pod, nodes } = state
  return {
    ...identityOf(pod),
    ...facts,
    message: scores.length > 0 ? '' : fitErrorMessage(nodes.length, refusals.values(), state),
    nodeCount: nodes.length,
    verdicts: [
      ...scores.map(({ info, total, byPlugin }): NodeVerdict => ({ node: info.name, plugin: null, reasons: [], unresolvable: false, scores: byPlugin, total })),
      ...[...refusals].map(([node, { plugin, reasons, unresolvable }]): NodeVerdict => ({ node, plugin, reasons, unresolvable, scores: null, total: null })),
    ],
  }
}

const identityOf = ({ metadata }: KubeObject): { namespace: string; name: string; uid: string } => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name ?? '',
  uid: metadata.uid ?? '',
})
