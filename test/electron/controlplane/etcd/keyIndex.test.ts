import { describe, expect, it } from 'vitest'
import { KeyIndex } from '#electron/controlplane/etcd/keyIndex.ts'
import { packRevision } from '#electron/controlplane/etcd/revision.ts'
import { SeededRandom } from '#shared/base/random.ts'

interface Change {
  key: string
  main: number
  tombstone: boolean
}

/** The same questions answered by looking at every change. */
function alive(changes: Change[], atMain: number, start: string, end: string | null): Map<string, number> {
  const found = new Map<string, number>()
  for (const { key, main, tombstone } of changes) {
    if (main > atMain || key < start || (end !== null && key >= end)) continue
    if (tombstone) found.delete(key)
    else found.set(key, packRevision(main, 0))
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

describe('KeyIndex', () => {
  it('counts and finds what exists as a plain list of changes does, through deletes, splits and compactions', () => {
    const random = new SeededRandom(4)
    const index = new KeyIndex()
    const changes: Change[] = []
    const key = (): string => `k${String(random.below(3000)).padStart(4, '0')}`
    let compacted = 0
    for (let main = 2; main < 12_000; main++) {
      const changed = key()
      const tombstone = random.next() < 0.3 && alive([...changes.filter((each) => each.key === changed)], main, '', null).size > 0
      changes.push({ key: changed, main, tombstone })
      index.add(changed, packRevision(main, 0), tombstone)
      if (main % 3000 === 0) {
        compacted = main - 500
        index.compact(compacted)
      }
      if (main % 200 !== 0) continue
      const [start, end] = [key(), random.next() < 0.2 ? null : key()]
      const now = alive(changes, main, start, end)
      expect(index.count(start, end)).toBe(now.size)
      expect(index.first(start, end, { atMain: main, limit: 10 })).toEqual([...now.values()].slice(0, 10))
      const past = compacted + random.below(main - compacted + 1)
      const seen: number[] = []
      index.each(start, end, past, (packed) => seen.push(packed))
      expect(seen).toEqual([...alive(changes, past, start, end).values()])
    }
  })
})
