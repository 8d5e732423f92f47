import { describe, expect, it } from 'vitest'
import { FrameReader, FRAME_HEAD, framed } from '#electron/controlplane/etcd/grpcFrames.ts'
import { GRPC } from '#electron/controlplane/etcd/grpcStatus.ts'

function frame(text: string): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD + text.length)
  bytes.write(text, FRAME_HEAD)
  return Buffer.from(framed(bytes))
}

function all(reader: FrameReader): string[] {
  const found: string[] = []
  for (let next = reader.next(); next !== null; next = reader.next()) found.push(Buffer.from(next).toString())
  return found
}

describe('FrameReader', () => {
  const texts = ['', 'a', 'x'.repeat(70_000), 'end']
  it.each([1, 3, 7, 16_384, 1_000_000])('finds the same messages however the bytes are cut: pieces of %i', (size) => {
    const bytes = Buffer.concat(texts.map(frame))
    const reader = new FrameReader()
    const found: string[] = []
    for (let at = 0; at < bytes.length; at += size) {
      reader.push(bytes.subarray(at, at + size))
      found.push(...all(reader))
    }
    expect(found).toEqual(texts)
  })

  it('waits for the rest of a message', () => {
    const reader = new FrameReader()
    reader.push(frame('whole').subarray(0, 8))
    expect(reader.next()).toBeNull()
  })

  it('refuses compressed and oversized messages', () => {
    const compressed = frame('x')
    compressed[0] = 1
    const reader = new FrameReader()
    reader.push(compressed)
    expect(() => reader.next()).toThrow(expect.objectContaining({ code: GRPC.UNIMPLEMENTED }))
    const huge = new FrameReader()
    huge.push(Buffer.from('007fffffff', 'hex'))
    expect(() => huge.next()).toThrow(expect.objectContaining({ code: GRPC.RESOURCE_EXHAUSTED }))
  })
})
