import * as v from 'valibot'
import { isTimeZone, parseSchedule } from '#shared/planning/cron/schedule.ts'
import { request, subscription } from './channel.ts'
import { clusterId } from './clusters.ts'

const kept = (least: number): v.GenericSchema<unknown, number> => v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(1000))
const MINUTE_MS = 60_000

/** When and how one cluster is backed up without anybody asking. */
export const backupSchedule = v.pipe(
  v.object({
    clusterId,
    enabled: v.boolean(),
    /** Five fields, `@daily` and the like, or `@every 6h`. */
    cron: v.string(),
    /** IANA name. */
    timeZone: v.pipe(v.string(), v.check(isTimeZone, 'this time zone is not known')),
    /** The recovery point objective: no good backup may be older than so. */
    targetMs: v.pipe(v.number(), v.minValue(MINUTE_MS)),
    retention: v.object({ last: kept(1), daily: kept(0), weekly: kept(0), monthly: kept(0) }),
    /** Scheduled backups are encrypted for public keys only: there is nobody to type a passphrase, and none is stored. */
    sealing: v.optional(v.object({ compress: v.boolean(), recipients: v.array(v.string()), pki: v.boolean() }), {
      compress: false,
      recipients: [],
      pki: false,
    }),
    /** Whether each backup is opened and read through the API afterwards. */
    testRestore: v.boolean(),
  }),
  v.check(({ cron, timeZone }) => parseSchedule(cron, timeZone).error === undefined, 'the schedule cannot be read'),
)
export type BackupSchedule = v.InferOutput<typeof backupSchedule>

export interface ScheduledRun {
  /** When it should have begun. */
  dueAtMs: number
  startedAtMs: number
  endedAtMs: number
  outcome: 'good' | 'suspicious' | 'broken' | 'failed'
  /** Why it failed; '' otherwise. */
  failure: string
  /** '' where there is none. */
  backupId: string
  /** Backups that retention removed after it. */
  removed: number
}

/** Runs that did not come to a good backup when they should have. */
export interface MissedRuns {
  count: number
  firstDueMs: number
  lastDueMs: number
  /** `not-running`: Drydock was off or the machine asleep. `failed`: it was tried; the last run says what happened. */
  why: 'not-running' | 'failed'
  /** When a good backup came after all; null while there is none. */
  caughtUpAtMs: number | null
}

export interface ScheduleView extends BackupSchedule {
  /** As it was called when it was last seen. */
  clusterName: string
  state: 'idle' | 'running'
  /** Null while it is off, or when it never comes. */
  nextRunMs: number | null
  /** After a failure: when it is tried again; null otherwise. */
  retryAtMs: number | null
  lastRun: ScheduledRun | null
  missed: MissedRuns | null
}

export const scheduleChannels = {
  'schedules.watch': subscription<ScheduleView[]>()(v.object({})),
  /** Makes or changes a cluster's schedule; what fell due before counts as done. */
  'schedules.put': request<null>()(backupSchedule),
  'schedules.remove': request<null>()(v.object({ clusterId })),
  /** When a schedule would run next, or why it cannot be read. */
  'schedules.preview': request<{ error: string; runsMs: number[] }>()(v.object({ cron: v.string(), timeZone: v.string() })),
} as const
