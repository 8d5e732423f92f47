import { isObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound, StatusError } from '#shared/kubernetes/status.ts'
import type { EventRecorder } from '#electron/client/eventRecorder.ts'
import { PODS } from '#electron/client/resources.ts'
import { specOf, type ControllerContext } from './controller.ts'

/** Pods made at once in the first batch; each batch that succeeds doubles it (upstream's slow start). */
const FIRST_BATCH = 1

export const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Nothing can be made in a namespace that goes; nobody is told of each failure. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  error instanceof StatusError && error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true

/**
 * A workload whose selector misses its own pods would let each go at once and make another, without end. Validation refuses such
 * objects, but a store may hold some: written by an older build, edited in etcd, or merged by a restore.
 */
const selects = (owner: KubeObject, pod: KubeObject): boolean => {
  const { selector } = specOf(owner)
  // A ReplicationController's selector is a plain map.
  const asSelector = owner.kind === 'ReplicationController' && isObject(selector) ? { matchLabels: selector } : selector
  return matchesLabelSelector(asSelector, pod.metadata.labels ?? {})
}

/** Creates and deletes pods of a workload and tells the workload's events of each (upstream's RealPodControl). */
export class PodControl {
  readonly #context: ControllerContext
  readonly #events: EventRecorder

  constructor(context: ControllerContext, events: EventRecorder) {
    this.#context = context
    this.#events = events
  }

  /** @throws StatusError after telling of it */
  async create(owner: KubeObject, pod: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    try {
      if (!selects(owner, pod))
        throw new Error(
          `the selector of ${owner.kind ?? 'the object'} ${owner.metadata.name ?? ''} does not select the pods of its own template: give it a selector, or delete it and create it again`,
        )
      const made = await this.#context.client.create(PODS, { namespace: owner.metadata.namespace }, pod, signal)
      this.#events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name ?? ''}`)
      return made
    } catch (error) {
      if (!signal.aborted && !isNamespaceTerminating(error)) this.#events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${errorText(error)}`)
      throw error
    }
  }

  /** @returns false when the pod was gone already. @throws StatusError after telling of it */
  async delete(owner: KubeObject, pod: KubeObject, signal: AbortSignal): Promise<boolean> {
    const { namespace, name = '', uid } = pod.metadata
    try {
      await this.#context.client.delete(PODS, { namespace, name }, { uid }, signal)
      this.#events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`)
      return true
    } catch (error) {
      if (isNotFound(error)) return false
      if (!signal.aborted) this.#events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${errorText(error)}`)
      throw error
    }
  }

  /**
   * Creates pods in batches of 1, 2, 4, …; the first batch with a failure is the last.
   *
   * @returns how many were made, and the failure that ended it
   */
  async createAll(owner: KubeObject, pods: readonly KubeObject[], signal: AbortSignal): Promise<{ made: number; failure?: unknown }> {
    let made = 0
    for (let start = 0, size = FIRST_BATCH; start < pods.length; start += size, size *= 2) {
      const results = await Promise.allSettled(pods.slice(start, start + size).map((pod) => this.create(owner, pod, signal)))
      made += results.filter(({ status }) => status === 'fulfilled').length
      const failed = results.find((each) => each.status === 'rejected')
      if (failed !== undefined) return { made, failure: failed.reason }
    }
    return { made }
  }
}
