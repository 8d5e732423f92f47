import { describe, expect, it } from 'vitest'
import { expand } from '#electron/controlplane/kubelet/expansion.ts'

describe('expand', () => {
  const values: Record<string, string> = { A: 'one', EMPTY: '', B: '$(A)' }
  it.each([
    ['$(A)', 'one'],
    ['x-$(A)-$(A)', 'x-one-one'],
    ['$(EMPTY)', ''],
    ['$(NONE)', '$(NONE)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$one'],
    ['$(B)', '$(A)'],
    ['$A ${A} $(A', '$A ${A} $(A'],
  ])('makes of %s: %s', (text, expected) => {
    expect(expand(text, (name) => values[name])).toBe(expected)
  })
})
