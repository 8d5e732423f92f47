import type { KubeObject } from '#shared/kubernetes/object.ts'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import { evictionOrder, lookAtPod, type DrainOptions } from '#shared/planning/drain/drainPlan.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { StepContext } from '../runbook.ts'
import { Evictions, label, type PodOnNode } from './evictions.ts'

/** Shortest pause between looks at pods that are on their way out. */
const POLL_MS = 500
/** A look that took long is rested from so many times as long: many drains at once must not keep a busy server from what they wait for. */
const REST = 4
/** Pods that a waiting step names; the rest are counted. */
const NAMED = 3

const nodePath = (node: string): string => `/api/v1/nodes/${encodeURIComponent(node)}`

/** Marks a node unschedulable or schedulable again. */
export async function cordon(api: ClusterApi, node: string, unschedulable: boolean, signal: AbortSignal): Promise<void> {
  await api.patch(nodePath(node), { spec: { unschedulable: unschedulable ? true : null } }, signal)
}

export async function isCordoned(api: ClusterApi, node: string, signal: AbortSignal): Promise<boolean> {
  return ((await api.get(nodePath(node), signal))['spec'] as { unschedulable?: boolean } | undefined)?.unschedulable === true
}

/** The node's pods, each with what a drain does with it, budgets left aside: those are the API server's to judge. */
async function podsOn(api: ClusterApi, { node, options }: { node: string; options: DrainOptions }, signal: AbortSignal): Promise<PodOnNode[]> {
  const pods: KubeObject[] = await api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${encodeURIComponent(node)}`, signal)
  return pods.sort(evictionOrder).map((object) => ({ object, planned: lookAtPod(object, { budgets: [], minor: 0 }, options) }))
}

/** Whether the node is cordoned and holds nothing that a drain would evict. */
export async function isDrained(api: ClusterApi, target: { node: string; options: DrainOptions }, signal: AbortSignal): Promise<boolean> {
  return (await isCordoned(api, target.node, signal)) && (await podsOn(api, target, signal)).every(({ planned }) => planned.verdict === 'stays')
}

/**
 * Cordons the node and evicts its pods through the Eviction API alone, so that no PodDisruptionBudget is broken: a refused
 * eviction is tried again every 5 s for as long as the run is not stopped. Pods that one budget guards go in the order of the plan.
 * @throws when the operator has to decide on a pod first, or when the server refuses one for good
 */
export async function drain(api: ClusterApi, target: { node: string; options: DrainOptions }, context: StepContext): Promise<void> {
  const { signal, clock, log, waitFor } = context
  const { node } = target
  if (!(await isCordoned(api, node, signal))) {
    await cordon(api, node, true, signal)
    log(`node/${node} cordoned`)
  }
  const first = (await podsOn(api, target, signal)).map(({ planned }) => planned)
  const undecided = first.filter(({ verdict }) => verdict === 'undecided')
  if (undecided.length > 0)
    throw new Error(
      `nothing was evicted: ${undecided.map((pod) => `${label(pod)} (${pod.reason})`).join('; ')}. Say for each whether to evict or leave it, and why, or delete it yourself, then retry`,
    )
  for (const pod of first.filter(({ verdict, losesEmptyDir }) => verdict === 'evicted' && losesEmptyDir)) log(`pod ${label(pod)} loses its emptyDir data`)
  const eviction = new Evictions(api, context, { apiVersion: await evictionVersion(api, signal), minor: minorOf(await api.version(signal)) })
  for (;;) {
    const lookedMs = clock.now()
    const left = (await podsOn(api, target, signal)).filter(({ planned }) => planned.verdict !== 'stays')
    const tookMs = clock.now() - lookedMs
    if (left.length === 0) break
    await eviction.pass(left.filter(({ planned }) => planned.verdict === 'evicted'))
    const { blockers } = eviction
    const named = left
      .slice(0, NAMED)
      .map(({ planned }) => label(planned))
      .join(', ')
    const rest = left.length > NAMED ? ` and ${String(left.length - NAMED)} more` : ''
    const [blocker] = blockers
    waitFor(
      blocker === undefined
        ? `${named}${rest} to end`
        : `${blocker.subject}: ${blocker.reason}${blockers.length > 1 ? ` (and ${String(blockers.length - 1)} more)` : ''}`,
      blockers,
    )
    await clock.sleep(Math.max(POLL_MS, REST * tookMs), { signal })
  }
  waitFor('')
  log(`node/${node} drained: ${String(eviction.count)} pods evicted`)
}

/** policy/v1 evictions came with 1.22; discovery says which version a server takes. */
async function evictionVersion(api: ClusterApi, signal: AbortSignal): Promise<string> {
  const { resources } = (await api.get('/api/v1', signal)) as unknown as { resources?: { name: string; group?: string; version?: string }[] }
  const eviction = resources?.find(({ name }) => name === 'pods/eviction')
  return `${eviction?.group ?? 'policy'}/${eviction?.version ?? 'v1beta1'}`
}
