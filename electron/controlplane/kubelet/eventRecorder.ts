import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { EVENTS, type ApiClient } from './apiClient.ts'
import { timestamp } from './types.ts'

/** Tells the API server what happened to an object; equal events raise a count. Best effort, as upstream: a lost event is logged, not retried. */
export class EventRecorder {
  readonly #api: ApiClient
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #source: { component: string; host: string }
  readonly #signal: AbortSignal
  readonly #seen = new Map<string, { name: string; count: number }>()
  #sequence = 0

  constructor(options: { api: ApiClient; clock: Clock; logger: Logger; component: string; host: string; signal: AbortSignal }) {
    this.#api = options.api
    this.#clock = options.clock
    this.#logger = options.logger
    this.#source = { component: options.component, host: options.host }
    this.#signal = options.signal
  }

  record(object: KubeObject, event: { type: 'Normal' | 'Warning'; reason: string; message: string; fieldPath?: string }): void {
    const { namespace = 'default', name = '', uid } = object.metadata
    const key = `${uid ?? name}/${event.reason}/${event.message}`
    const now = timestamp(this.#clock.now())
    const known = this.#seen.get(key)
    const failed = (error: unknown): void => {
      if (!this.#signal.aborted) this.#logger.debug('event not recorded', { reason: event.reason, object: name, error: String(error) })
    }
    if (known !== undefined) {
      known.count++
      this.#api.patch({ gvr: EVENTS, namespace, name: known.name }, { count: known.count, lastTimestamp: now }, this.#signal).catch(failed)
      return
    }
    const eventName = `${name}.${(this.#clock.now() * 1000 + ++this.#sequence).toString(16)}`
    this.#seen.set(key, { name: eventName, count: 1 })
    if (this.#seen.size > 2_000) this.#seen.delete(this.#seen.keys().next().value ?? '')
    this.#api
      .create(
        { gvr: EVENTS, namespace },
        {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name: eventName, namespace },
          involvedObject: {
            apiVersion: object.apiVersion ?? 'v1',
            kind: object.kind ?? 'Pod',
            name,
            ...(object.metadata.namespace === undefined ? {} : { namespace }),
            uid,
            resourceVersion: object.metadata.resourceVersion,
            ...(event.fieldPath === undefined ? {} : { fieldPath: event.fieldPath }),
          },
          reason: event.reason,
          message: event.message,
          type: event.type,
          source: this.#source,
          reportingComponent: this.#source.component,
          reportingInstance: this.#source.host,
          firstTimestamp: now,
          lastTimestamp: now,
          count: 1,
        },
        this.#signal,
      )
      .catch(failed)
  }
}
