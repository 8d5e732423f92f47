import { describe, expect, it } from 'vitest'
import { parseSchedule } from '#shared/planning/cron/schedule.ts'

const after = (text: string, from: string, zone?: string): string | null => {
  const parsed = parseSchedule(text, zone)
  if (parsed.error !== undefined) return parsed.error
  const next = parsed.schedule.next(Date.parse(from))
  return next === null ? null : new Date(next).toISOString().replace('.000Z', 'Z')
}

describe('parseSchedule', () => {
  it.each([
    ['*/15 * * * *', '2012-07-09T14:45:00Z', '2012-07-09T15:00:00Z'],
    ['20-35/15 * * * *', '2012-07-09T14:45:51Z', '2012-07-09T15:20:00Z'],
    ['0 0 31 * *', '2024-01-31T00:00:00Z', '2024-03-31T00:00:00Z'],
    ['0 0 29 feb ?', '2021-01-01T00:00:00Z', '2024-02-29T00:00:00Z'],
    // Both day fields restricted: either.
    ['0 0 13 * FRI', '2024-09-01T00:00:00Z', '2024-09-06T00:00:00Z'],
    // A star in one: both.
    ['0 0 * * FRI', '2024-09-07T00:00:00Z', '2024-09-13T00:00:00Z'],
    ['5/20 3 * * *', '2024-09-07T03:26:00Z', '2024-09-07T03:45:00Z'],
    ['@hourly', '2024-09-07T00:00:00Z', '2024-09-07T01:00:00Z'],
    ['@every 90s', '2024-09-07T00:00:00Z', '2024-09-07T00:01:30Z'],
    ['0 9 * * *', '2024-07-01T00:00:00Z', '2024-07-01T07:00:00Z', 'Europe/Berlin'],
    ['TZ=Asia/Tokyo 30 4 * * *', '2024-06-14T21:00:00Z', '2024-06-15T19:30:00Z', 'Europe/Berlin'],
    // No such hour on the day the clocks go forward.
    ['30 2 * * *', '2024-03-30T02:00:00Z', '2024-04-01T00:30:00Z', 'Europe/Berlin'],
    ['0 0 * * *', '2024-03-31T00:00:00Z', '2024-03-31T22:00:00Z', 'Europe/Berlin'],
    // The day the clocks go back has 25 hours.
    ['0 0 * * *', '2024-10-27T00:00:00Z', '2024-10-27T23:00:00Z', 'Europe/Berlin'],
  ])('%s after %s is %s', (text, from, next, zone?: string) => {
    expect(after(text, from, zone)).toBe(next)
  })

  it('knows that 30 February never comes', () => {
    expect(after('0 0 30 2 *', '2024-01-01T00:00:00Z')).toBeNull()
  })

  it.each([
    ['', 'empty spec string'],
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
    ['@fortnightly', 'unrecognized descriptor: @fortnightly'],
    ['@every day', 'failed to parse duration @every day'],
    ['TZ=Nowhere * * * * *', 'provided bad location Nowhere: unknown time zone Nowhere'],
  ])('refuses %j', (text, error) => {
    expect(parseSchedule(text)).toEqual({ error })
  })
})
