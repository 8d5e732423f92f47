import type { Clock } from '#shared/base/clock.ts'
import type { Random } from '#shared/base/random.ts'

/** First wait, growth and ceiling: client-go's reflector waits 0.8 s to 30 s. */
const FIRST_MS = 800
const CEILING_MS = 30_000

/** Growing waits between attempts, with jitter, that can be cut short. */
export class Backoff {
  readonly #clock: Clock
  readonly #random: Random
  #failures = 0
  #wake: (() => void) | null = null

  constructor({ clock, random }: { clock: Clock; random: Random }) {
    this.#clock = clock
    this.#random = random
  }

  /** The next wait in milliseconds, one to two times the current step. */
  next(): number {
    const step = Math.min(CEILING_MS, FIRST_MS * 2 ** this.#failures++)
    return step * (1 + this.#random.next())
  }

  reset(): void {
    this.#failures = 0
  }

  /** Waits, or until woken or aborted; never throws. */
  async wait(delayMs: number, { signal }: { signal: AbortSignal }): Promise<void> {
    const cut = new AbortController()
    this.#wake = () => {
      cut.abort()
    }
    await this.#clock.sleep(delayMs, { signal: AbortSignal.any([signal, cut.signal]) }).catch(() => undefined)
    this.#wake = null
  }

  /** Ends a running wait. */
  wake(): void {
    this.#wake?.()
  }
}
