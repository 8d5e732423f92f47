import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as v from 'valibot'
import type { Logger } from '#shared/base/logger.ts'
import { backupSchedule, type ScheduleView } from '#shared/contract/schedules.ts'

/** What is kept of a schedule. */
export interface ScheduleRecord extends Omit<ScheduleView, 'state' | 'nextRunMs' | 'retryAtMs'> {
  /** What fell due up to here was run, or counted as missed. */
  handledUntilMs: number
}

const records: v.GenericSchema<unknown, ScheduleRecord[]> = v.array(
  v.intersect([
    backupSchedule,
    v.object({
      clusterName: v.string(),
      handledUntilMs: v.number(),
      lastRun: v.nullable(
        v.object({
          dueAtMs: v.number(),
          startedAtMs: v.number(),
          endedAtMs: v.number(),
          outcome: v.picklist(['good', 'suspicious', 'broken', 'failed']),
          failure: v.string(),
          backupId: v.string(),
          removed: v.number(),
        }),
      ),
      missed: v.nullable(
        v.object({
          count: v.number(),
          firstDueMs: v.number(),
          lastDueMs: v.number(),
          why: v.picklist(['not-running', 'failed']),
          caughtUpAtMs: v.nullable(v.number()),
        }),
      ),
    }),
  ]),
)

/** The schedules of all clusters in one JSON file, replaced whole and flushed to disk. */
export class ScheduleFile {
  readonly #path: string
  readonly #logger: Logger

  constructor({ path, logger }: { path: string; logger: Logger }) {
    this.#path = path
    this.#logger = logger
  }

  /** A file that cannot be read is kept beside, and there are no schedules: that is logged as an error. */
  async read(): Promise<ScheduleRecord[]> {
    try {
      return v.parse(records, JSON.parse(await readFile(this.#path, 'utf8')))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      this.#logger.error('backup schedules cannot be read; the file is kept and no backups are scheduled', {
        path: this.#path,
        error: (error as Error).message,
      })
      await rename(this.#path, `${this.#path}.unreadable`)
      return []
    }
  }

  async write(all: readonly ScheduleRecord[]): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
    const file = await open(`${this.#path}.part`, 'w', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(all, null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${this.#path}.part`, this.#path)
  }
}
