// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { troubleRank } from '../../../renderer/composables/tone.ts'
import { csvOf, viewOf, type SortOrder } from '../../../renderer/composables/tableView.ts'
import { storeOf } from '../support/rows.ts'

const store = storeOf({
  'shop/web-1': { name: 'web-1', status: 'Running', labels: 'app=web,tier=front', cpu: 0.2, node: 'node01' },
  'shop/web-2': { name: 'web-2', status: 'CrashLoopBackOff', labels: 'app=web', node: 'node02' },
  'shop/db-0': { name: 'db-0', status: 'Pending', labels: 'app=db', cpu: 1.5, node: '' },
  'ops/web-mon': { name: 'web-mon', status: 'Running', labels: 'app=mon', cpu: 0.9, node: 'node01' },
})
const keys = (filter: string, sort: SortOrder | null = null, rank = false): string[] =>
  Array.from(viewOf(store, { filter, sort, rank: rank ? (from, row) => troubleRank(from.text('status', row)) : null }), (row) => store.key(row))

describe('filter', () => {
  it.each([
    ['', ['ops/web-mon', 'shop/db-0', 'shop/web-1', 'shop/web-2']],
    ['web', ['ops/web-mon', 'shop/web-1', 'shop/web-2']],
    ['WEB -mon', ['shop/web-1', 'shop/web-2']],
    ['status:running', ['ops/web-mon', 'shop/web-1']],
    ['-status:running', ['shop/db-0', 'shop/web-2']],
    ['app=web', ['shop/web-1', 'shop/web-2']],
    ['tier=front web', ['shop/web-1']],
    ['node:node01 -shop', ['ops/web-mon']],
    ['nothing-like-it', []],
    ['app=we', []],
  ])('%j shows %j', (filter, shown) => {
    expect(keys(filter)).toEqual(shown)
  })

  it('looks for a colon that names no column in the text', () => {
    expect(keys('a:b')).toEqual([])
    expect(keys('-')).toEqual(['shop/db-0', 'shop/web-1', 'shop/web-2', 'ops/web-mon'].sort())
  })
})

describe('order', () => {
  it('sorts numbers with missing ones last either way', () => {
    expect(keys('', { column: 'cpu', descending: false })).toEqual(['shop/web-1', 'ops/web-mon', 'shop/db-0', 'shop/web-2'])
    expect(keys('', { column: 'cpu', descending: true })).toEqual(['shop/db-0', 'ops/web-mon', 'shop/web-1', 'shop/web-2'])
  })

  it('sorts texts with empty ones last either way and equal ones by key', () => {
    expect(keys('', { column: 'node', descending: false })).toEqual(['ops/web-mon', 'shop/web-1', 'shop/web-2', 'shop/db-0'])
    expect(keys('', { column: 'node', descending: true })).toEqual(['shop/web-2', 'ops/web-mon', 'shop/web-1', 'shop/db-0'])
  })

  it('puts trouble first while no column is chosen', () => {
    expect(keys('', null, true)).toEqual(['shop/web-2', 'shop/db-0', 'ops/web-mon', 'shop/web-1'])
    expect(keys('', { column: 'name', descending: false }, true)[0]).toBe('shop/db-0')
  })

  it('sorts by key when the column is not there', () => {
    expect(keys('', { column: 'gone', descending: true })[0]).toBe('ops/web-mon')
  })
})

describe('CSV', () => {
  it('quotes what needs it and disarms formulas, not numbers', () => {
    expect(
      csvOf(
        ['a', 'b'],
        [
          ['x,y', '=1+1'],
          ['say "hi"', '-3.5'],
          ['two\nlines', '@cmd'],
        ],
      ),
    ).toBe('a,b\r\n"x,y",\'=1+1\r\n"say ""hi""",-3.5\r\n"two\nlines",\'@cmd\r\n')
  })
})
