import type { Schedule } from '../cron/schedule.ts'

export interface DueTimes {
  /** How often it fell due; counting ends at `MOST_COUNTED`. */
  count: number
  firstMs: number
  lastMs: number
}

/** A schedule of every minute that slept for a week has ten thousand. */
const MOST_COUNTED = 20_000

/** When a schedule fell due after `afterMs`, up to and including `untilMs`; null when it did not. */
export function dueTimes(schedule: Schedule, { afterMs, untilMs }: { afterMs: number; untilMs: number }): DueTimes | null {
  const firstMs = schedule.next(afterMs)
  if (firstMs === null || firstMs > untilMs) return null
  let lastMs = firstMs
  for (let count = 1; count < MOST_COUNTED; count++) {
    const at = schedule.next(lastMs)
    if (at === null || at > untilMs) return { count, firstMs, lastMs }
    lastMs = at
  }
  return { count: MOST_COUNTED, firstMs, lastMs: untilMs }
}
