// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { sparkPath } from '../../../renderer/composables/sparkPath.ts'

const size = { width: 100, height: 12 }

describe('sparkPath', () => {
  it('draws from zero to the largest', () => {
    expect(sparkPath([0, 5, 10], size)).toBe('M0 11L50 6L100 1')
  })
  it('breaks at a missing sample and shows a lone one', () => {
    expect(sparkPath([1, 1, null, 1], size)).toBe('M0 1L33.3 1M100 1h2')
  })
  it('draws nothing of nothing', () => {
    expect(sparkPath([], size)).toBe('')
    expect(sparkPath([null, null], size)).toBe('')
  })
})
