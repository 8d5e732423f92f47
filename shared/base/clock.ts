/** A source of time that a caller injects, so that a cluster can be paused, sped up and tested without waiting. */
export interface Clock {
  /** Milliseconds since the Unix epoch, as this clock sees it. */
  now(): number
  /**
   * Resolves after `delayMs` of this clock's time.
   * @throws the signal's reason when it aborts first
   */
  sleep(delayMs: number, options: { signal: AbortSignal }): Promise<void>
  /** Calls back once after `delayMs` of this clock's time; the returned function cancels it. */
  schedule(delayMs: number, callback: () => void): () => void
}

/** Sleeps by whatever schedules. */
export abstract class ScheduledClock implements Clock {
  abstract now(): number
  abstract schedule(delayMs: number, callback: () => void): () => void

  sleep(delayMs: number, { signal }: { signal: AbortSignal }): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error)
        return
      }
      const onAbort = (): void => {
        cancel()
        reject(signal.reason as Error)
      }
      const cancel = this.schedule(delayMs, () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      })
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}

/** setTimeout's largest delay; longer ones fire at once. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** The machine's clock, optionally running `scale` times faster from the moment of construction. */
export class SystemClock extends ScheduledClock {
  readonly #scale: number
  readonly #startMs = Date.now()

  constructor(scale = 1) {
    super()
    this.#scale = scale
  }

  now(): number {
    return this.#startMs + (Date.now() - this.#startMs) * this.#scale
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const handle = setTimeout(callback, Math.min(Math.max(0, delayMs / this.#scale), MAX_TIMEOUT_MS))
    return () => {
      clearTimeout(handle)
    }
  }
}

/** A clock that moves only when told to. Timers due fire in time order, then in the order they were set. */
export class FakeClock extends ScheduledClock {
  #nowMs: number
  #sequence = 0
  readonly #timers = new Map<number, { atMs: number; callback: () => void }>()

  constructor(startMs = Date.parse('2026-01-01T00:00:00Z')) {
    super()
    this.#nowMs = startMs
  }

  now(): number {
    return this.#nowMs
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const id = ++this.#sequence
    this.#timers.set(id, { atMs: this.#nowMs + Math.max(0, delayMs), callback })
    return () => {
      this.#timers.delete(id)
    }
  }

  /** Moves time on, firing what falls due; awaits a microtask turn after each timer so that chains of sleeps proceed. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs
    for (;;) {
      const next = [...this.#timers].filter(([, timer]) => timer.atMs <= untilMs).sort((a, b) => a[1].atMs - b[1].atMs || a[0] - b[0])[0]
      if (next === undefined) break
      const [id, timer] = next
      this.#timers.delete(id)
      this.#nowMs = timer.atMs
      timer.callback()
      for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    }
    this.#nowMs = untilMs
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }

  /** Timers not yet fired. */
  get pending(): number {
    return this.#timers.size
  }
}
