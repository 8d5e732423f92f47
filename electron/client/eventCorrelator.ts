import type { Clock } from '#shared/base/clock.ts'

/** As many different messages about one object for one reason, within this time, are told one by one; later ones share one event. */
const MAX_SIMILAR = 10
const SIMILAR_MS = 600_000
/** Events about one object: a burst, then one each five minutes. */
const BURST = 25
const REFILL_MS = 300_000
/** Objects and reasons remembered (upstream's least recently used caches). */
const REMEMBERED = 4_096

export interface ObservedEvent {
  /** The object's identity. */
  object: string
  type: string
  reason: string
  message: string
}

/** What is to be written of an event; null when there are too many about its object. */
export type CorrelatedEvent = { key: string; message: string } | null

/**
 * Keeps a controller that fails again and again from filling the store: similar events are combined, and too many about one
 * object are dropped (upstream's EventCorrelator).
 *
 * @see client-go/tools/record/events_cache.go
 */
export class EventCorrelator {
  readonly #clock: Clock
  readonly #similar = new Map<string, { messages: Set<string>; lastMs: number }>()
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  correlate(event: ObservedEvent): CorrelatedEvent {
    const combined = this.#combined(event)
    return this.#allowed(event.object) ? combined : null
  }

  #combined({ object, type, reason, message }: ObservedEvent): { key: string; message: string } {
    const now = this.#clock.now()
    const key = `${object}/${type}/${reason}`
    const known = this.#similar.get(key)
    const messages = known === undefined || now - known.lastMs > SIMILAR_MS ? new Set<string>() : known.messages
    messages.add(message)
    remember(this.#similar, key, { messages, lastMs: now })
    if (messages.size < MAX_SIMILAR) return { key: `${key}/${message}`, message }
    // The set stays as it is, one short of the limit: the next new message is combined too.
    messages.delete(message)
    return { key, message: `(combined from similar events): ${message}` }
  }

  #allowed(object: string): boolean {
    const now = this.#clock.now()
    const { tokens, atMs } = this.#buckets.get(object) ?? { tokens: BURST, atMs: now }
    const left = Math.min(BURST, tokens + (now - atMs) / REFILL_MS)
    remember(this.#buckets, object, { tokens: left >= 1 ? left - 1 : left, atMs: now })
    return left >= 1
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > REMEMBERED) map.delete(map.keys().next().value ?? '')
}
