import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AdjustableClock } from '#shared/base/adjustableClock.ts'

const HOUR_MS = 3_600_000

describe('AdjustableClock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse('2026-01-01T00:00:00Z') })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('runs as many times faster as it is told, from where it is', () => {
    const clock = new AdjustableClock(10)
    const startMs = clock.now()
    vi.advanceTimersByTime(1000)
    expect(clock.now() - startMs).toBe(10_000)
    clock.adjust({ scale: 60 })
    expect(clock.now() - startMs).toBe(10_000)
    vi.advanceTimersByTime(1000)
    expect(clock.now() - startMs).toBe(70_000)
    clock.adjust({ scale: 0.5 })
    vi.advanceTimersByTime(1000)
    expect(clock.state()).toEqual({ nowMs: startMs + 70_500, scale: 0.5, paused: false })
  })

  it('lets a day of timers pass in a minute, in their order', () => {
    const clock = new AdjustableClock(1)
    const fired: string[] = []
    for (const hour of [23, 5, 11])
      clock.schedule(hour * HOUR_MS, () => fired.push(`${String(hour)} at ${String(Math.round((clock.now() - startMs) / HOUR_MS))}`))
    const startMs = clock.now()
    vi.advanceTimersByTime(1000)
    clock.adjust({ scale: 1440 })
    vi.advanceTimersByTime(60_000)
    expect(fired).toEqual(['5 at 5', '11 at 11', '23 at 23'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('fires nothing while it stands, and what was left of each wait afterwards', async () => {
    const clock = new AdjustableClock(1)
    const fired = vi.fn()
    clock.schedule(5000, fired)
    const cancelled = clock.schedule(6000, fired)
    vi.advanceTimersByTime(3000)
    clock.adjust({ paused: true })
    const stoodMs = clock.now()
    clock.schedule(1000, fired)
    const sleeping = clock.sleep(1500, { signal: new AbortController().signal })
    cancelled()
    vi.advanceTimersByTime(HOUR_MS)
    expect([fired.mock.calls.length, clock.now(), vi.getTimerCount()]).toEqual([0, stoodMs, 0])
    clock.adjust({ paused: false })
    vi.advanceTimersByTime(1000)
    expect(fired).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(1000)
    expect(fired).toHaveBeenCalledTimes(2)
    await sleeping
    expect(vi.getTimerCount()).toBe(0)
  })

  it('waits longer than a timer of the machine can', () => {
    const clock = new AdjustableClock(1)
    const fired = vi.fn()
    clock.schedule(60 * 24 * HOUR_MS, fired)
    vi.advanceTimersByTime(59 * 24 * HOUR_MS)
    expect(fired).not.toHaveBeenCalled()
    vi.advanceTimersByTime(24 * HOUR_MS)
    expect(fired).toHaveBeenCalledTimes(1)
  })

  it('ends a sleep that is aborted while it stands', async () => {
    const clock = new AdjustableClock(1)
    clock.adjust({ paused: true })
    const aborter = new AbortController()
    const sleeping = clock.sleep(1000, { signal: aborter.signal })
    aborter.abort(new Error('enough'))
    await expect(sleeping).rejects.toThrow('enough')
  })
})
