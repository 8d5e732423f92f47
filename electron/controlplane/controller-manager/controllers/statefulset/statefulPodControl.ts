import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists, isNotFound } from '#shared/kubernetes/status.ts'
import type { EventRecorder } from '#electron/client/eventRecorder.ts'
import type { Informer } from '#electron/client/informer.ts'
import { PERSISTENT_VOLUME_CLAIMS, PODS } from '#electron/client/resources.ts'
import { isDeleting, type ControllerContext } from '../../controller.ts'
import { claimsFor, ordinalOf } from './statefulPod.ts'

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Writes a StatefulSet's pods and claims, and tells of each (upstream's stateful_pod_control.go). */
export class StatefulPodControl {
  readonly #context: ControllerContext
  readonly #events: EventRecorder
  readonly #claims: Informer

  constructor(context: ControllerContext, events: EventRecorder) {
    this.#context = context
    this.#events = events
    this.#claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
  }

  /** The pod's claims first: without them it is not made. */
  async create(set: KubeObject, pod: KubeObject, signal: AbortSignal): Promise<void> {
    try {
      await this.#createClaims(set, pod, signal)
    } catch (error) {
      this.#tell('create', set, pod, error)
      throw error
    }
    try {
      await this.#context.client.create(PODS, { namespace: set.metadata.namespace }, pod, signal)
      this.#tell('create', set, pod)
    } catch (error) {
      if (!isAlreadyExists(error) && !signal.aborted) this.#tell('create', set, pod, error)
      throw error
    }
  }

  async update(set: KubeObject, pod: KubeObject, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', labels } = pod.metadata
    try {
      await this.#context.client.patch(PODS, { namespace, name }, { metadata: { uid: pod.metadata.uid, labels } }, { type: 'merge' }, signal)
      this.#tell('update', set, pod)
    } catch (error) {
      if (!signal.aborted) this.#tell('update', set, pod, error)
      throw error
    }
  }

  async delete(set: KubeObject, pod: KubeObject, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid } = pod.metadata
    try {
      await this.#context.client.delete(PODS, { namespace, name }, { uid }, signal)
      this.#tell('delete', set, pod)
    } catch (error) {
      if (isNotFound(error)) return
      if (!signal.aborted) this.#tell('delete', set, pod, error)
      throw error
    }
  }

  async #createClaims(set: KubeObject, pod: KubeObject, signal: AbortSignal): Promise<void> {
    const failures: string[] = []
    for (const claim of claimsFor(set, ordinalOf(set, pod))) {
      const { namespace, name = '' } = claim.metadata
      const known = this.#claims.get(namespace ?? '', name)
      if (known !== undefined) {
        if (isDeleting(known)) failures.push(`pvc ${name} is being deleted`)
        continue
      }
      try {
        await this.#context.client.create(PERSISTENT_VOLUME_CLAIMS, { namespace }, claim, signal)
        this.#events.event(
          set,
          'Normal',
          'SuccessfulCreate',
          `create Claim ${name} Pod ${pod.metadata.name ?? ''} in StatefulSet ${set.metadata.name ?? ''} success`,
        )
      } catch (error) {
        failures.push(`failed to create PVC ${name}: ${textOf(error)}`)
        if (!isAlreadyExists(error) && !signal.aborted)
          this.#events.event(
            set,
            'Warning',
            'FailedCreate',
            `create Claim ${name} for Pod ${pod.metadata.name ?? ''} in StatefulSet ${set.metadata.name ?? ''} failed error: ${textOf(error)}`,
          )
      }
    }
    if (failures.length > 0) throw new Error(failures.join(', '))
  }

  #tell(verb: 'create' | 'update' | 'delete', set: KubeObject, pod: KubeObject, error?: unknown): void {
    const what = `${verb} Pod ${pod.metadata.name ?? ''} in StatefulSet ${set.metadata.name ?? ''}`
    const suffix = `${verb.charAt(0).toUpperCase()}${verb.slice(1)}`
    if (error === undefined) this.#events.event(set, 'Normal', `Successful${suffix}`, `${what} successful`)
    else this.#events.event(set, 'Warning', `Failed${suffix}`, `${what} failed error: ${textOf(error)}`)
  }
}
