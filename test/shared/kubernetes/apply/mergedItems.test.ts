import { describe, expect, it } from 'vitest'
import { compare, fieldsOf, merge } from '#shared/kubernetes/apply/typedValue.ts'
import { fieldsV1 } from '#shared/kubernetes/apply/fieldSet.ts'
import type { MergeType } from '#shared/kubernetes/apply/mergeType.ts'

const SET: MergeType = { kind: 'set' }
const LEAF: MergeType = { kind: 'leaf' }
const MAP: MergeType = { kind: 'keyed', keys: ['k'], defaults: {}, item: { kind: 'object', named: () => true, member: () => LEAF } }

describe('an applied list laid over a live one', () => {
  // As structured-merge-diff 6 does: both walk on, the applied order wins, and what is live alone stays before what follows it.
  it.each<[live: string, applied: string, merged: string]>([
    ['abc', 'abc', 'abc'],
    ['abc', 'cba', 'cba'],
    ['abc', 'xb', 'axbc'],
    ['abc', 'bx', 'abcx'],
    ['abcd', 'db', 'acdb'],
    ['', 'ab', 'ab'],
    ['ab', 'yzb', 'ayzb'],
    // What the live list has twice stays so, unless it is applied.
    ['aba', 'b', 'aba'],
    ['aba', 'a', 'ab'],
    ['aab', 'ba', 'ba'],
  ])('%s and %s make %s', (live, applied, merged) => {
    expect(merge([...live], [...applied], SET)).toEqual([...merged])
  })

  it('does not merge an applied item with one that is there twice', () => {
    const live = [
      { k: 1, a: 'x' },
      { k: 1, b: 'y' },
      { k: 2, a: 'z' },
    ]
    expect(merge(live, [{ k: 1, c: 'new' }], MAP)).toEqual([
      { k: 1, c: 'new' },
      { k: 2, a: 'z' },
    ])
  })
})

describe('fields of items that are there twice', () => {
  const one = [{ k: 1, a: 'x' }]
  const twice = [...one, { k: 1, a: 'y' }]
  const told = (before: unknown, after: unknown): unknown =>
    Object.fromEntries(Object.entries(compare(before, after, MAP)).map(([name, set]) => [name, fieldsV1(set as never)]))

  it('are the item alone', () => {
    expect(fieldsV1(fieldsOf(twice, MAP))).toEqual({ 'k:{"k":1}': {} })
  })

  it('come, go and change as a whole', () => {
    expect(told(one, twice)).toEqual({
      added: { 'k:{"k":1}': {} },
      modified: {},
      removed: { 'k:{"k":1}': { '.': {}, 'f:a': {}, 'f:k': {} } },
    })
    expect(told(twice, one)).toEqual({
      added: { 'k:{"k":1}': { '.': {}, 'f:a': {}, 'f:k': {} } },
      modified: {},
      removed: { 'k:{"k":1}': {} },
    })
    expect(told(twice, [...one, { k: 1, a: 'z' }])).toEqual({ added: {}, modified: { 'k:{"k":1}': {} }, removed: {} })
  })
})
