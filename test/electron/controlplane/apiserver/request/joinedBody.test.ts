import { describe, expect, it } from 'vitest'
import { JoinedBody } from '#electron/controlplane/apiserver/request/joinedBody.ts'

const item = (name: string, size: number): Uint8Array => Buffer.from(JSON.stringify({ name, filler: 'x'.repeat(size) }))

describe('JoinedBody', () => {
  const cases: [string, Uint8Array[]][] = [
    ['no items', []],
    ['one item', [item('a', 10)]],
    ['many small items', Array.from({ length: 5000 }, (_, index) => item(`pod-${String(index)}`, 100))],
    ['items larger than a chunk', [item('a', 700_000), item('b', 1), item('c', 262_144)]],
  ]
  it.each(cases)('is the same text in one piece and in chunks: %s', (_, items) => {
    const body = new JoinedBody('{"items":[', items, ']}')
    const text = `{"items":[${items.map((each) => Buffer.from(each).toString()).join(',')}]}`
    expect(body.bytes().toString() === text).toBe(true)
    expect(body.byteLength).toBe(Buffer.byteLength(text))
    expect(Buffer.concat([...body.chunks()]).toString() === text).toBe(true)
  })
})
