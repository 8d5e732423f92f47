import { describe, expect, it } from 'vitest'
import type { ScheduleView } from '#shared/contract/schedules.ts'
import { missedState, presetOf } from '../../../../renderer/composables/scheduleWords.ts'
import ScheduleCard from '../../../../renderer/pages/backups/ScheduleCard.vue'
import { mountPage } from '../../support/mountPage.ts'

const HOUR_MS = 3_600_000
const NOW_MS = Date.parse('2026-01-02T12:00:00Z')

const schedule = (change: Partial<ScheduleView> = {}): ScheduleView => ({
  clusterId: 'prod',
  clusterName: 'prod',
  enabled: true,
  cron: '0 */6 * * *',
  timeZone: 'UTC',
  targetMs: 6 * HOUR_MS,
  retention: { last: 4, daily: 7, weekly: 0, monthly: 0 },
  sealing: { compress: true, recipients: [], pki: false },
  testRestore: true,
  state: 'idle',
  nextRunMs: NOW_MS + 2 * HOUR_MS,
  retryAtMs: null,
  lastRun: null,
  missed: null,
  ...change,
})
const text = (view: ScheduleView | null): string =>
  mountPage(ScheduleCard, { props: { schedule: view, name: 'prod', clusterId: 'prod', now: NOW_MS } })
    .wrapper.text()
    .replace(/\s+/g, ' ')
const missed = { count: 3, firstDueMs: NOW_MS - 20 * HOUR_MS, lastDueMs: NOW_MS - 8 * HOUR_MS, why: 'not-running', caughtUpAtMs: null } as const

describe('ScheduleCard', () => {
  it('says that nothing is scheduled', () => {
    expect(text(null)).toContain('Nothing backs prod up by itself.')
  })

  it('tells the next run, the target and what is kept', () => {
    const shown = text(schedule())
    expect(shown).toContain('Every 6 hours')
    expect(shown).toMatch(/Next run.*in 120m/)
    expect(shown).toContain('no older than 6h')
    expect(shown).toContain('the 4 newest, one a day for 7 days')
  })

  it('raises an alarm for what was missed until a good backup came, and remembers it for a week', () => {
    const alarm = mountPage(ScheduleCard, { props: { schedule: schedule({ missed }), name: 'prod', clusterId: 'prod', now: NOW_MS } }).wrapper
    expect(alarm.get('[role=alert]').text()).toMatch(/3 runs were missed since .*: Drydock was not running\.\s+There is no good backup since then/)
    const caughtUp = schedule({ missed: { ...missed, caughtUpAtMs: NOW_MS - HOUR_MS } })
    expect(text(caughtUp)).toMatch(/3 runs were missed .* Caught up at/)
    expect(missedState(caughtUp, NOW_MS + 8 * 24 * HOUR_MS)).toBe('none')
  })

  it('tells why the last run failed and when it is tried again', () => {
    const run = {
      dueAtMs: NOW_MS,
      startedAtMs: NOW_MS,
      endedAtMs: NOW_MS,
      outcome: 'failed',
      failure: 'connect ECONNREFUSED',
      backupId: '',
      removed: 0,
    } as const
    const shown = text(schedule({ lastRun: run, retryAtMs: NOW_MS + 60_000, missed: { ...missed, count: 1, why: 'failed' } }))
    expect(shown).toContain('Tried again in 60s')
    expect(shown).toContain('Failed')
    expect(shown).toContain('connect ECONNREFUSED')
    expect(shown).toMatch(/The run of .* failed\./)
  })

  it('names the schedules that have a name', () => {
    expect(presetOf(' 0  * * * * ')).toBe('hourly')
    expect(presetOf('5 4 * * 1')).toBe('custom')
  })
})
