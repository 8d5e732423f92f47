import type { Clock } from '#shared/base/clock.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { priorityOf } from '#shared/planning/scheduling/pod.ts'

// Upstream: 1 s doubling to 10 s.
const FIRST_BACKOFF_MS = 1_000
const MAX_BACKOFF_MS = 10_000
/** What no event woke is tried again anyway (upstream: 5 minutes). */
const UNSCHEDULABLE_MS = 300_000

interface Waiting {
  attempts: number
  backoffEndsMs: number
  /** An event has told that room may have been made: it is tried as soon as its back-off is over. */
  awake: boolean
}

/**
 * Pods to place: ready ones by priority, then in the order they came; those that failed wait out their back-off, and then for an
 * event that may have made room (upstream's active, backoff and unschedulable queues).
 */
export class SchedulingQueue {
  readonly #clock: Clock
  /** Priority to the keys that are ready, in order. */
  readonly #ready = new Map<number, Set<string>>()
  readonly #priorities = new Map<string, number>()
  readonly #waiting = new Map<string, Waiting>()
  /** No waiting pod is due before this. */
  #soonestMs = Number.POSITIVE_INFINITY
  #wake: (() => void) | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A pod that was not seen before, or that may be tried at once. */
  add(key: string, pod: KubeObject): void {
    this.#enqueue(key, priorityOf(pod))
    this.#wake?.()
  }

  has(key: string): boolean {
    return this.#priorities.has(key) || this.#waiting.has(key)
  }

  /** How often a pod was tried without success. */
  attempts(key: string): number {
    return this.#waiting.get(key)?.attempts ?? 0
  }

  forget(key: string): void {
    this.#dequeue(key)
    this.#waiting.delete(key)
  }

  /** Puts a pod back that found no node. */
  failed(key: string): void {
    const attempts = this.attempts(key) + 1
    const backoffEndsMs = this.#clock.now() + Math.min(FIRST_BACKOFF_MS * 2 ** (attempts - 1), MAX_BACKOFF_MS)
    this.#waiting.set(key, { attempts, backoffEndsMs, awake: false })
    this.#soonestMs = Math.min(this.#soonestMs, backoffEndsMs + UNSCHEDULABLE_MS)
  }

  /** Something changed that may make room for those that wait. */
  retryAll(): void {
    if (this.#waiting.size === 0) return
    for (const waiting of this.#waiting.values()) {
      waiting.awake = true
      this.#soonestMs = Math.min(this.#soonestMs, waiting.backoffEndsMs)
    }
    this.#wake?.()
  }

  /** The most important pod that is ready, taken off; null when there is none. */
  next(priority: (key: string) => number | null): string | null {
    this.#collectDue(priority)
    const highest = Math.max(...this.#ready.keys())
    const key = this.#ready.get(highest)?.values().next().value
    if (key === undefined) return null
    this.#dequeue(key)
    return key
  }

  /** Waits until a pod may be ready. */
  async idle(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const waitMs = this.#soonestMs - this.#clock.now()
      const cancel = Number.isFinite(waitMs) ? this.#clock.schedule(Math.max(1, waitMs), done) : undefined
      function done(): void {
        cancel?.()
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#wake = done
      signal.addEventListener('abort', done, { once: true })
      if (signal.aborted) done()
    })
    this.#wake = null
  }

  #collectDue(priority: (key: string) => number | null): void {
    const now = this.#clock.now()
    if (now < this.#soonestMs) return
    this.#soonestMs = Number.POSITIVE_INFINITY
    for (const [key, { backoffEndsMs, awake }] of this.#waiting) {
      if (this.#priorities.has(key)) continue
      const dueMs = awake ? backoffEndsMs : backoffEndsMs + UNSCHEDULABLE_MS
      if (dueMs > now) {
        this.#soonestMs = Math.min(this.#soonestMs, dueMs)
        continue
      }
      const known = priority(key)
      if (known === null) this.#waiting.delete(key)
      else this.#enqueue(key, known)
    }
  }

  #enqueue(key: string, priority: number): void {
    if (this.#priorities.get(key) === priority) return
    this.#dequeue(key)
    this.#priorities.set(key, priority)
    const keys = this.#ready.get(priority)
    if (keys === undefined) this.#ready.set(priority, new Set([key]))
    else keys.add(key)
  }

  #dequeue(key: string): void {
    const priority = this.#priorities.get(key)
    if (priority === undefined) return
    this.#priorities.delete(key)
    const keys = this.#ready.get(priority)
    keys?.delete(key)
    if (keys?.size === 0) this.#ready.delete(priority)
  }
}
