import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { encodeMessage } from '#shared/etcd/message.ts'
import { SNAPSHOT_RESPONSE } from '#shared/etcd/messages.ts'
import { SnapshotFrames } from '#electron/client/etcd/snapshotFrames.ts'

const random = new SeededRandom(3)
const header = { clusterId: 2n ** 60n, memberId: 7n, revision: 123_456, raftTerm: 4 }

/** As gRPC puts it on the wire. */
function framed(message: object): Buffer {
  const head = 5
  const bytes = Buffer.from(encodeMessage(SNAPSHOT_RESPONSE, message as never, head))
  bytes.writeUInt32BE(bytes.length - head, 1)
  return bytes
}

function blobsOf(chunks: readonly Buffer[]): { blob: Buffer; remaining: number[]; frames: SnapshotFrames } {
  const frames = new SnapshotFrames()
  const [blobs, remaining]: [Buffer[], number[]] = [[], []]
  for (const chunk of chunks)
    for (const blob of frames.take(chunk)) {
      blobs.push(Buffer.from(blob))
      remaining.push(frames.remainingBytes)
    }
  return { blob: Buffer.concat(blobs), remaining, frames }
}

function split(bytes: Buffer, most: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random.below(most)
    chunks.push(bytes.subarray(at, end))
    at = end
  }
  return chunks
}

describe('SnapshotFrames', () => {
  const pieces = [0, 1, 3, 100, 32_768, 70_000].map((length) => Buffer.from(Array.from({ length }, () => random.below(256))))
  const wire = Buffer.concat(pieces.map((blob, index) => framed({ header, remainingBytes: 5000 - index, blob })))

  it.each([1, 2, 7, 40, 16_384, 1_000_000])('gives the blobs, in chunks of up to %i bytes', (most) => {
    const { blob, remaining, frames } = blobsOf(split(wire, most))
    expect(blob.equals(Buffer.concat(pieces))).toBe(true)
    expect(new Set(remaining)).toEqual(new Set([4999, 4998, 4997, 4996, 4995]))
    expect(frames.atRest).toBe(true)
  })

  it('is not at rest within a message', () => {
    for (const end of [1, 4, 5, 9, 30, wire.length - 1]) expect(blobsOf([wire.subarray(0, end)]).frames.atRest).toBe(false)
  })

  it('refuses what is compressed, reaches beyond its message, or is no message', () => {
    const compressed = Buffer.from(wire)
    compressed[0] = 1
    expect(() => blobsOf([compressed])).toThrow(/compressed/)
    expect(() => blobsOf([Buffer.from([0, 0, 0, 0, 3, 0x1a, 0x7f, 1])])).toThrow(/beyond its message/)
    expect(() => blobsOf([Buffer.from([0, 0, 0, 0, 2, 0x1d, 1, 1])])).toThrow(/wire type/)
    expect(() => blobsOf([Buffer.from([0, 0, 0, 0, 2, 0x10, 0x80])])).toThrow(/within a number/)
  })
})
