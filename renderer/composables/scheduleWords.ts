import type { ScheduleView } from '#shared/contract/schedules.ts'

/** Schedules offered by name; everything else is written as cron. */
export const PRESETS = {
  hourly: '0 * * * *',
  sixHourly: '0 */6 * * *',
  daily: '0 2 * * *',
  weekly: '0 2 * * 0',
} as const
export type Preset = keyof typeof PRESETS | 'custom'

export function presetOf(cron: string): Preset {
  const named = cron.trim().replace(/\s+/g, ' ')
  return (Object.keys(PRESETS) as (keyof typeof PRESETS)[]).find((name) => PRESETS[name] === named) ?? 'custom'
}

/** How long it is told that missed runs were caught up. */
const REMEMBERED_MS = 7 * 86_400_000

/** What the missed runs of a schedule call for: an alarm until a good backup came, then a note for a week. */
export function missedState({ missed }: Pick<ScheduleView, 'missed'>, nowMs: number): 'none' | 'alarm' | 'caught-up' {
  if (missed === null) return 'none'
  if (missed.caughtUpAtMs === null) return 'alarm'
  return nowMs - missed.caughtUpAtMs < REMEMBERED_MS ? 'caught-up' : 'none'
}
