import { describe, expect, it } from 'vitest'
import { MessageMemory } from '#electron/controlplane/etcd/messageMemory.ts'

const KIB = 1024

describe('MessageMemory', () => {
  it('gives memory that was given back for a message of about its size', () => {
    const memory = new MessageMemory()
    const first = memory.take(100 * KIB)
    expect(first.length).toBe(100 * KIB)
    memory.give(first)
    const second = memory.take(127 * KIB)
    expect([second.length, second.buffer === first.buffer]).toEqual([127 * KIB, true])
    expect(memory.take(127 * KIB).buffer).not.toBe(first.buffer)
    expect(memory.take(200 * KIB).buffer).not.toBe(first.buffer)
  })

  it('keeps no more than it may, and nothing small or from elsewhere', () => {
    const memory = new MessageMemory(256 * KIB)
    const messages = [memory.take(128 * KIB), memory.take(128 * KIB), memory.take(128 * KIB)]
    for (const message of messages) memory.give(message)
    const again = [memory.take(128 * KIB), memory.take(128 * KIB), memory.take(128 * KIB)].map(({ buffer }) => messages.some((each) => each.buffer === buffer))
    expect(again).toEqual([true, true, false])
    const small = memory.take(10 * KIB)
    memory.give(small)
    expect(memory.take(10 * KIB).buffer).not.toBe(small.buffer)
    const part = new Uint8Array(256 * KIB).subarray(8)
    memory.give(part)
    expect(memory.take(256 * KIB).buffer).not.toBe(part.buffer)
  })

  it('uses a large one again for a message of about its size, as long as it is there', () => {
    const memory = new MessageMemory()
    const first = memory.take(30_100_000)
    memory.give(first)
    const second = memory.take(30_200_000)
    expect([second.length, second.buffer === first.buffer]).toEqual([30_200_000, true])
    expect(memory.take(30_200_000).buffer).not.toBe(first.buffer)
    memory.give(second)
    expect(memory.take(33_000_000).buffer).not.toBe(first.buffer)
  })
})
