import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { KeyList } from '#electron/controlplane/apiserver/storage/keyList.ts'

const inOrder = (keys: Iterable<string>): string[] => [...keys].sort((a, b) => (a < b ? -1 : 1))

describe('KeyList', () => {
  it('shows who goes through it the keys of the moment he began, whatever comes and goes meanwhile', () => {
    const random = new SeededRandom(7)
    const list = new KeyList()
    const keys = new Set<string>()
    const some = Array.from({ length: 3_000 }, () => `/pods/${String(random.below(1_000_000))}`)
    for (const key of some) keys.add(key)
    list.fill(inOrder(keys))
    const walks: { walk: Generator<string>; expected: string[]; seen: string[] }[] = []
    for (let round = 0; round < 6_000; round++) {
      const key = `/pods/${String(random.below(1_000_000))}`
      if (random.below(3) > 0 && keys.size > 0) {
        const [gone = ''] = [...keys].slice(random.below(Math.min(keys.size, 50)))
        if (keys.delete(gone)) list.remove(gone)
      } else if (!keys.has(key)) {
        keys.add(key)
        list.add(key)
      }
      if (round % 500 === 0) {
        const start = round % 1_000 === 0 ? '' : `/pods/${String(random.below(1_000_000))}`
        const expected = inOrder(keys).filter((each) => each >= start)
        walks.push({ walk: list.from(start), expected, seen: [] })
      }
      for (const { walk, seen } of walks) {
        const next = walk.next()
        if (next.done !== true) seen.push(next.value)
      }
    }
    for (const { walk, expected, seen } of walks) expect([...seen, ...walk]).toEqual(expected)
    expect([...list.from('')]).toEqual(inOrder(keys))
  })

  it('grows from nothing and shrinks to nothing', () => {
    const list = new KeyList()
    const keys = Array.from({ length: 1_200 }, (_, index) => `k${String(index).padStart(4, '0')}`)
    for (const key of keys.toReversed()) list.add(key)
    expect([...list.from('')]).toEqual(keys)
    expect([...list.from('k1198x')]).toEqual(['k1199'])
    expect([...list.from('z')]).toEqual([])
    for (const key of keys) list.remove(key)
    expect([...list.from('')]).toEqual([])
    list.add('again')
    expect([...list.from('')]).toEqual(['again'])
  })
})
