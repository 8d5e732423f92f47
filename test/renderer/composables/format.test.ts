// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { bytes, cores, count, duration, kubeadmTime, percent } from '../../../renderer/composables/format.ts'

describe('figures', () => {
  it.each([
    [0, '0s'],
    [119_000, '119s'],
    [123_000, '2m3s'],
    [10 * 60_000, '10m'],
    [3.5 * 3_600_000, '3h30m'],
    [9 * 3_600_000, '9h'],
    [50 * 3_600_000, '2d2h'],
    [364 * 86_400_000, '364d'],
    [Number.NaN, ''],
  ])('duration(%d) is %s, as kubectl prints ages', (ms, text) => {
    expect(duration(ms)).toBe(text)
  })

  it('tells units that fit', () => {
    expect([0, 1023, 1536, 300 * 2 ** 20, 23.7 * 2 ** 30].map(bytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '300 MiB', '23.7 GiB'])
    expect([0.0024, 1.55, 12, 12.5].map(cores)).toEqual(['2m', '1550m', '12', '12.5'])
    expect([0.004, 1.5, Number.NaN, Infinity].map(percent)).toEqual(['0%', '150%', '', ''])
    expect(count(50_000)).toBe('50,000')
    expect([bytes, cores, count].map((format) => format(Number.NaN))).toEqual(['', '', ''])
  })

  it('prints certificate ends as kubeadm does', () => {
    expect(kubeadmTime(Date.UTC(2027, 10, 27, 7, 6, 37))).toBe('Nov 27, 2027 07:06 UTC')
  })
})
