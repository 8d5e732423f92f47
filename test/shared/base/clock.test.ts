import { describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'

describe('FakeClock', () => {
  it('fires timers in time order, then in the order they were set', async () => {
    const clock = new FakeClock(0)
    const fired: string[] = []
    clock.schedule(20, () => fired.push('b'))
    clock.schedule(10, () => fired.push('a'))
    clock.schedule(20, () => fired.push('c'))
    await clock.advance(15)
    expect(fired).toEqual(['a'])
    await clock.advance(5)
    expect(fired).toEqual(['a', 'b', 'c'])
  })

  it('rejects a sleep with the reason of its signal and leaves no timer', async () => {
    const clock = new FakeClock(0)
    const controller = new AbortController()
    const sleeping = clock.sleep(1000, { signal: controller.signal })
    controller.abort(new Error('stop'))
    await expect(sleeping).rejects.toThrow('stop')
    expect(clock.pending).toBe(0)
  })
})
