import { describe, expect, it } from 'vitest'
import { decodeClientFrame, decodeServerFrame, encodeServerFrame, type ServerFrame } from '#shared/contract/wire.ts'

describe('wire', () => {
  it('sends frames without bytes as text', () => {
    const frame: ServerFrame = { t: 'reply', id: 1, reply: { ok: true, value: { a: [1] } } }
    expect(typeof encodeServerFrame(frame)).toBe('string')
    expect(decodeServerFrame(encodeServerFrame(frame))).toEqual(frame)
  })

  it('carries bytes beside the message, aligned', () => {
    const frame: ServerFrame = { t: 'message', id: 7, message: { type: 'x', packed: Uint8Array.of(1, 2, 3), other: Uint8Array.of(9) } }
    const bytes = encodeServerFrame(frame) as Uint8Array
    const back = decodeServerFrame(bytes)
    expect(back).toEqual(frame)
    const packed = (back as { message: { packed: Uint8Array } }).message.packed
    expect(packed.byteOffset % 8).toBe(0)
    for (let length = 0; length < bytes.length - 7; length++) expect(() => decodeServerFrame(bytes.slice(0, length))).toThrow()
  })

  it.each([['null'], ['{"t":"invoke","id":1}'], ['{"t":"x","id":1,"name":"a"}'], ['{"t":"cancel","id":1.5}'], ['nonsense']])(
    'refuses %s from the page',
    (text) => {
      expect(() => decodeClientFrame(text)).toThrow()
    },
  )
})
