import { describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { WorkQueue } from '#electron/client/workQueue.ts'

function queue(handle: (key: string) => Promise<void>): { queue: WorkQueue; clock: FakeClock; stop: () => Promise<void> } {
  const clock = new FakeClock()
  const made = new WorkQueue({ name: 'test', clock, random: new SeededRandom(1), logger: silentLogger, handle })
  const aborter = new AbortController()
  const done = made.run(aborter.signal)
  return {
    queue: made,
    clock,
    stop: () => {
      aborter.abort()
      return done
    },
  }
}

describe('WorkQueue', () => {
  it('handles a key again that was added while it was being handled, and never twice at once', async () => {
    const gates: (() => void)[] = []
    let active = 0
    let most = 0
    const {
      queue: keys,
      stop,
      clock,
    } = queue(async () => {
      most = Math.max(most, ++active)
      await new Promise<void>((resolve) => gates.push(resolve))
      active--
    })
    keys.add('a')
    keys.add('a')
    await clock.advance(0)
    keys.add('a')
    expect(gates).toHaveLength(1)
    gates[0]?.()
    await clock.advance(0)
    expect(gates).toHaveLength(2)
    gates[1]?.()
    await clock.advance(0)
    expect(keys.length).toBe(0)
    expect(most).toBe(1)
    await stop()
  })

  it('retries a failed key later and later until it succeeds', async () => {
    const at: number[] = []
    const {
      queue: keys,
      clock,
      stop,
    } = queue(() => {
      at.push(clock.now())
      return at.length < 4 ? Promise.reject(new Error('not yet')) : Promise.resolve()
    })
    const start = clock.now()
    keys.add('a')
    await clock.advance(0)
    await clock.advance(1_000)
    expect(at.map((ms) => ms - start)).toEqual([0, 5, 15, 35])
    await stop()
  })

  it('keeps the earliest of several delays', async () => {
    const handled: number[] = []
    const {
      queue: keys,
      clock,
      stop,
    } = queue(() => {
      handled.push(clock.now())
      return Promise.resolve()
    })
    const start = clock.now()
    keys.addAfter('a', 100)
    keys.addAfter('a', 50)
    keys.addAfter('a', 500)
    await clock.advance(1_000)
    expect(handled.map((ms) => ms - start)).toEqual([50])
    await stop()
  })

  it('handles a key of many objects once for the changes of a while, the first of them at once', async () => {
    const handled: number[] = []
    const {
      queue: keys,
      clock,
      stop,
    } = queue((key) => {
      handled.push(clock.now())
      keys.weigh(key, key === 'large' ? 1_500 : 99)
      return Promise.resolve()
    })
    const start = clock.now()
    for (let change = 0; change < 40; change++) {
      keys.add('large')
      await clock.advance(10)
    }
    await clock.advance(1_000)
    expect(handled.map((ms) => ms - start)).toEqual([0, 150, 300, 450])
    handled.length = 0
    for (let change = 0; change < 3; change++) {
      keys.add('small')
      await clock.advance(1)
    }
    expect(handled).toHaveLength(3)
    await stop()
  })
})
