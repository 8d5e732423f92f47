import type { KubeObject } from '../../kubernetes/object.ts'
import { AffinityTerms } from '../scheduling/affinity.ts'
import { filterNode, fitErrorMessage, prepareCycle, type Refusal, type SchedulingView } from '../scheduling/filters.ts'
import { NodeInfo } from '../scheduling/nodeInfo.ts'
import { isFinished, nodeNameOf, objectsAt, specOf } from '../scheduling/pod.ts'
import { scoreNodes } from '../scheduling/scores.ts'
import type { VolumeView } from '../scheduling/volumes.ts'
import { allowanceOf, budgetHealth, decideEviction, isPodReady } from './eviction.ts'
import { objectAt } from '../../kubernetes/json.ts'

/**
 * What a drain does with a pod:
 * - `stays`: of a DaemonSet, static, or left there by an override;
 * - `leaves`: it is ending already;
 * - `evicted`: the Eviction API grants it at once;
 * - `waits`: its budget is spent by pods that go before it, and grants it when these are ready elsewhere;
 * - `blocked`: nothing in sight makes the Eviction API grant it;
 * - `undecided`: the drain does not begin before the operator has said what becomes of it.
 */
export type PodVerdict = 'stays' | 'leaves' | 'evicted' | 'waits' | 'blocked' | 'undecided'

/** The operator's word on one pod. */
export interface PodOverride {
  namespace: string
  name: string
  action: 'evict' | 'leave'
  /** Why; it goes into the journal. */
  reason: string
}

export interface DrainOptions {
  /** Whether pods may lose what is in their emptyDir volumes. */
  deleteEmptyDirData: boolean
  overrides: readonly PodOverride[]
}

export interface PlannedPod {
  namespace: string
  name: string
  uid: string
  verdict: PodVerdict
  /** Why, and for pods that cannot go what would help. */
  reason: string
  /** The budgets that guard it and decide here. */
  budgets: string[]
  /** `Kind/name` of what makes it anew; '' when nothing does. */
  controller: string
  losesEmptyDir: boolean
  /** Where its replacement fits; '' when nowhere, or when there is none. */
  target: string
  /** The scheduler's words when it fits nowhere. */
  fitProblem: string
}

export interface PlannedNode {
  name: string
  /** Whether it is cordoned before the drain. */
  cordoned: boolean
  pods: PlannedPod[]
}

export interface DrainPlan {
  /** In the order of work. */
  nodes: PlannedNode[]
}

export interface DrainFacts {
  nodes: readonly KubeObject[]
  /** Every pod of the cluster. */
  pods: readonly KubeObject[]
  budgets: readonly KubeObject[]
  namespaceLabels: (namespace: string) => Record<string, string>
  volumes: VolumeView
  /** Of the API server. */
  minor: number
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`

/** The order of evictions on a node: what is not ready first, as its going costs a budget nothing for long; then by name. */
export function evictionOrder(a: KubeObject, b: KubeObject): number {
  return Number(isPodReady(a)) - Number(isPodReady(b)) || keyOf(a).localeCompare(keyOf(b))
}

function controllerOf(pod: KubeObject): { kind: string; name: string } | null {
  return pod.metadata.ownerReferences?.find(({ controller }) => controller === true) ?? null
}

const usesEmptyDir = (pod: KubeObject): boolean => objectsAt(specOf(pod)['volumes']).some((volume) => 'emptyDir' in volume)

/**
 * Foresees a drain of nodes, one after another. All of them are cordoned first, so that no pod goes to a node that is drained next.
 * @throws RangeError when a node is not there
 */
export function planDrain(facts: DrainFacts, names: readonly string[], options: DrainOptions): DrainPlan {
  const wanted = names.map((name) => facts.nodes.find(({ metadata }) => metadata.name === name) ?? missing(name))
  const foreseen = new Foresight(facts, new Set(names))
  const trouble = (node: KubeObject): number[] => {
    const pods = facts.pods.filter((pod) => nodeNameOf(pod) === node.metadata.name).map((pod) => lookAtPod(pod, facts, options))
    const count = (verdict: PodVerdict): number => pods.filter((pod) => pod.verdict === verdict).length
    return [count('blocked') + count('undecided'), pods.length]
  }
  // What is likely to go through comes first, so that a node that waits for an operator does not hold up the others.
  const ordered = wanted
    .map((node) => ({ node, trouble: trouble(node) }))
    .sort((a, b) => compareNumbers(a.trouble, b.trouble) || (a.node.metadata.name ?? '').localeCompare(b.node.metadata.name ?? ''))
  return { nodes: ordered.map(({ node }) => foreseen.drain(node, options)) }
}

function missing(name: string): never {
  throw new RangeError(`there is no node ${name}`)
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((value, at) => value !== b[at])
  return index < 0 ? 0 : (a[index] ?? 0) - (b[index] ?? 0)
}

/** A pod by itself, as the cluster is now; no later than that, so it never `waits`. */
export function lookAtPod(
  pod: KubeObject,
  { budgets, minor }: Pick<DrainFacts, 'budgets' | 'minor'>,
  { deleteEmptyDirData, overrides }: DrainOptions,
): PlannedPod {
  const owner = controllerOf(pod)
  const override = overrides.find(({ namespace, name }) => namespace === pod.metadata.namespace && name === pod.metadata.name)
  const planned = (verdict: PodVerdict, reason: string, guarding: readonly KubeObject[] = []): PlannedPod => ({
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name ?? '',
    uid: pod.metadata.uid ?? '',
    verdict,
    reason,
    budgets: guarding.map(({ metadata }) => metadata.name ?? ''),
    controller: owner === null ? '' : `${owner.kind}/${owner.name}`,
    losesEmptyDir: usesEmptyDir(pod) && !isFinished(pod),
    target: '',
    fitProblem: '',
  })
  if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined)
    return planned('stays', 'a static pod: the kubelet runs it from a file on the node')
  if (override?.action === 'leave') return planned('stays', `left there: ${override.reason}`)
  if (owner?.kind === 'DaemonSet' && !isFinished(pod)) return planned('stays', 'its DaemonSet wants it on this node')
  if (pod.metadata.deletionTimestamp !== undefined) return planned('leaves', 'it is ending already')
  const allowed = override?.action === 'evict' || isFinished(pod)
  if (owner === null && !allowed) return planned('undecided', 'nothing would bring it back: no controller owns it')
  if (usesEmptyDir(pod) && !deleteEmptyDirData && !allowed) return planned('undecided', 'its emptyDir data would be lost')
  const decision = decideEviction(pod, budgets, minor)
  if (decision.decision === 'impossible') return planned('blocked', `${decision.message} Take one of them away, or change its selector`, decision.budgets)
  if (decision.decision === 'refused') return planned('blocked', `${decision.message}${wayOut(decision.budget)}`, [decision.budget])
  const notes = [...(isFinished(pod) ? ['it has finished'] : []), ...(override === undefined ? [] : [`as decided: ${override.reason}`])]
  return planned('evicted', notes.join('; '), decision.spends === null ? [] : [decision.spends])
}

/** What an operator can do about a budget that grants nothing. */
function wayOut(budget: KubeObject): string {
  const { desired, current, expected } = budgetHealth(budget)
  if (expected > 0 && desired >= expected)
    return `. It wants all ${String(expected)} of them, so no eviction is ever granted: add a replica, or relax the budget`
  return current < desired ? `. Bring its pods back to health first` : ''
}

/** The cluster as it will be, while one node after another is drained. */
class Foresight {
  readonly #facts: DrainFacts
  readonly #infos: NodeInfo[]
  readonly #view: SchedulingView
  /** Budgets with what is left of their allowance. */
  readonly #budgets: Map<string, KubeObject>

  constructor(facts: DrainFacts, leaving: ReadonlySet<string>) {
    this.#facts = facts
    this.#view = {
      namespaceLabels: facts.namespaceLabels,
      terms: new AffinityTerms(facts.namespaceLabels),
      volumes: facts.volumes,
      // A plan tells where pods may go; how a workload would spread among those is the scheduler's to choose.
      workloads: () => ({ services: [], replicationControllers: [], replicaSets: [], statefulSets: [] }),
      minor: facts.minor,
    }
    this.#budgets = new Map(facts.budgets.map((budget) => [keyOf(budget), budget]))
    this.#infos = facts.nodes.map(
      (node) => new NodeInfo(leaving.has(node.metadata.name ?? '') ? { ...node, spec: { ...specOf(node), unschedulable: true } } : node),
    )
    const byName = new Map(this.#infos.map((info) => [info.name, info]))
    for (const pod of facts.pods) if (!isFinished(pod)) byName.get(nodeNameOf(pod))?.add(pod)
  }

  drain(node: KubeObject, options: DrainOptions): PlannedNode {
    const name = node.metadata.name ?? ''
    const pods = this.#facts.pods.filter((pod) => nodeNameOf(pod) === name).sort(evictionOrder)
    const back = new Map<string, number>()
    const spent = new Set<string>()
    const planned = pods.map((pod) => {
      const look = lookAtPod(pod, { budgets: [...this.#budgets.values()], minor: this.#facts.minor }, options)
      if (look.verdict === 'stays' || look.verdict === 'leaves' || look.verdict === 'undecided') return look
      const placed = isFinished(pod) || look.controller === '' ? look : this.#place(pod, look)
      if (placed.verdict !== 'evicted') return placed
      const decision = decideEviction(pod, this.#budgets.values(), this.#facts.minor)
      // Of a pod that is not ready the budget gets its allowance back as soon as it is counted again.
      if (decision.decision !== 'granted' || decision.spends === null || !isPodReady(pod)) return placed
      this.#grant(decision.spends, -1)
      spent.add(keyOf(decision.spends))
      if (placed.target !== '') back.set(keyOf(decision.spends), (back.get(keyOf(decision.spends)) ?? 0) + 1)
      return placed
    })
    // What comes back elsewhere gives its budget the allowance back: for those that wait here, and for the next node.
    for (const [key, count] of back) {
      const budget = this.#budgets.get(key)
      if (budget !== undefined) this.#grant(budget, count)
    }
    return {
      name,
      cordoned: specOf(node)['unschedulable'] === true,
      pods: planned.map((pod) => {
        if (pod.verdict !== 'blocked' || pod.budgets.length !== 1) return pod
        const key = `${pod.namespace}/${pod.budgets[0] ?? ''}`
        if (!back.has(key))
          return spent.has(key) ? { ...pod, reason: `${pod.reason}. The ones evicted before it come back nowhere: make room for them first` } : pod
        return { ...pod, verdict: 'waits', reason: `budget ${pod.budgets[0] ?? ''} grants it once the ones before it are ready elsewhere` }
      }),
    }
  }

  /** Finds a node for the pod's replacement, and puts it there for those that come after it. */
  #place(pod: KubeObject, look: PlannedPod): PlannedPod {
    for (const info of this.#infos) info.remove(pod)
    const { uid: _uid, ...metadata } = pod.metadata
    const { nodeName: _nodeName, ...spec } = specOf(pod)
    const replacement: KubeObject = { ...pod, metadata: { ...metadata, uid: `${pod.metadata.uid ?? keyOf(pod)}-replacement` }, spec }
    const state = prepareCycle(replacement, this.#infos, this.#view)
    const refusals: Refusal[] = []
    const feasible = this.#infos.filter((info) => {
      const refusal = filterNode(state, info)
      if (refusal !== null) refusals.push(refusal)
      return refusal === null
    })
    const target = scoreNodes(state, feasible)[0]?.info
    if (target === undefined) return { ...look, fitProblem: fitErrorMessage(this.#infos.length, refusals, state) }
    target.add({ ...replacement, spec: { ...spec, nodeName: target.name } })
    return { ...look, target: target.name }
  }

  #grant(budget: KubeObject, count: number): void {
    const status = objectAt(budget['status'])
    const healthy = Number(status['currentHealthy'] ?? 0)
    this.#budgets.set(keyOf(budget), { ...budget, status: { ...status, disruptionsAllowed: allowanceOf(budget) + count, currentHealthy: healthy + count } })
  }
}
