// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { packedRows, storeOf } from '../support/rows.ts'

describe('RowStore', () => {
  it('reads numbers and texts by key', () => {
    const store = storeOf({ 'a/1': { status: 'Running', restarts: 2 }, 'a/2': { status: 'Pending', restarts: 0 } })
    expect(store.count).toBe(2)
    expect(store.text('status', store.rowOf('a/2'))).toBe('Pending')
    expect(store.number('restarts', store.rowOf('a/1'))).toBe(2)
    expect(store.text('restarts', store.rowOf('a/1'))).toBe('2')
  })

  it('tells what is missing from what is zero', () => {
    const store = storeOf({ a: { use: 0 }, b: {} })
    expect(store.number('use', store.rowOf('a'))).toBe(0)
    expect(store.number('use', store.rowOf('b'))).toBeNaN()
    expect(store.text('nothing', 0)).toBe('')
    expect(store.rowOf('c')).toBe(-1)
  })

  it('puts the last row in the gap of one that is removed', () => {
    const store = storeOf({ a: { n: 1, t: 'x' }, b: { n: 2, t: 'y' }, c: { n: 3, t: 'z' } })
    store.apply(packedRows({}), ['a'])
    expect(store.count).toBe(2)
    expect(store.rowOf('a')).toBe(-1)
    expect(store.number('n', store.rowOf('c'))).toBe(3)
    expect(store.text('t', store.rowOf('c'))).toBe('z')
    expect(store.text('t', store.rowOf('b'))).toBe('y')
  })

  it('adds rows beyond its first room and changes those that are there', () => {
    const store = storeOf({ a: { n: 1, t: 'x' } })
    const more = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`k${String(index)}`, { n: index, t: `t${String(index % 7)}` }]))
    store.apply(packedRows({ ...more, a: { n: 9, t: 'new' } }), [])
    expect(store.count).toBe(501)
    expect(store.text('t', store.rowOf('a'))).toBe('new')
    expect(store.number('n', store.rowOf('k499'))).toBe(499)
    expect(store.countBy('t').get('t0')).toBe(72)
  })

  it('takes removals before changes, so that a key that comes back is new', () => {
    const store = storeOf({ a: { n: 1 }, b: { n: 2 } })
    store.apply(packedRows({ a: { n: 7 } }), ['a'])
    expect(store.count).toBe(2)
    expect(store.number('n', store.rowOf('a'))).toBe(7)
    expect(store.number('n', store.rowOf('b'))).toBe(2)
  })
})
