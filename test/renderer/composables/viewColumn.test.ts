// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { cellRatio, cellText, exportText, fitColumns, markRatio, type ViewColumn } from '../../../renderer/composables/viewColumn.ts'
import { viewColumns } from '../../../renderer/resources/views.ts'
import { storeOf } from '../support/rows.ts'

const column = (id: string, format: ViewColumn['format'], more: Partial<ViewColumn> = {}): ViewColumn => ({ id, format, width: 100, ...more })
const store = storeOf({ a: { ready: 1, total: 2, cpu: 0.25, cpuLimit: 0.5, cpuRequest: 0.1, at: 60_000, flag: 1, name: 'a' }, b: { name: 'b' } })

describe('cells', () => {
  it.each([
    [column('ready', 'of', { whole: 'total' }), '1/2'],
    [column('cpu', 'cores'), '250m'],
    [column('at', 'age'), '60s'],
    [column('flag', 'flag'), '✓'],
    [column('name', 'name'), 'a'],
  ])('%o says %s', (shown, text) => {
    expect(cellText(store, store.rowOf('a'), shown, 120_000)).toBe(text)
  })

  it('says nothing for what is missing', () => {
    const row = store.rowOf('b')
    for (const format of ['of', 'cores', 'bytes', 'age', 'flag', 'count'] as const)
      expect(cellText(store, row, column('cpu', format, { whole: 'cpuLimit' }), 0)).toBe('')
  })

  it('measures use and request against the whole', () => {
    const load = column('cpu', 'cores', { whole: 'cpuLimit', mark: 'cpuRequest' })
    expect(cellRatio(store, store.rowOf('a'), load)).toBeCloseTo(0.5)
    expect(markRatio(store, store.rowOf('a'), load)).toBeCloseTo(0.2)
    expect(cellRatio(store, store.rowOf('b'), load)).toBeNaN()
    expect(markRatio(store, store.rowOf('a'), column('cpu', 'cores'))).toBeNaN()
  })

  it('exports exact numbers and absolute times', () => {
    expect(exportText(store, store.rowOf('a'), column('cpu', 'cores'))).toBe('0.25')
    expect(exportText(store, store.rowOf('a'), column('at', 'age'))).toMatch(/^1970-01-0/)
  })
})

describe('narrow tables', () => {
  it('drops the columns that may give way, and never name and status', () => {
    const columns = [column('name', 'name'), column('status', 'status'), column('node', 'mono'), column('age', 'age', { drop: 1 })]
    expect(fitColumns(columns, 1000)).toEqual(columns)
    expect(fitColumns(columns, 350).map((each) => each.id)).toEqual(['name', 'status', 'age'])
    expect(fitColumns(columns, 10).map((each) => each.id)).toEqual(['name', 'status'])
  })

  it.each(['pods', 'nodes', 'deployments', 'events'] as const)('shows every standing column of %s in 1010 pixels', (resource) => {
    const shown = viewColumns(resource).filter((each) => each.hidden !== true)
    const width = fitColumns(shown, 1010).reduce((sum, each) => sum + each.width, 0)
    expect(width).toBeLessThanOrEqual(1010)
  })
})
