import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BackupScheduler } from '#electron/snapshot/schedules/backupScheduler.ts'
import { ScheduleFile } from '#electron/snapshot/schedules/scheduleFile.ts'
import { FakeClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import type { Backup, BackupProgress } from '#shared/contract/backups.ts'
import type { BackupSchedule } from '#shared/contract/schedules.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const directory = temporaryDirectory('schedules')
const HOUR_MS = 3_600_000
const START_MS = Date.parse('2026-01-01T00:00:00Z')
const at = (time: string): number => Date.parse(`2026-01-${time}:00Z`)
let serial = 0

const sixHourly: BackupSchedule = {
  clusterId: 'prod',
  enabled: true,
  cron: '0 */6 * * *',
  timeZone: 'UTC',
  targetMs: 6 * HOUR_MS,
  retention: { last: 2, daily: 0, weekly: 0, monthly: 0 },
  sealing: { compress: true, recipients: [], pki: false },
  testRestore: true,
}

/** A cluster whose backups succeed unless `outcome` says otherwise, and a scheduler that can be ended and begun again on the same file. */
class Bed {
  readonly clock = new FakeClock(START_MS)
  readonly path = join(directory, `${String(++serial)}.json`)
  readonly saved: number[] = []
  readonly calls: string[] = []
  outcome: 'good' | 'broken' | Error = 'good'
  scheduler = this.#make()
  #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  #make(): BackupScheduler {
    return new BackupScheduler({
      file: new ScheduleFile({ path: this.path, logger: silentLogger }),
      clock: this.clock,
      logger: silentLogger,
      nameOf: () => 'Prod / EU',
      settled: () => Promise.resolve(),
      backups: {
        save: ({ origin = '', thenTest = false, sealing }) => this.#save(`${origin}${thenTest ? ', test' : ''}${sealing?.compress === true ? ', zstd' : ''}`),
        retain: ({ retention }) => {
          this.calls.push(`retain ${String(retention.last)}`)
          return Promise.resolve(['old'])
        },
      },
    })
  }

  async *#save(origin: string): AsyncGenerator<BackupProgress> {
    this.saved.push(this.clock.now())
    this.calls.push(`save ${origin}`)
    if (this.outcome instanceof Error) throw this.outcome
    const backup = {
      id: `b${String(this.saved.length)}`,
      verdict: this.outcome,
      checks: [{ name: 'order', verdict: this.outcome, detail: 'revision 7 is twice there' }],
    }
    yield { phase: 'done', backup: backup as Backup }
  }

  async start(): Promise<void> {
    await this.scheduler.open()
    this.#stop = new AbortController()
    this.#running = this.scheduler.run({ signal: this.#stop.signal })
    await this.advance(0)
  }

  async end(): Promise<void> {
    this.#stop.abort(new Error('ends'))
    await this.#running
  }

  /** Ends, lets time pass, and begins again from the file. */
  async absentFor(ms: number): Promise<void> {
    await this.end()
    await this.clock.advance(ms)
    this.scheduler = this.#make()
    await this.start()
  }

  /** The file is written by real input and output, which no fake clock waits for: time moves only while the scheduler sleeps. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.clock.now() + ms
    do {
      while (this.clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
      await this.clock.advance(Math.min(30_000, untilMs - this.clock.now()))
      while (this.clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
    } while (this.clock.now() < untilMs)
  }

  get view(): ReturnType<BackupScheduler['list']>[number] {
    const [view] = this.scheduler.list()
    if (view === undefined) throw new Error('there is no schedule')
    return view
  }
}

async function bed(schedule: Partial<BackupSchedule> = {}): Promise<Bed> {
  const made = new Bed()
  await made.start()
  await made.scheduler.put({ ...sixHourly, ...schedule })
  await made.advance(0)
  return made
}

describe('BackupScheduler', () => {
  it('saves when it falls due, opens it and lets older ones go', async () => {
    const it = await bed()
    expect(it.view).toMatchObject({ clusterName: 'Prod / EU', state: 'idle', nextRunMs: at('01T06:00'), lastRun: null, missed: null })
    await it.advance(6 * HOUR_MS)
    expect(it.calls).toEqual(['save scheduled, test, zstd', 'retain 2'])
    expect(it.view).toMatchObject({
      nextRunMs: at('01T12:00'),
      missed: null,
      lastRun: { dueAtMs: at('01T06:00'), outcome: 'good', backupId: 'b1', removed: 1, failure: '' },
    })
    await it.end()
  })

  it('runs by the wall clock of its time zone', async () => {
    const it = await bed({ cron: '30 2 * * *', timeZone: 'America/New_York' })
    expect(it.view.nextRunMs).toBe(at('01T07:30'))
    await it.end()
  })

  it('goes on from its file, and runs once for all that it missed while it was off', async () => {
    const it = await bed()
    await it.absentFor(20 * HOUR_MS)
    expect(it.saved).toEqual([at('01T20:00')])
    expect(it.view).toMatchObject({
      nextRunMs: at('02T00:00'),
      lastRun: { dueAtMs: at('01T18:00'), outcome: 'good' },
      missed: { count: 3, firstDueMs: at('01T06:00'), lastDueMs: at('01T18:00'), why: 'not-running', caughtUpAtMs: at('01T20:00') },
    })
    await it.end()
  })

  it('tries again after a failure with longer and longer pauses, and says so until a good one comes', async () => {
    const it = await bed()
    it.outcome = new Error('connect ECONNREFUSED 10.0.0.1:2379')
    await it.advance(6 * HOUR_MS + 7.5 * 60_000)
    expect(it.saved.map((ms) => (ms - at('01T06:00')) / 60_000)).toEqual([0, 1, 3, 7])
    expect(it.view).toMatchObject({
      retryAtMs: at('01T06:15'),
      lastRun: { outcome: 'failed', failure: 'connect ECONNREFUSED 10.0.0.1:2379' },
      missed: { count: 1, firstDueMs: at('01T06:00'), why: 'failed', caughtUpAtMs: null },
    })
    it.outcome = 'good'
    await it.advance(8 * 60_000)
    expect(it.view).toMatchObject({ retryAtMs: null, lastRun: { outcome: 'good' }, missed: { count: 1, caughtUpAtMs: at('01T06:15') } })
    await it.end()
  })

  it('counts each run that stays without a good backup', async () => {
    const it = await bed()
    it.outcome = 'broken'
    await it.advance(13 * HOUR_MS)
    expect(it.view.missed).toMatchObject({ count: 2, firstDueMs: at('01T06:00'), lastDueMs: at('01T12:00'), caughtUpAtMs: null })
    expect(it.view.lastRun).toMatchObject({ outcome: 'broken', failure: 'revision 7 is twice there' })
    expect(it.calls).not.toContain('retain 2')
    await it.end()
  })

  it('tries at once again what had failed when Drydock ended', async () => {
    const it = await bed()
    it.outcome = new Error('unreachable')
    await it.advance(6 * HOUR_MS + 1000)
    it.outcome = 'good'
    await it.absentFor(1000)
    expect(it.view).toMatchObject({ lastRun: { outcome: 'good', dueAtMs: at('01T06:00') }, missed: { count: 1 } })
    expect(it.view.missed?.caughtUpAtMs).not.toBeNull()
    await it.end()
  })

  it('does nothing while it is off, and nothing for the time in which it was off', async () => {
    const it = await bed({ enabled: false })
    await it.advance(13 * HOUR_MS)
    expect(it.view).toMatchObject({ nextRunMs: null })
    await it.scheduler.put(sixHourly)
    await it.advance(1000)
    expect(it.saved).toEqual([])
    expect(it.view).toMatchObject({ nextRunMs: at('01T18:00'), missed: null })
    await it.end()
  })

  it('does not test what was not asked to be tested, and forgets a schedule that is removed', async () => {
    const it = await bed({ testRestore: false })
    await it.advance(6 * HOUR_MS)
    expect(it.calls).toEqual(['save scheduled, zstd', 'retain 2'])
    await it.scheduler.remove({ clusterId: 'prod' })
    expect(it.scheduler.list()).toEqual([])
    expect(JSON.parse(readFileSync(it.path, 'utf8'))).toEqual([])
    await it.end()
  })

  it('keeps a file that it cannot read', async () => {
    const it = new Bed()
    writeFileSync(it.path, '[{"clusterId": 7}]')
    await it.start()
    expect(it.scheduler.list()).toEqual([])
    expect(readFileSync(`${it.path}.unreadable`, 'utf8')).toBe('[{"clusterId": 7}]')
    await it.end()
  })
})
