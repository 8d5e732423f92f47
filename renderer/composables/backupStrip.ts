import type { Backup } from '#shared/contract/backups.ts'
import { DAY_MS } from './certificateAxis.ts'

export interface StripDay {
  /** Midnight in local time. */
  startMs: number
  backups: number
  /** The best that day brought: one good backup makes a good day. */
  state: 'none' | 'good' | 'unsure' | 'broken'
}

/** The last days up to today, oldest first, with what was backed up on each. */
export function backupStrip(backups: readonly Pick<Backup, 'createdAtMs' | 'verdict' | 'present'>[], nowMs: number, days: number): StripDay[] {
  const today = new Date(nowMs)
  today.setHours(0, 0, 0, 0)
  return Array.from({ length: days }, (_, index) => {
    const start = new Date(today)
    start.setDate(start.getDate() - (days - 1 - index))
    const end = new Date(start)
    end.setDate(end.getDate() + 1)
    const here = backups.filter((each) => each.createdAtMs >= start.getTime() && each.createdAtMs < end.getTime() && each.verdict !== 'saving')
    const usable = here.filter((each) => each.present)
    const state =
      here.length === 0
        ? 'none'
        : usable.some((each) => each.verdict === 'good')
          ? 'good'
          : usable.some((each) => each.verdict === 'unverified' || each.verdict === 'suspicious')
            ? 'unsure'
            : 'broken'
    return { startMs: start.getTime(), backups: here.length, state }
  })
}

/** Older than this, the newest backup is told of as late. */
export const LATE_BACKUP_MS = DAY_MS
