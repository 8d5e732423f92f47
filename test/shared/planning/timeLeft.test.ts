import { describe, expect, it } from 'vitest'
import { timeLeftMs, type TimedStep } from '#shared/planning/timeLeft.ts'

const step = (startedAtMs: number | null, endedAtMs: number | null, change: Partial<TimedStep> = {}): TimedStep => ({
  state: endedAtMs !== null ? 'done' : startedAtMs !== null ? 'running' : 'pending',
  spells: startedAtMs === null ? [] : [{ fromMs: startedAtMs, toMs: endedAtMs }],
  expectedMs: 10_000,
  rehearsedMs: null,
  ...change,
})

/** Killed after 4 s, and gone on with for 6 s. */
const killedAt = (fromMs: number, index: number): { fromMs: number; toMs: number } => ({ fromMs, toMs: fromMs + (index === 0 ? 4_000 : 6_000) })

describe('the time a run will still take', () => {
  it('goes by the pace of the steps that ended', () => {
    // Each of five took 4 s where 10 s were expected; five are ahead.
    const done = [0, 1, 2, 3, 4].map((index) => step(index * 4_000, (index + 1) * 4_000))
    const ahead = Array.from({ length: 5 }, () => step(null, null))
    expect(timeLeftMs([...done, ...ahead], 20_000)).toBe(20_000)
  })

  it('counts steps side by side as they went, and what was rehearsed for what is expected', () => {
    // Eight in two lanes of four: 40 s of work in 20 s.
    const lanes = [0, 1, 2, 3].flatMap((index) => [0, 1].map(() => step(index * 5_000, (index + 1) * 5_000, { rehearsedMs: 5_000 })))
    expect(timeLeftMs([...lanes, ...Array.from({ length: 4 }, () => step(null, null, { rehearsedMs: 5_000 }))], 20_000)).toBe(10_000)
  })

  it('takes from a running step what it has had, and grows while nothing ends', () => {
    const done = [0, 1, 2, 3].map((index) => step(index * 10_000, (index + 1) * 10_000))
    expect(timeLeftMs([...done, step(40_000, null), step(null, null)], 44_000)).toBeCloseTo(16_000 * 1.1)
    expect(timeLeftMs([...done, step(40_000, null), step(null, null)], 80_000)).toBe(20_000)
  })

  it('leaves out the time in which nothing was worked on', () => {
    // The third was killed after 4 of its 10 s, and gone on with an hour later.
    const done = [
      step(0, 10_000),
      step(10_000, 20_000),
      step(null, null, { state: 'done', spells: [20_000, 3_624_000].map(killedAt) }),
      step(3_630_000, 3_640_000),
    ]
    expect(timeLeftMs([...done, step(null, null), step(null, null)], 3_640_000)).toBe(20_000)
    const resumed = step(null, null, {
      state: 'running',
      spells: [
        { fromMs: 3_640_000, toMs: 3_644_000 },
        { fromMs: 9_000_000, toMs: null },
      ],
    })
    expect(timeLeftMs([...done, resumed], 9_003_000)).toBeCloseTo(3_000 * (47 / 40))
  })

  it('is not told when too little is known, or nothing is left', () => {
    expect(timeLeftMs([step(0, 1_000), step(null, null)], 2_000)).toBeNull()
    expect(
      timeLeftMs(
        Array.from({ length: 6 }, (_, index) => step(index, index + 1)),
        10,
      ),
    ).toBeNull()
  })
})
