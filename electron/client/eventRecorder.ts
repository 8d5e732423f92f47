import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { EventCorrelator } from './eventCorrelator.ts'
import { EVENTS } from './resources.ts'
import type { RestClient } from './restClient.ts'

export interface EventRecorderOptions {
  client: RestClient
  clock: Clock
  /** `source.component`, e.g. `default-scheduler`. */
  component: string
  host?: string
  logger: Logger
  /** Combines similar events and drops too many about one object, as upstream's older recorder does and the scheduler's does not. @default true */
  correlated?: boolean
}

/** Equal events remembered to raise their count; older ones start anew. */
const REMEMBERED = 2_000

/** Tells the API server what happened to an object; equal events raise a count. Best effort, as upstream: a lost event is logged, not retried. */
export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #seen = new Map<string, { name: string; count: number; written: Promise<unknown> }>()
  readonly #correlator: EventCorrelator | null
  readonly #aborter = new AbortController()
  #sequence = 0

  constructor(options: EventRecorderOptions) {
    this.#options = options
    this.#correlator = options.correlated === false ? null : new EventCorrelator(options.clock)
  }

  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, text: string): void {
    const { name = '', uid } = object.metadata
    const namespace = object.metadata.namespace ?? 'default'
    const identity = uid ?? `${namespace}/${name}`
    const event =
      this.#correlator === null
        ? { key: `${identity}/${type}/${reason}/${text}`, message: text }
        : this.#correlator.correlate({ object: identity, type, reason, message: text })
    if (event === null) return
    const { key, message } = event
    const known = this.#seen.get(key)
    if (known === undefined) {
      // Upstream's names end in the nanosecond; the order of names is the order of events.
      const eventName = `${name}.${(BigInt(Math.floor(this.#options.clock.now())) * 1_000_000n + BigInt(++this.#sequence % 1_000_000)).toString(16)}`
      this.#remember(key, { name: eventName, count: 1, written: this.#create(object, { name: eventName, namespace, type, reason, message }) })
      return
    }
    known.count++
    const { count } = known
    known.written = known.written.then(() =>
      this.#raise({ name: known.name, namespace }, { count, message }, () => {
        this.#seen.delete(key)
      }),
    )
  }

  /** Drops what was not sent yet. */
  stop(): void {
    this.#aborter.abort()
  }

  #remember(key: string, entry: { name: string; count: number; written: Promise<unknown> }): void {
    this.#seen.set(key, entry)
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.keys().next().value ?? '')
  }

  async #raise(
    { name, namespace }: { name: string; namespace: string },
    { count, message }: { count: number; message: string },
    forget: () => void,
  ): Promise<void> {
    const lastTimestamp = timestamp(this.#options.clock.now())
    const change = { count, lastTimestamp, message: message.slice(0, 1024) }
    try {
      await this.#options.client.patch(EVENTS, { namespace, name }, change, { type: 'merge' }, this.#aborter.signal)
    } catch (error) {
      // Events expire; the next one is a new one.
      if (isNotFound(error)) forget()
      this.#lost(error, name)
    }
  }

  async #create(object: KubeObject, event: { name: string; namespace: string; type: string; reason: string; message: string }): Promise<void> {
    const { client, clock, component, host } = this.#options
    const now = timestamp(clock.now())
    const { name, namespace, uid, resourceVersion } = object.metadata
    const involvedObject = { apiVersion: object.apiVersion, kind: object.kind, name, namespace, uid, resourceVersion }
    const source = { component, ...(host === undefined ? {} : { host }) }
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: event.name, namespace: event.namespace },
      involvedObject,
      type: event.type,
      reason: event.reason,
      message: event.message.slice(0, 1024),
      source,
      reportingComponent: component,
      reportingInstance: host ?? '',
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    }
    try {
      await client.create(EVENTS, { namespace: event.namespace }, body, this.#aborter.signal)
    } catch (error) {
      this.#lost(error, event.name)
    }
  }

  #lost(error: unknown, event: string): void {
    if (this.#aborter.signal.aborted) return
    this.#options.logger.debug('event not recorded', { event, error: error instanceof Error ? error.message : String(error) })
  }
}

/** metav1.Time: whole seconds. */
function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
