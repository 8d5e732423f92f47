import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { Crc32c } from '#electron/snapshot/crc32c.ts'

/** Bit by bit, as the polynomial is defined. */
function slowly(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

function crcOf(...parts: Uint8Array[]): number {
  const crc = new Crc32c()
  for (const part of parts) crc.update(part)
  return crc.value
}

describe('Crc32c', () => {
  // RFC 3720, B.4: the values are printed there byte by byte, the lowest first.
  it.each([
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['ascending bytes', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    ['descending bytes', Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c],
    ['nothing', Buffer.alloc(0), 0],
  ])('gives what iSCSI specifies for %s', (_, bytes, expected) => {
    expect(crcOf(bytes)).toBe(expected)
  })

  it('gives the same for any split, start and length', () => {
    const random = new SeededRandom(1)
    const bytes = Uint8Array.from({ length: 150_000 }, () => random.below(256))
    expect(crcOf(bytes)).toBe(slowly(bytes))
    for (let round = 0; round < 200; round++) {
      const start = random.below(100)
      const end = start + random.below(round % 20 === 0 ? 140_000 : 200)
      const middle = start + random.below(end - start + 1)
      const crc = new Crc32c()
      crc.update(bytes, start, middle)
      crc.update(bytes.subarray(middle, end))
      expect(crc.value).toBe(slowly(bytes.subarray(start, end)))
    }
  })

  it('keeps two that are made at once apart', () => {
    const [one, other] = [new Crc32c(), new Crc32c()]
    one.update(Buffer.from('1234'))
    other.update(Buffer.from('x'))
    one.update(Buffer.from('56789'))
    expect(one.value).toBe(0xe3069283)
    expect(other.value).toBe(crcOf(Buffer.from('x')))
  })
})
