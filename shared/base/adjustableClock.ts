import { MAX_TIMEOUT_MS, ScheduledClock } from './clock.ts'

export interface ClockState {
  nowMs: number
  /** How many times faster than the machine's clock it runs. */
  scale: number
  paused: boolean
}

interface Timer {
  atMs: number
  callback: () => void
  /** Undefined while the clock is paused. */
  handle: ReturnType<typeof setTimeout> | undefined
}

/** A clock that can be paused and made faster or slower while it runs. It never goes back, and no timer is lost by a change. */
export class AdjustableClock extends ScheduledClock {
  #scale: number
  #paused = false
  /** What it showed, and the machine's clock, at the last change. */
  #sinceMs = Date.now()
  #machineMs = Date.now()
  readonly #timers = new Set<Timer>()

  constructor(scale = 1) {
    super()
    this.#scale = scale
  }

  now(): number {
    return this.#paused ? this.#sinceMs : this.#sinceMs + Math.max(0, Date.now() - this.#machineMs) * this.#scale
  }

  state(): ClockState {
    return { nowMs: this.now(), scale: this.#scale, paused: this.#paused }
  }

  /** @param change.scale above 0 */
  adjust(change: { scale?: number; paused?: boolean }): void {
    this.#sinceMs = this.now()
    this.#machineMs = Date.now()
    this.#scale = change.scale ?? this.#scale
    this.#paused = change.paused ?? this.#paused
    for (const timer of this.#timers) this.#arm(timer)
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const timer: Timer = { atMs: this.now() + Math.max(0, delayMs), callback, handle: undefined }
    this.#timers.add(timer)
    this.#arm(timer)
    return () => {
      clearTimeout(timer.handle)
      this.#timers.delete(timer)
    }
  }

  #arm(timer: Timer): void {
    clearTimeout(timer.handle)
    timer.handle = undefined
    if (this.#paused) return
    const waitMs = Math.max(0, (timer.atMs - this.now()) / this.#scale)
    timer.handle = setTimeout(
      () => {
        // Longer waits than a timer of the machine can have come in parts.
        if (waitMs > MAX_TIMEOUT_MS) {
          this.#arm(timer)
          return
        }
        this.#timers.delete(timer)
        timer.callback()
      },
      Math.min(waitMs, MAX_TIMEOUT_MS),
    )
  }
}
