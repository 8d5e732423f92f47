import { describe, expect, it } from 'vitest'
import { Crc32c } from '#electron/snapshot/crc32c.ts'
import { KeySet } from '#electron/snapshot/keySet.ts'
import { crc32c } from '#shared/etcd/crc32c.ts'
import { SeededRandom } from '#shared/base/random.ts'

describe('KeySet', () => {
  it('holds what a Set of strings holds, through adds, deletes and growth', () => {
    const random = new SeededRandom(11)
    const set = new KeySet()
    const plain = new Set<string>()
    const different: string[] = []
    for (let step = 0; step < 300_000; step++) {
      const key = `/registry/pods/ns-${String(random.below(50))}/pod-${String(random.below(3000))}`
      const bytes = Buffer.from(key)
      const adds = random.next() < 0.6
      const changed = adds ? set.add(bytes) : set.delete(bytes)
      if (changed !== (adds ? !plain.has(key) : plain.has(key))) different.push(key)
      if (adds) plain.add(key)
      else plain.delete(key)
    }
    expect(different).toEqual([])
    expect(set.size).toBe(plain.size)
    expect([...plain].filter((key) => !set.delete(Buffer.from(key)))).toEqual([])
    expect(set.size).toBe(0)
  })

  it('tells a million keys apart', () => {
    const set = new KeySet()
    for (let index = 0; index < 1_000_000; index++) set.add(Buffer.from(`/registry/events/default/event.${index.toString(16)}`))
    expect(set.size).toBe(1_000_000)
  })
})

describe('Crc32c', () => {
  it('is the same for every start and length, in one piece and in many', () => {
    const bytes = Buffer.from(Array.from({ length: 400 }, (_, index) => (index * 73 + 11) & 255))
    for (let start = 0; start < 20; start++)
      for (const length of [0, 1, 3, 15, 16, 17, 31, 63, 100, 333]) {
        const crc = new Crc32c()
        crc.update(bytes, start, start + Math.floor(length / 3))
        crc.update(bytes, start + Math.floor(length / 3), start + length)
        expect(crc.value).toBe(crc32c(bytes.subarray(start, start + length)))
      }
  })
})
