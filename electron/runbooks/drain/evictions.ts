import type { Blocker } from '#shared/contract/runbooks.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound, isTooManyRequests, StatusError } from '#shared/kubernetes/status.ts'
import type { PlannedPod } from '#shared/planning/drain/drainPlan.ts'
import { budgetsOf, ignoresBudgets } from '#shared/planning/drain/eviction.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { StepContext } from '../runbook.ts'
import { listBudgets } from './drainFacts.ts'

/** Pause before a refused eviction is tried again; kubectl's own. */
const RETRY_MS = 5_000

/** A pod as it is, with what the drain does with it. */
export interface PodOnNode {
  object: KubeObject
  planned: PlannedPod
}

/** What of the API server's release decides how it is asked. */
export interface EvictionApi {
  /** Of the Eviction it takes. */
  apiVersion: string
  minor: number
}

interface Refused extends Blocker {
  nextTryMs: number
}

export const label = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`

/**
 * The evictions of one node: which were granted, which are refused and when those are tried again.
 *
 * Pods of one budget go in the order they are given. Right after one was refused the budget may be counted anew and would grant the next:
 * which pods go would be chance, and not what was planned. So a refusal counts for every later pod of that budget, until the refused one is
 * tried again.
 */
export class Evictions {
  count = 0
  readonly #api: ClusterApi
  readonly #context: StepContext
  readonly #server: EvictionApi
  readonly #granted = new Set<string>()
  readonly #refused = new Map<string, Refused>()

  constructor(api: ClusterApi, context: StepContext, server: EvictionApi) {
    this.#api = api
    this.#context = context
    this.#server = server
  }

  get blockers(): Blocker[] {
    return [...this.#refused.values()].map(({ subject, reason }) => ({ subject, reason }))
  }

  /** Tries what is due. */
  async pass(pods: readonly PodOnNode[]): Promise<void> {
    for (const uid of this.#refused.keys()) if (!pods.some(({ planned }) => planned.uid === uid)) this.#refused.delete(uid)
    /** By budget: what it refused in this pass. */
    const spent = new Map<string, Refused>()
    let budgets: KubeObject[] | null = null
    for (const { object, planned } of pods) {
      const before = this.#refused.get(planned.uid)
      if (this.#granted.has(planned.uid) || (before?.nextTryMs ?? 0) > this.#context.clock.now()) continue
      const guards = budgets === null || ignoresBudgets(object) ? [] : budgetsOf(object, budgets, this.#server.minor).map(({ metadata }) => metadata.uid ?? '')
      const earlier = guards.length === 1 ? spent.get(guards[0] ?? '') : undefined
      if (earlier !== undefined) {
        this.#note(planned, earlier)
        continue
      }
      const refused = await this.#evict(planned)
      if (refused?.byBudget !== true) continue
      budgets ??= await listBudgets(this.#api, this.#context.signal)
      for (const { metadata } of budgetsOf(object, budgets, this.#server.minor)) spent.set(metadata.uid ?? '', refused)
    }
  }

  /** @returns what was refused; null when it was granted or the pod is gone */
  async #evict(pod: PlannedPod): Promise<(Refused & { byBudget: boolean }) | null> {
    const { signal, clock, log } = this.#context
    const path = `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}/eviction`
    try {
      // The uid keeps a pod of the same name that came meanwhile from being meant.
      await this.#api.post(
        path,
        {
          apiVersion: this.#server.apiVersion,
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
      return null
    } catch (error) {
      if (isNotFound(error) || isGone(error)) return null
      if (!isRefusal(error)) throw error
      const causes = error.status.details?.causes ?? []
      const refused = { subject: label(pod), reason: causes[0]?.message ?? error.message, nextTryMs: clock.now() + RETRY_MS }
      this.#note(pod, refused)
      return { ...refused, byBudget: causes.some(({ reason }) => reason === 'DisruptionBudget') }
    }
  }

  #note(pod: PlannedPod, { reason, nextTryMs }: Refused): void {
    if (this.#refused.get(pod.uid)?.reason !== reason)
      this.#context.log(`pod ${label(pod)} may not be evicted: ${reason}; trying again every ${String(RETRY_MS / 1000)} s`)
    this.#refused.set(pod.uid, { subject: label(pod), reason, nextTryMs })
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
