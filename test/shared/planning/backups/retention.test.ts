import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { retentionPlan, type RetainedBackup, type Retention } from '#shared/planning/backups/retention.ts'

const backup = (time: string, facts: Partial<RetainedBackup> = {}): RetainedBackup => ({
  id: time,
  createdAtMs: Date.parse(`${time}:00Z`),
  verdict: 'good',
  present: true,
  pinned: false,
  origin: 'scheduled',
  ...facts,
})
const rule = (change: Partial<Retention>): Retention => ({ last: 1, daily: 0, weekly: 0, monthly: 0, ...change })
const kept = (backups: RetainedBackup[], change: Partial<Retention>, zone = 'UTC'): string[] =>
  retentionPlan(backups, rule(change), zone)
    .filter((each) => each.keep)
    .map((each) => each.id)

describe('retentionPlan', () => {
  const week = ['2026-03-05T18:00', '2026-03-05T12:00', '2026-03-05T06:00', '2026-03-04T18:00', '2026-03-04T12:00', '2026-03-02T18:00', '2026-03-01T18:00']

  it('keeps the newest ones and the newest of each day that has any', () => {
    expect(
      kept(
        week.map((time) => backup(time)),
        { last: 2, daily: 3 },
      ),
    ).toEqual(['2026-03-05T18:00', '2026-03-05T12:00', '2026-03-04T18:00', '2026-03-02T18:00'])
  })

  it('begins weeks on Monday and keeps the newest of each month', () => {
    const times = ['2026-03-02T01:00', '2026-03-01T23:00', '2026-02-23T01:00', '2026-02-22T23:00', '2026-01-31T23:00']
    expect(
      kept(
        times.map((time) => backup(time)),
        { weekly: 3 },
      ),
    ).toEqual(['2026-03-02T01:00', '2026-03-01T23:00', '2026-02-22T23:00'])
    expect(
      kept(
        times.map((time) => backup(time)),
        { monthly: 3 },
      ),
    ).toEqual(['2026-03-02T01:00', '2026-02-23T01:00', '2026-01-31T23:00'])
  })

  it('begins days where the schedule’s time zone does', () => {
    const backups = ['2026-03-05T04:30', '2026-03-05T03:00', '2026-03-04T12:00'].map((time) => backup(time))
    expect(kept(backups, { daily: 2 }, 'UTC')).toEqual(['2026-03-05T04:30', '2026-03-04T12:00'])
    // Before five in the morning in UTC it is the day before in New York: all three are of one day.
    expect(kept(backups, { daily: 2 }, 'America/New_York')).toEqual(['2026-03-05T04:30'])
  })

  it.each([
    { what: 'pinned', facts: { pinned: true } },
    { what: 'taken by hand', facts: { origin: 'manual' as const } },
    { what: 'broken', facts: { verdict: 'broken' as const } },
    { what: 'suspicious', facts: { verdict: 'suspicious' as const } },
    { what: 'not verified', facts: { verdict: 'unverified' as const } },
    { what: 'being saved', facts: { verdict: 'saving' as const, present: false } },
    { what: 'good, but its file is gone', facts: { present: false } },
  ])('leaves alone what is $what', ({ facts }) => {
    expect(kept([backup('2026-03-05T18:00'), backup('2025-01-01T00:00', facts)], {})).toContain('2025-01-01T00:00')
  })

  it('keeps the newest good one when everything after it failed', () => {
    const backups = [
      backup('2026-03-05T18:00', { verdict: 'broken' }),
      backup('2026-03-05T12:00', { verdict: 'interrupted', present: false }),
      backup('2026-03-05T06:00'),
      backup('2026-03-05T00:00'),
    ]
    expect(kept(backups, {})).toEqual(['2026-03-05T18:00', '2026-03-05T12:00', '2026-03-05T06:00'])
  })

  it('forgets what left no file once newer good ones are there', () => {
    const backups = [backup('2026-03-05T18:00'), backup('2026-03-05T12:00', { verdict: 'interrupted', present: false })]
    expect(kept(backups, {})).toEqual(['2026-03-05T18:00'])
    expect(kept(backups.slice(1), {})).toEqual(['2026-03-05T12:00'])
  })

  it('lets nothing go without a newer good backup that stays, whatever the facts are', () => {
    const random = new SeededRandom(6)
    const pick = <T>(all: readonly T[]): T => all[Math.floor(random.next() * all.length)] as T
    for (let round = 0; round < 300; round++) {
      const backups = Array.from({ length: 1 + Math.floor(random.next() * 40) }, (_, index): RetainedBackup => ({
        id: `b${String(index)}`,
        createdAtMs: Date.parse('2026-01-01T00:00:00Z') + Math.floor(random.next() * 4e9),
        verdict: pick(['good', 'good', 'good', 'suspicious', 'broken', 'unverified', 'saving', 'interrupted']),
        present: random.next() < 0.8,
        pinned: random.next() < 0.1,
        origin: pick(['scheduled', 'scheduled', 'manual']),
      }))
      const plan = retentionPlan(backups, rule({ last: pick([1, 2, 5]), daily: pick([0, 3]), weekly: pick([0, 2]), monthly: pick([0, 1]) }), 'UTC')
      expect(new Set(plan.map(({ id }) => id)).size).toBe(backups.length)
      const find = (id: string): RetainedBackup => backups.find((each) => each.id === id) as RetainedBackup
      for (const { id, keep } of plan) {
        if (keep) continue
        const gone = find(id)
        expect(gone.pinned).toBe(false)
        expect(gone.origin).toBe('scheduled')
        expect(gone.verdict === 'interrupted' || (gone.verdict === 'good' && gone.present)).toBe(true)
        const newer = plan.filter((each) => each.keep && find(each.id).createdAtMs >= gone.createdAtMs).map((each) => find(each.id))
        expect(newer.some((each) => each.verdict === 'good' && each.present)).toBe(true)
      }
    }
  })
})
