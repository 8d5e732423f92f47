import type { Clock } from '#shared/base/clock.ts'

/** After this long a lost watch event is not waited for any more (upstream: 5 minutes). */
const EXPIRES_MS = 300_000

/** What a controller has done and not yet seen, so that it does not do it twice (upstream's ControllerExpectations). */
export class Expectations {
  readonly #clock: Clock
  readonly #created = new Map<string, { left: number; sinceMs: number }>()
  readonly #deleted = new Map<string, { uids: Set<string>; sinceMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  expectCreations(key: string, count: number): void {
    this.#created.set(key, { left: count, sinceMs: this.#clock.now() })
  }

  expectDeletions(key: string, uids: readonly string[]): void {
    this.#deleted.set(key, { uids: new Set(uids), sinceMs: this.#clock.now() })
  }

  created(key: string, count = 1): void {
    const expected = this.#created.get(key)
    if (expected !== undefined) expected.left -= count
  }

  deleted(key: string, uid: string): void {
    this.#deleted.get(key)?.uids.delete(uid)
  }

  satisfied(key: string): boolean {
    const now = this.#clock.now()
    const created = this.#created.get(key)
    const deleted = this.#deleted.get(key)
    return (
      (created === undefined || created.left <= 0 || now - created.sinceMs > EXPIRES_MS) &&
      (deleted === undefined || deleted.uids.size === 0 || now - deleted.sinceMs > EXPIRES_MS)
    )
  }

  forget(key: string): void {
    this.#created.delete(key)
    this.#deleted.delete(key)
  }
}
