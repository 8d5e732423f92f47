import type { Clock } from '#shared/base/clock.ts'

/** One point in time at which something is to happen; it can be moved and called off. */
export class Deadline {
  #set: number | null = null
  #cancel: () => void = () => undefined

  /** @param seconds after `startMs`; undefined for never */
  set(clock: Clock, startMs: number, seconds: number | undefined, reached: () => void): void {
    const atMs = seconds === undefined ? null : startMs + seconds * 1000
    if (atMs === this.#set) return
    this.cancel()
    this.#set = atMs
    if (atMs !== null) this.#cancel = clock.schedule(Math.max(0, atMs - clock.now()), reached)
  }

  cancel(): void {
    this.#cancel()
    this.#cancel = () => undefined
    this.#set = null
  }
}
