import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { Clock } from '#shared/base/clock.ts'
import { parseSchedule } from '#shared/planning/cron/schedule.ts'
import type { BackupScheduler } from '../snapshot/schedules/backupScheduler.ts'
import { following } from './changes.ts'

/** Times shown of a schedule that is being written. */
const PREVIEWED = 3

/** The contract's namespace `schedules`. */
export function scheduleHandlers(
  scheduler: BackupScheduler,
  clock: Clock,
): {
  requests: Pick<RequestHandlers, 'schedules.put' | 'schedules.remove' | 'schedules.preview'>
  subscriptions: Pick<SubscriptionHandlers, 'schedules.watch'>
} {
  return {
    requests: {
      'schedules.put': (input) => scheduler.put(input),
      'schedules.remove': (input) => scheduler.remove(input),
      'schedules.preview': ({ cron, timeZone }) => {
        const parsed = parseSchedule(cron, timeZone)
        if (parsed.error !== undefined) return Promise.resolve({ error: parsed.error, runsMs: [] })
        const runsMs: number[] = []
        for (let at = parsed.schedule.next(clock.now()); at !== null && runsMs.length < PREVIEWED; at = parsed.schedule.next(at)) runsMs.push(at)
        return Promise.resolve({ error: runsMs.length === 0 ? 'there is no such day within five years' : '', runsMs })
      },
    },
    subscriptions: {
      'schedules.watch': (_input, { signal }) =>
        following(
          () => scheduler.list(),
          (listener) => scheduler.changes.subscribe(listener),
          signal,
        ),
    },
  }
}
