// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { backupStrip } from '../../../renderer/composables/backupStrip.ts'

const noon = new Date(2026, 10, 27, 12).getTime()
const ago = (days: number, verdict: 'good' | 'broken' | 'unverified', present = true) => ({ createdAtMs: noon - days * 86_400_000, verdict, present })

describe('backupStrip', () => {
  it('says of each day the best it brought', () => {
    const strip = backupStrip([ago(0, 'good'), ago(0, 'broken'), ago(1, 'unverified'), ago(2, 'broken'), ago(3, 'good', false)], noon, 5)
    expect(strip.map((each) => each.state)).toEqual(['none', 'broken', 'broken', 'unsure', 'good'])
    expect(strip.at(-1)?.backups).toBe(2)
  })
  it('leaves out what is older than the strip', () => {
    expect(backupStrip([ago(9, 'good')], noon, 5).every((each) => each.state === 'none')).toBe(true)
  })
})
