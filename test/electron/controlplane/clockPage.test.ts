import { describe, expect, it } from 'vitest'
import { AdjustableClock } from '#shared/base/adjustableClock.ts'
import { clockPage } from '#electron/controlplane/clockPage.ts'

describe('/debug/clock', () => {
  const page = (method: string, query: string, clock = new AdjustableClock(2)): object => clockPage(clock)(new URLSearchParams(query), method)

  it('tells the clock, and changes it only when it is written to', () => {
    const clock = new AdjustableClock(2)
    expect(page('GET', 'scale=60&paused=true', clock)).toMatchObject({ scale: 2, paused: false })
    expect(page('PUT', 'scale=60', clock)).toMatchObject({ scale: 60, paused: false })
    expect(page('PUT', 'paused=true', clock)).toMatchObject({ scale: 60, paused: true })
    expect(page('PUT', 'paused=false&scale=0.5', clock)).toMatchObject({ scale: 0.5, paused: false })
  })

  it.each(['scale=0', 'scale=-1', 'scale=fast', 'scale=1e9', 'scale=NaN', 'paused=maybe'])('refuses %s', (query) => {
    expect(() => page('PUT', query)).toThrow(/must be/)
  })
})
