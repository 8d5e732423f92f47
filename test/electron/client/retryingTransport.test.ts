import { describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import type { Transport, TransportRequest, TransportResponse } from '#shared/kubernetes/transport.ts'
import { RetryingTransport } from '#electron/client/retryingTransport.ts'

/** Answers with `responses` in turn, the last one for ever. */
function answering(responses: Pick<TransportResponse, 'status' | 'headers'>[]): { transport: Transport; asked: () => number } {
  let asked = 0
  return {
    asked: () => asked,
    transport: {
      request: () => Promise.resolve({ ...(responses[Math.min(asked++, responses.length - 1)] ?? busy), body: new Uint8Array(0) }),
      stream: () => Promise.reject(new Error('not asked for')),
    },
  }
}
const asking = (signal = new AbortController().signal): TransportRequest => ({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/a', signal })
const busy = { status: 429, headers: { 'retry-after': '2' } }

describe('a server that asks to be tried later', () => {
  it('is asked again after as long as it said', async () => {
    const clock = new FakeClock(0)
    const { transport, asked } = answering([busy, { status: 503, headers: { 'retry-after': '1' } }, { status: 200, headers: {} }])
    const answer = new RetryingTransport(transport, clock).request(asking())
    await clock.advance(0)
    await clock.advance(1999)
    expect(asked()).toBe(1)
    await clock.advance(1)
    expect(asked()).toBe(2)
    await clock.advance(1000)
    expect((await answer).status).toBe(200)
  })

  it('is asked ten times more, then its refusal is handed on', async () => {
    const clock = new FakeClock(0)
    const { transport, asked } = answering([busy])
    const answer = new RetryingTransport(transport, clock).request(asking())
    await clock.advance(0)
    await clock.advance(60_000)
    expect((await answer).status).toBe(429)
    expect(asked()).toBe(11)
  })

  it('is not asked again without a time, or with one that is none', async () => {
    for (const headers of [{}, { 'retry-after': 'Fri, 27 Nov 2026 12:00:00 GMT' }, { 'retry-after': '-1' }]) {
      const { transport, asked } = answering([{ status: 429, headers: headers as Record<string, string> }])
      expect((await new RetryingTransport(transport, new FakeClock(0)).request(asking())).status).toBe(429)
      expect(asked()).toBe(1)
    }
  })

  it('is let alone when the asker gives up', async () => {
    const aborter = new AbortController()
    const clock = new FakeClock(0)
    const { transport, asked } = answering([busy])
    const answer = new RetryingTransport(transport, clock).request(asking(aborter.signal))
    const failed = expect(answer).rejects.toThrow('enough')
    await clock.advance(10)
    aborter.abort(new Error('enough'))
    await failed
    expect(asked()).toBe(1)
  })
})
