import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound, StatusError } from '#shared/kubernetes/status.ts'
import type { EventRecorder } from '#electron/client/eventRecorder.ts'
import { PODS } from '#electron/client/resources.ts'
import type { ControllerContext } from './controller.ts'

/** Pods made at once in the first batch; each batch that succeeds doubles it (upstream's slow start). */
const FIRST_BATCH = 1

export const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Nothing can be made in a namespace that goes; nobody is told of each failure. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  error instanceof StatusError && error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true

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
