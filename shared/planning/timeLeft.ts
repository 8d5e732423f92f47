import { workedMs, type Spell } from './workedTime.ts'

/** A step as far as its times go. */
export interface TimedStep {
  state: string
  /** When it was worked on, oldest first. */
  spells: readonly Spell[]
  /** How long such a step usually takes, in milliseconds. */
  expectedMs: number
  /** How long it took in a rehearsal; null without one. */
  rehearsedMs: number | null
}

/** Steps by which it is told how fast a run is: enough for several lanes side by side, few enough to follow a run that becomes slower. */
const LATEST = 60
/** With fewer steps done nothing is said. */
const LEAST = 4

const weightOf = ({ expectedMs, rehearsedMs }: TimedStep): number => Math.max(1, rehearsedMs ?? expectedMs)

/**
 * How long a run will still take if it goes on as it did lately: what is expected of the steps ahead, by the pace of the last ones that ended.
 * Steps side by side count as they went; time in which nothing was worked on does not count.
 *
 * @returns milliseconds; null while too little is known, and when nothing is left
 */
export function timeLeftMs(steps: readonly TimedStep[], nowMs: number): number | null {
  const ended: { startedAtMs: number; endedAtMs: number; weight: number }[] = []
  let ahead = 0
  for (const step of steps) {
    const { state, spells } = step
    const [first, last] = [spells[0], spells.at(-1)]
    if (state === 'done' && first !== undefined && last !== undefined)
      ended.push({ startedAtMs: first.fromMs, endedAtMs: last.toMs ?? nowMs, weight: weightOf(step) })
    else if (state === 'pending') ahead += weightOf(step)
    else if (state === 'running') ahead += Math.max(0, weightOf(step) - workedMs(spells, nowMs))
  }
  if (ended.length < LEAST || ahead === 0) return null
  const latest = ended.sort((a, b) => a.endedAtMs - b.endedAtMs).slice(-LATEST)
  const sinceMs = Math.min(...latest.map(({ startedAtMs }) => startedAtMs))
  const tookMs = Math.max(
    1,
    workedMs(
      steps.flatMap(({ spells }) => spells),
      nowMs,
      sinceMs,
    ),
  )
  return (ahead * tookMs) / latest.reduce((sum, { weight }) => sum + weight, 0)
}
