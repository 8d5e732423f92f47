import type { Clock } from '#shared/base/clock.ts'
import { Emitter } from '#shared/base/emitter.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Backup } from '#shared/contract/backups.ts'
import type { BackupSchedule, ScheduledRun, ScheduleView } from '#shared/contract/schedules.ts'
import { dueTimes } from '#shared/planning/backups/dueTimes.ts'
import { parseSchedule, type Schedule } from '#shared/planning/cron/schedule.ts'
import type { Backups } from '../backups.ts'
import type { ScheduleFile, ScheduleRecord } from './scheduleFile.ts'

/** The clock is looked at again after so long at the latest: a machine that slept, or a clock that was set, is noticed then. */
const LOOK_EVERY_MS = 30_000
/** A run that begins later than this was missed: nothing here keeps it waiting so long but being off, asleep or busy with another backup. */
const LATE_MS = 5 * 60_000
/** After a failure: 1, 2, 4 … minutes, and every half hour from then on. */
const FIRST_RETRY_MS = 60_000
const LONGEST_RETRY_MS = 30 * 60_000

export interface BackupSchedulerOptions {
  file: ScheduleFile
  backups: Pick<Backups, 'save' | 'retain'>
  clock: Clock
  logger: Logger
  /** As the cluster is called now; '' when it is not known any more. */
  nameOf(clusterId: string): string
  /** Resolves when a cluster that is just starting has started, or did not. */
  settled(clusterId: string, context: { signal: AbortSignal }): Promise<void>
}

interface Retry {
  attempt: number
  atMs: number
  dueAtMs: number
}

/**
 * Runs backups when they fall due, one after the other. Before a run it is on disk that the run was begun, so that a crash loops over
 * no backup; what fell due while nobody was there is run once, late, and counted as missed.
 */
export class BackupScheduler {
  readonly changes = new Emitter<void>()
  readonly #options: BackupSchedulerOptions
  readonly #records = new Map<string, ScheduleRecord>()
  readonly #retries = new Map<string, Retry>()
  #running = ''
  #wake: () => void = () => undefined

  constructor(options: BackupSchedulerOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    for (const record of await this.#options.file.read()) {
      this.#records.set(record.clusterId, record)
      // What failed when Drydock ended is tried again at once.
      if (record.lastRun?.outcome === 'failed')
        this.#retries.set(record.clusterId, { attempt: 1, atMs: this.#options.clock.now(), dueAtMs: record.lastRun.dueAtMs })
    }
  }

  list(): ScheduleView[] {
    return [...this.#records.values()].map(({ handledUntilMs, ...record }) => ({
      ...record,
      state: this.#running === record.clusterId ? 'running' : 'idle',
      nextRunMs: record.enabled ? (scheduleOf(record)?.next(Math.max(handledUntilMs, this.#options.clock.now())) ?? null) : null,
      retryAtMs: record.enabled ? (this.#retries.get(record.clusterId)?.atMs ?? null) : null,
    }))
  }

  async put(schedule: BackupSchedule): Promise<null> {
    const { clock, nameOf } = this.#options
    const before = this.#records.get(schedule.clusterId)
    await this.#write({
      ...schedule,
      lastRun: before?.lastRun ?? null,
      missed: before?.missed ?? null,
      clusterName: nameOf(schedule.clusterId) || (before?.clusterName ?? schedule.clusterId),
      handledUntilMs: clock.now(),
    })
    this.#wake()
    return null
  }

  async remove({ clusterId }: { clusterId: string }): Promise<null> {
    this.#records.delete(clusterId)
    this.#retries.delete(clusterId)
    await this.#options.file.write([...this.#records.values()])
    this.changes.emit()
    return null
  }

  /** Runs what falls due until the signal aborts; a backup under way then is broken off and leaves nothing. */
  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    const { clock } = this.#options
    while (!signal.aborted) {
      for (const record of [...this.#records.values()]) if (!signal.aborted) await this.#look(record.clusterId, signal)
      const changed = new AbortController()
      this.#wake = () => {
        changed.abort()
      }
      await clock.sleep(this.#untilNextMs(), { signal: AbortSignal.any([signal, changed.signal]) }).catch(() => undefined)
    }
  }

  #untilNextMs(): number {
    const now = this.#options.clock.now()
    const times = this.list().flatMap(({ nextRunMs, retryAtMs }) => [nextRunMs, retryAtMs].filter((each) => each !== null))
    return Math.min(LOOK_EVERY_MS, ...times.map((each) => Math.max(1, each - now)))
  }

  async #look(clusterId: string, signal: AbortSignal): Promise<void> {
    const record = this.#records.get(clusterId)
    const schedule = record === undefined ? null : scheduleOf(record)
    if (record === undefined || schedule === null || !record.enabled) return
    const now = this.#options.clock.now()
    const due = dueTimes(schedule, { afterMs: record.handledUntilMs, untilMs: now })
    const retry = this.#retries.get(clusterId)
    if (due !== null) {
      const late = due.count - (now - due.lastMs > LATE_MS ? 0 : 1)
      const missed = late === 0 ? record.missed : added(record.missed, { ...due, count: late, why: 'not-running' })
      this.#retries.delete(clusterId)
      await this.#write({ ...record, handledUntilMs: now, missed })
      await this.#back(clusterId, { dueAtMs: due.lastMs, attempt: 1 }, signal)
    } else if (retry !== undefined && retry.atMs <= now) await this.#back(clusterId, { dueAtMs: retry.dueAtMs, attempt: retry.attempt + 1 }, signal)
  }

  /** One run: saved, verified and opened; then older ones are let go. */
  async #back(clusterId: string, { dueAtMs, attempt }: { dueAtMs: number; attempt: number }, signal: AbortSignal): Promise<void> {
    const { clock, logger, settled, nameOf } = this.#options
    this.#running = clusterId
    this.changes.emit()
    const startedAtMs = clock.now()
    const run: ScheduledRun = { dueAtMs, startedAtMs, endedAtMs: startedAtMs, outcome: 'failed', failure: '', backupId: '', removed: 0 }
    try {
      await settled(clusterId, { signal })
      const backup = await this.#save(clusterId, signal)
      run.backupId = backup.id
      run.outcome = backup.verdict === 'good' || backup.verdict === 'suspicious' || backup.verdict === 'broken' ? backup.verdict : 'failed'
      if (run.outcome !== 'good') run.failure = backup.checks.find((check) => check.verdict !== 'good')?.detail ?? 'the file was not verified'
      else await this.#afterwards(clusterId, run)
    } catch (error) {
      if (signal.aborted) return
      run.failure = error instanceof Error ? error.message : String(error)
    } finally {
      this.#running = ''
      this.changes.emit()
    }
    run.endedAtMs = clock.now()
    // Removed while it ran: then there is nothing to note.
    const record = this.#records.get(clusterId)
    if (record === undefined) return
    const well = run.outcome === 'good'
    const first = record.missed === null || record.missed.caughtUpAtMs !== null || record.missed.lastDueMs < dueAtMs
    const missed = well
      ? caughtUp(record.missed, run)
      : first
        ? added(record.missed, { count: 1, firstMs: dueAtMs, lastMs: dueAtMs, why: 'failed' })
        : record.missed
    if (well) this.#retries.delete(clusterId)
    else {
      const retryMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1))
      this.#retries.set(clusterId, { attempt, atMs: run.endedAtMs + retryMs, dueAtMs })
      logger.warn('a scheduled backup failed', { cluster: record.clusterName, failure: run.failure })
    }
    await this.#write({ ...record, clusterName: nameOf(clusterId) || record.clusterName, lastRun: run, missed })
  }

  async #save(clusterId: string, signal: AbortSignal): Promise<Backup> {
    const { sealing, testRestore = false } = this.#records.get(clusterId) ?? {}
    for await (const progress of this.#options.backups.save({ clusterId, sealing, origin: 'scheduled', thenTest: testRestore }, { signal }))
      if (progress.phase === 'done') return progress.backup
    throw new Error('the backup ended without a result')
  }

  /** The backup is good already: what goes wrong here is noted and takes nothing from that. */
  async #afterwards(clusterId: string, run: ScheduledRun): Promise<void> {
    const { backups, logger } = this.#options
    const record = this.#records.get(clusterId)
    if (record === undefined) return
    try {
      run.removed = (await backups.retain({ clusterId, retention: record.retention, timeZone: record.timeZone })).length
    } catch (error) {
      logger.warn('older backups could not be removed', { cluster: record.clusterName, error: error instanceof Error ? error.message : String(error) })
    }
  }

  async #write(record: ScheduleRecord): Promise<void> {
    this.#records.set(record.clusterId, record)
    await this.#options.file.write([...this.#records.values()])
    this.changes.emit()
  }
}

function scheduleOf({ cron, timeZone }: Pick<ScheduleRecord, 'cron' | 'timeZone'>): Schedule | null {
  const parsed = parseSchedule(cron, timeZone)
  return parsed.error === undefined ? parsed.schedule : null
}

type Missed = NonNullable<ScheduleView['missed']>

/** One alarm goes on until a good backup ends it; the next one after that begins anew. */
function added(before: Missed | null, { count, firstMs, lastMs, why }: { count: number; firstMs: number; lastMs: number; why: Missed['why'] }): Missed {
  const open = before !== null && before.caughtUpAtMs === null ? before : null
  return { count: (open?.count ?? 0) + count, firstDueMs: open?.firstDueMs ?? firstMs, lastDueMs: lastMs, why, caughtUpAtMs: null }
}

/** A run that came in time after one that caught up closes the matter. */
function caughtUp(before: Missed | null, run: ScheduledRun): Missed | null {
  if (before === null) return null
  if (before.caughtUpAtMs === null) return { ...before, caughtUpAtMs: run.endedAtMs }
  return before
}
