import { describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import { EventCorrelator } from '#electron/client/eventCorrelator.ts'

const event = (message: string, object = 'a'): Parameters<EventCorrelator['correlate']>[0] => ({ object, type: 'Warning', reason: 'FailedCreate', message })

describe('EventCorrelator', () => {
  it('tells nine different messages one by one and combines the following', () => {
    const correlator = new EventCorrelator(new FakeClock())
    const told = Array.from({ length: 12 }, (_, index) => correlator.correlate(event(`pod ${String(index)}`)))
    expect(told.slice(0, 9).map((each) => each?.message)).toEqual(Array.from({ length: 9 }, (_, index) => `pod ${String(index)}`))
    expect(told.slice(9).map((each) => each?.message)).toEqual([9, 10, 11].map((index) => `(combined from similar events): pod ${String(index)}`))
    expect(new Set(told.slice(9).map((each) => each?.key)).size).toBe(1)
  })

  it('counts an equal message as one', () => {
    const correlator = new EventCorrelator(new FakeClock())
    const told = Array.from({ length: 20 }, () => correlator.correlate(event('again')))
    expect(new Set(told.map((each) => each?.key)).size).toBe(1)
    expect(told.every((each) => each?.message === 'again')).toBe(true)
  })

  it('drops what comes after 25 about one object, and lets one through each five minutes', async () => {
    const clock = new FakeClock()
    const correlator = new EventCorrelator(clock)
    const told = Array.from({ length: 30 }, () => correlator.correlate(event('again')))
    expect(told.filter((each) => each !== null)).toHaveLength(25)
    expect(correlator.correlate(event('again', 'another'))).not.toBeNull()
    await clock.advance(300_000)
    expect(correlator.correlate(event('again'))).not.toBeNull()
    expect(correlator.correlate(event('again'))).toBeNull()
  })
})
