import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import { isConflict } from '#shared/kubernetes/status.ts'

export interface WorkQueueOptions {
  name: string
  clock: Clock
  random: Random
  logger: Logger
  /** Keys handled at the same time. @default 5 */
  workers?: number
  /** A throw puts the key back with exponential back-off. */
  handle(key: string, signal: AbortSignal): Promise<void>
}

// client-go's ItemExponentialFailureRateLimiter: 5 ms doubling to 1000 s.
const FIRST_RETRY_MS = 5
const MAX_RETRY_MS = 1_000_000

/** How many objects of a key count for a millisecond until its next look: a hundred thousand a second are looked at for all changes of one key. */
const OBJECTS_PER_MS = 10
/** Shorter pauses are none: what has few objects is handled at each change. */
const LEAST_PAUSE_MS = 10

/**
 * Keys to look at, each at most once at a time: a key added while it is being handled is handled again afterwards
 * (client-go's workqueue). Keys that fail come back later and later until they succeed. Keys whose look goes through many objects wait between
 * looks, so that as many changes of them share one: n changes of a workload of n pods do not cost n * n.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #waiting = new Set<string>()
  readonly #active = new Set<string>()
  readonly #failures = new Map<string, number>()
  readonly #timers = new Map<string, { atMs: number; cancel: () => void }>()
  /** When a key with many objects is handled next at the earliest. */
  readonly #notBeforeMs = new Map<string, number>()
  #signal: AbortSignal | null = null
  #idle: (() => void) | null = null

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  /** Keys waiting or being handled. */
  get length(): number {
    return this.#waiting.size + this.#active.size
  }

  add(key: string): void {
    const notBeforeMs = this.#notBeforeMs.get(key)
    if (notBeforeMs !== undefined) {
      const restMs = notBeforeMs - this.#options.clock.now()
      if (restMs > 0) {
        this.addAfter(key, restMs)
        return
      }
      this.#notBeforeMs.delete(key)
    }
    this.#waiting.add(key)
    this.#pump()
  }

  /** Tells, while a key is handled, through how many objects that goes: its next look comes later accordingly. */
  weigh(key: string, objects: number): void {
    const pauseMs = objects / OBJECTS_PER_MS
    if (pauseMs < LEAST_PAUSE_MS) this.#notBeforeMs.delete(key)
    else this.#notBeforeMs.set(key, this.#options.clock.now() + pauseMs)
  }

  /** The earliest of several delays for one key counts. */
  addAfter(key: string, delayMs: number): void {
    if (delayMs <= 0) {
      this.add(key)
      return
    }
    const atMs = this.#options.clock.now() + delayMs
    const set = this.#timers.get(key)
    if (set !== undefined && set.atMs <= atMs) return
    set?.cancel()
    const cancel = this.#options.clock.schedule(delayMs, () => {
      this.#timers.delete(key)
      this.add(key)
    })
    this.#timers.set(key, { atMs, cancel })
  }

  /** Handles keys until the signal aborts and what was under way has ended. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    this.#pump()
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else
        signal.addEventListener(
          'abort',
          () => {
            resolve()
          },
          { once: true },
        )
    })
    for (const { cancel } of this.#timers.values()) cancel()
    this.#timers.clear()
    if (this.#active.size > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
  }

  #pump(): void {
    const signal = this.#signal
    if (signal === null || signal.aborted) return
    for (const key of this.#waiting) {
      if (this.#active.size >= (this.#options.workers ?? 5)) return
      if (this.#active.has(key)) continue
      this.#waiting.delete(key)
      this.#active.add(key)
      void this.#handle(key, signal)
    }
  }

  async #handle(key: string, signal: AbortSignal): Promise<void> {
    const { name, logger, handle } = this.#options
    try {
      await handle(key, signal)
      this.#failures.delete(key)
    } catch (error) {
      if (!signal.aborted) {
        const failures = this.#failures.get(key) ?? 0
        this.#failures.set(key, failures + 1)
        // Conflicts are the ordinary way to learn that the object changed.
        const say = isConflict(error) ? 'debug' : 'warn'
        logger[say]('handling failed, retrying', { queue: name, key, failures, error: error instanceof Error ? error.message : String(error) })
        this.addAfter(key, Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures, 30), MAX_RETRY_MS))
      }
    }
    this.#active.delete(key)
    if (this.#active.size === 0) this.#idle?.()
    this.#pump()
  }
}
