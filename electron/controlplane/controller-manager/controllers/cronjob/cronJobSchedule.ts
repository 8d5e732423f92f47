import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Schedule } from '#shared/planning/cron/schedule.ts'
import { specOf, statusOf, textAt } from '../../controller.ts'

/** Beyond this many missed runs something is wrong with the clocks. */
const TOO_MANY = 100

export interface MissedRun {
  /** When the latest run should have been, null when none is due. */
  latestMs: number | null
  tooMany: boolean
}

/** Runs that were due after the last one (or the job's making) and up to now. @see pkg/controller/cronjob/utils.go */
export function missedRun(cronJob: KubeObject, schedule: Schedule, nowMs: number): MissedRun {
  const { startingDeadlineSeconds } = specOf(cronJob)
  const last = Date.parse(textAt(statusOf(cronJob)['lastScheduleTime']))
  let fromMs = Number.isNaN(last) ? Date.parse(cronJob.metadata.creationTimestamp ?? '') : last
  if (typeof startingDeadlineSeconds === 'number') fromMs = Math.max(fromMs, nowMs - startingDeadlineSeconds * 1000)
  const first = schedule.next(fromMs)
  if (first === null || first > nowMs) return { latestMs: null, tooMany: false }
  let latestMs = first
  let count = 1
  for (let at = schedule.next(latestMs); at !== null && at <= nowMs; at = schedule.next(at)) {
    latestMs = at
    if (++count > TOO_MANY) return { latestMs: latestBefore(schedule, nowMs), tooMany: true }
  }
  return { latestMs, tooMany: false }
}

/** The latest run up to now, looked for backwards: what is long past is not walked through run by run. */
function latestBefore(schedule: Schedule, nowMs: number): number {
  let backMs = 60_000
  for (;;) {
    let at = schedule.next(nowMs - backMs)
    if (at === null || at > nowMs) {
      backMs *= 2
      continue
    }
    for (let later = schedule.next(at); later !== null && later <= nowMs; later = schedule.next(later)) at = later
    return at
  }
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Go's RFC1123Z in UTC, as events tell a missed run. */
export function rfc1123(ms: number): string {
  const date = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, '0')
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')
  return `${WEEKDAYS[date.getUTCDay()] ?? ''}, ${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()] ?? ''} ${String(date.getUTCFullYear())} ${time} +0000`
}
