import { describe, expect, it } from 'vitest'
import { sideBySide } from '#electron/runbooks/sideBySide.ts'

describe('sideBySide', () => {
  it('works on so many at once and gives the results in order', async () => {
    let [now, most] = [0, 0]
    const results = await sideBySide(
      Array.from({ length: 20 }, (_, index) => index),
      async (item) => {
        most = Math.max(most, ++now)
        for (let turn = 0; turn < 20 - item; turn++) await Promise.resolve()
        now -= 1
        return item * 2
      },
      3,
    )
    expect(results).toEqual(Array.from({ length: 20 }, (_, index) => index * 2))
    expect(most).toBe(3)
    expect(await sideBySide([], () => Promise.resolve(1))).toEqual([])
  })

  it('begins nothing more after a failure', async () => {
    const begun: number[] = []
    const work = sideBySide([1, 2, 3, 4, 5, 6], (item) => (begun.push(item), item === 2 ? Promise.reject(new Error('node 2')) : Promise.resolve(item)), 2)
    await expect(work).rejects.toThrow('node 2')
    expect(begun.length).toBeLessThan(6)
  })
})
