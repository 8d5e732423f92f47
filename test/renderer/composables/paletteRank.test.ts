// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { rankEntries } from '../../../renderer/composables/paletteRank.ts'

const entries = [
  { id: 'p', text: 'Pods', group: 'Pages' },
  { id: 'n', text: 'Nodes', group: 'Pages' },
  { id: 'pdb', text: 'Disruption budgets', group: 'Pages' },
  { id: 'o', text: 'shop/pods-exporter', group: 'Pods', onlyFound: true },
]
const found = (query: string): string[] => rankEntries(entries, query).map((each) => each.id)

describe('rankEntries', () => {
  it('keeps objects out until something is asked', () => {
    expect(found('')).toEqual(['p', 'n', 'pdb'])
  })
  it('puts whole words before starts, and starts before what is inside', () => {
    expect(found('pods').slice(0, 2)).toEqual(['p', 'o'])
    expect(found('no')[0]).toBe('n')
  })
  it('finds scattered letters last, in names of objects never, and nothing for nonsense', () => {
    expect(found('sxo')).toEqual([])
    expect(found('dbu')).toContain('pdb')
    expect(found('zzz')).toEqual([])
  })
})
