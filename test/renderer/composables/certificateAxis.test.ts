// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { axisDays, axisMarks, axisPlace, consequenceOf, DAY_MS, expiryTone } from '../../../renderer/composables/certificateAxis.ts'

describe('the time axis', () => {
  it('begins today, ends after ten years, and grows in between', () => {
    expect(axisPlace(0)).toBe(0)
    expect(axisPlace(-5)).toBe(0)
    expect(axisPlace(3650)).toBe(1)
    expect(axisPlace(99_999)).toBe(1)
    const places = [1, 7, 30, 90, 365, 1095].map(axisPlace)
    expect(places).toEqual([...places].sort((a, b) => a - b))
  })

  it('gives the days back that were placed', () => {
    for (const days of [0, 1, 7, 30, 90, 365, 1095, 3650]) expect(axisDays(axisPlace(days))).toBe(days)
  })

  it('joins ends that fall together into one mark', () => {
    const at = (name: string, days: number) => ({ name, notAfterMs: days * DAY_MS })
    const marks = axisMarks([at('ca', 3649), at('apiserver', 364), at('admin.conf', 364.2), at('old', -3)], 0)
    expect(marks.map((mark) => mark.items.map((each) => each.name))).toEqual([['old'], ['apiserver', 'admin.conf'], ['ca']])
    expect(marks[0]?.place).toBe(0)
  })

  it('warns a quarter ahead and alarms a month ahead', () => {
    expect([89, 29, 91].map((days) => expiryTone(days * DAY_MS))).toEqual(['warn', 'bad', 'good'])
  })

  it.each([
    ['apiserver', false, 'apiserver'],
    ['apiserver-etcd-client', false, 'etcdClient'],
    ['super-admin.conf', false, 'adminConf'],
    ['etcd-ca', true, 'authority'],
    ['ingress', false, 'other'],
  ])('says what %s breaks', (name, isAuthority, id) => {
    expect(consequenceOf({ name, isAuthority })).toBe(id)
  })
})
