import type { Blocker } from '#shared/contract/runbooks.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound, isTooManyRequests, StatusError } from '#shared/kubernetes/status.ts'
import { evictionOrder, lookAtPod, type DrainOptions, type PlannedPod } from '#shared/planning/drain/drainPlan.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { StepContext } from '../runbook.ts'

/** Pause before a refused eviction is tried again; kubectl's own. */
const RETRY_MS = 5_000
/** Pause between looks at pods that are on their way out. */
const POLL_MS = 500
/** Pods that a waiting step names; the rest are counted. */
const NAMED = 3

const nodePath = (node: string): string => `/api/v1/nodes/${encodeURIComponent(node)}`
const label = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`

/** Marks a node unschedulable or schedulable again. */
export async function cordon(api: ClusterApi, node: string, unschedulable: boolean, signal: AbortSignal): Promise<void> {
  await api.patch(nodePath(node), { spec: { unschedulable: unschedulable ? true : null } }, signal)
}

export async function isCordoned(api: ClusterApi, node: string, signal: AbortSignal): Promise<boolean> {
  return ((await api.get(nodePath(node), signal))['spec'] as { unschedulable?: boolean } | undefined)?.unschedulable === true
}

/** The node's pods, each with what a drain does with it, budgets left aside: those are the API server's to judge. */
async function podsOn(api: ClusterApi, { node, options }: { node: string; options: DrainOptions }, signal: AbortSignal): Promise<PlannedPod[]> {
  const pods: KubeObject[] = await api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${encodeURIComponent(node)}`, signal)
  return pods.sort(evictionOrder).map((pod) => lookAtPod(pod, { budgets: [], minor: 0 }, options))
}

/** Whether the node is cordoned and holds nothing that a drain would evict. */
export async function isDrained(api: ClusterApi, target: { node: string; options: DrainOptions }, signal: AbortSignal): Promise<boolean> {
  return (await isCordoned(api, target.node, signal)) && (await podsOn(api, target, signal)).every(({ verdict }) => verdict === 'stays')
}

/**
 * Cordons the node and evicts its pods through the Eviction API alone, so that no PodDisruptionBudget is broken: a refused
 * eviction is tried again every 5 s for as long as the run is not stopped. Pods go in the order of the plan.
 * @throws when the operator has to decide on a pod first, or when the server refuses one for good
 */
export async function drain(api: ClusterApi, target: { node: string; options: DrainOptions }, context: StepContext): Promise<void> {
  const { signal, clock, log, waitFor } = context
  const { node } = target
  if (!(await isCordoned(api, node, signal))) {
    await cordon(api, node, true, signal)
    log(`node/${node} cordoned`)
  }
  const first = await podsOn(api, target, signal)
  const undecided = first.filter(({ verdict }) => verdict === 'undecided')
  if (undecided.length > 0)
    throw new Error(
      `nothing was evicted: ${undecided.map((pod) => `${label(pod)} (${pod.reason})`).join('; ')}. Say for each whether to evict or leave it, and why, or delete it yourself, then retry`,
    )
  for (const pod of first.filter(({ verdict, losesEmptyDir }) => verdict === 'evicted' && losesEmptyDir)) log(`pod ${label(pod)} loses its emptyDir data`)
  const eviction = new Evictions(api, context, await evictionVersion(api, signal))
  for (;;) {
    const left = (await podsOn(api, target, signal)).filter(({ verdict }) => verdict !== 'stays')
    if (left.length === 0) break
    await eviction.pass(left.filter(({ verdict }) => verdict === 'evicted'))
    const { blockers } = eviction
    const named = left.slice(0, NAMED).map(label).join(', ')
    const rest = left.length > NAMED ? ` and ${String(left.length - NAMED)} more` : ''
    const [blocker] = blockers
    waitFor(
      blocker === undefined
        ? `${named}${rest} to end`
        : `${blocker.subject}: ${blocker.reason}${blockers.length > 1 ? ` (and ${String(blockers.length - 1)} more)` : ''}`,
      blockers,
    )
    await clock.sleep(POLL_MS, { signal })
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

/** The evictions of one node: which were granted, which are refused and when those are tried again. */
class Evictions {
  count = 0
  readonly #api: ClusterApi
  readonly #context: StepContext
  readonly #apiVersion: string
  readonly #granted = new Set<string>()
  readonly #refused = new Map<string, Blocker & { nextTryMs: number }>()

  constructor(api: ClusterApi, context: StepContext, apiVersion: string) {
    this.#api = api
    this.#context = context
    this.#apiVersion = apiVersion
  }

  get blockers(): Blocker[] {
    return [...this.#refused.values()].map(({ subject, reason }) => ({ subject, reason }))
  }

  /** Tries what is due. */
  async pass(pods: readonly PlannedPod[]): Promise<void> {
    for (const uid of this.#refused.keys()) if (!pods.some((pod) => pod.uid === uid)) this.#refused.delete(uid)
    for (const pod of pods) {
      if (this.#granted.has(pod.uid) || (this.#refused.get(pod.uid)?.nextTryMs ?? 0) > this.#context.clock.now()) continue
      await this.#evict(pod)
    }
  }

  async #evict(pod: PlannedPod): Promise<void> {
    const { signal, clock, log } = this.#context
    const path = `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}/eviction`
    try {
      // The uid keeps a pod of the same name that came meanwhile from being meant.
      await this.#api.post(
        path,
        {
          apiVersion: this.#apiVersion,
          kind: 'Eviction',
          metadata: { name: pod.name, namespace: pod.namespace },
          deleteOptions: { preconditions: { uid: pod.uid } },
        },
        signal,
      )
      this.#granted.add(pod.uid)
      this.#refused.delete(pod.uid)
      this.count += 1
      log(`pod ${label(pod)} evicted${pod.reason === '' ? '' : ` (${pod.reason})`}`)
    } catch (error) {
      if (isNotFound(error) || isGone(error)) return
      if (!isRefusal(error)) throw error
      const reason = error.status.details?.causes?.[0]?.message ?? error.message
      if (this.#refused.get(pod.uid)?.reason !== reason) log(`pod ${label(pod)} may not be evicted: ${reason}; trying again every ${String(RETRY_MS / 1000)} s`)
      this.#refused.set(pod.uid, { subject: label(pod), reason, nextTryMs: clock.now() + RETRY_MS })
    }
  }
}

/** Several budgets on one pod are a 500: it stays refused until one is taken away, which an operator may do meanwhile. */
function isRefusal(error: unknown): error is StatusError {
  return isTooManyRequests(error) || (error instanceof StatusError && error.code === 500 && error.message.includes('PodDisruptionBudget'))
}

/** A precondition on a uid that is no longer there is a 409. */
function isGone(error: unknown): boolean {
  return error instanceof StatusError && error.code === 409
}
