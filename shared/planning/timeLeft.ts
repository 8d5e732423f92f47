/** A step as far as its times go. */
export interface TimedStep {
  state: string
  startedAtMs: number | null
  endedAtMs: number | null
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
 * Steps side by side count as they went.
 *
 * @returns milliseconds; null while too little is known, and when nothing is left
 */
export function timeLeftMs(steps: readonly TimedStep[], nowMs: number): number | null {
  const ended: { startedAtMs: number; endedAtMs: number; weight: number }[] = []
  let ahead = 0
  for (const step of steps) {
    const { state, startedAtMs, endedAtMs } = step
    if (state === 'done' && startedAtMs !== null && endedAtMs !== null) ended.push({ startedAtMs, endedAtMs, weight: weightOf(step) })
    else if (state === 'pending') ahead += weightOf(step)
    else if (state === 'running') ahead += Math.max(0, weightOf(step) - (nowMs - (startedAtMs ?? nowMs)))
  }
  if (ended.length < LEAST || ahead === 0) return null
  const latest = ended.sort((a, b) => a.endedAtMs - b.endedAtMs).slice(-LATEST)
  const sinceMs = Math.min(...latest.map(({ startedAtMs }) => startedAtMs))
  const tookMs = Math.max(1, nowMs - sinceMs)
  return (ahead * tookMs) / latest.reduce((sum, { weight }) => sum + weight, 0)
}
