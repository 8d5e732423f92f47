/** How many good scheduled backups are kept: the newest ones, and the newest of each of so many days, weeks and months that have any. */
export interface Retention {
  last: number
  daily: number
  weekly: number
  monthly: number
}

/** What retention has to know of a backup. */
export interface RetainedBackup {
  id: string
  createdAtMs: number
  verdict: 'good' | 'suspicious' | 'broken' | 'unverified' | 'saving' | 'interrupted'
  /** Whether its file is there. */
  present: boolean
  pinned: boolean
  origin: 'manual' | 'scheduled'
}

/** Why a backup stays. `superseded` alone lets one go. */
export type RetentionReason = 'newest-good' | 'pinned' | 'not-scheduled' | 'not-verified' | keyof Retention | 'superseded'

export interface RetentionDecision {
  id: string
  keep: boolean
  reasons: RetentionReason[]
}

/**
 * What becomes of each backup of one cluster. Only what a schedule made and what was read back as good may go, and only while a newer
 * good one stays. What was tried and left no file goes once the newest good backups are all younger. What is broken, suspicious or not
 * verified stays: a person has to look at it.
 *
 * With `{ last: 2, daily: 3, weekly: 0, monthly: 0 }`, newest first:
 *
 *     Thu 18:00 last, daily   Thu 12:00 last   Thu 06:00 -   Wed 18:00 daily   Wed 12:00 -   Mon 18:00 daily   Sun 18:00 -
 *
 * @param timeZone IANA name: where days, weeks (from Monday) and months begin
 */
export function retentionPlan(backups: readonly RetainedBackup[], rule: Retention, timeZone: string): RetentionDecision[] {
  const newestFirst = [...backups].sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
  const usable = newestFirst.filter((each) => each.present && each.verdict === 'good')
  const scheduled = usable.filter((each) => each.origin === 'scheduled')
  const reasons = new Map<string, RetentionReason[]>(newestFirst.map(({ id }) => [id, []]))
  const note = (backup: RetainedBackup | undefined, reason: RetentionReason): void => {
    if (backup !== undefined) reasons.get(backup.id)?.push(reason)
  }
  note(usable[0], 'newest-good')
  const last = scheduled.slice(0, Math.max(1, rule.last))
  for (const each of last) note(each, 'last')
  const periods = periodsIn(timeZone)
  for (const tier of ['daily', 'weekly', 'monthly'] as const) {
    const seen = new Set<string>()
    for (const each of scheduled) {
      if (seen.size >= rule[tier]) break
      const period = periods[tier](each.createdAtMs)
      if (seen.has(period)) continue
      seen.add(period)
      note(each, tier)
    }
  }
  const oldestOfLast = last.at(-1)?.createdAtMs ?? -Infinity
  for (const each of newestFirst) {
    if (each.pinned) note(each, 'pinned')
    if (each.origin !== 'scheduled') note(each, 'not-scheduled')
    else if (each.verdict === 'interrupted' && !each.present) {
      if (each.createdAtMs >= oldestOfLast) note(each, 'last')
    } else if (each.verdict !== 'good' || !each.present) note(each, 'not-verified')
  }
  return newestFirst.map(({ id }) => {
    const found = reasons.get(id) ?? []
    return found.length > 0 ? { id, keep: true, reasons: found } : { id, keep: false, reasons: ['superseded'] }
  })
}

const DAY_MS = 86_400_000

function periodsIn(timeZone: string): Record<'daily' | 'weekly' | 'monthly', (ms: number) => string> {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const dayOf = (ms: number): string => format.format(ms)
  return {
    daily: dayOf,
    monthly: (ms) => dayOf(ms).slice(0, 7),
    weekly: (ms) => {
      const midnightMs = Date.parse(`${dayOf(ms)}T00:00:00Z`)
      const sinceMonday = (new Date(midnightMs).getUTCDay() + 6) % 7
      return new Date(midnightMs - sinceMonday * DAY_MS).toISOString().slice(0, 10)
    },
  }
}
