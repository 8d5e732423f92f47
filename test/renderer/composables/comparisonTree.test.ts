// @vitest-environment node
import { describe, expect, it } from 'vitest'
import type { ComparedObject } from '#shared/contract/compare.ts'
import {
  comparisonRows,
  comparisonTree,
  filterCompared,
  objectId,
  restorableOf,
  ticked,
  type ComparisonRow,
} from '../../../renderer/composables/comparisonTree.ts'

const PLURALS: Record<string, string> = { Namespace: 'namespaces', ConfigMap: 'configmaps', Pod: 'pods', Event: 'events', ClusterRole: 'clusterroles' }
const object = (kind: string, place: string, change: ComparedObject['change'], more: Partial<ComparedObject> = {}): ComparedObject => {
  const slash = place.indexOf('/')
  return {
    group: kind === 'ClusterRole' ? 'rbac.authorization.k8s.io' : '',
    version: 'v1',
    resource: PLURALS[kind] ?? kind,
    kind,
    namespace: place.slice(0, slash),
    name: place.slice(slash + 1),
    change,
    noise: false,
    owner: '',
    ...more,
  }
}
const objects = [
  object('ConfigMap', 'shop/settings', 'removed'),
  object('Namespace', '/shop', 'removed'),
  object('Pod', 'shop/web-1', 'removed', { owner: 'ReplicaSet web' }),
  object('Event', 'shop/web.1', 'removed', { noise: true }),
  object('ConfigMap', 'shop/later', 'added'),
  object('ClusterRole', '/reader', 'changed'),
  object('ConfigMap', 'default/plain', 'changed'),
]
const everything = { noise: true, owned: true, text: '', namespace: '' }
const told = (rows: readonly ComparisonRow[]): string[] =>
  rows.map((row) => '  '.repeat(row.level) + (row.level === 0 ? row.group.name || '*' : row.level === 1 ? row.group.kind : row.object.name))

describe('comparisonTree', () => {
  it('tells of a namespace in its own place, first, and of the whole cluster last', () => {
    expect(told(comparisonRows(comparisonTree(objects), new Set()))).toEqual([
      'default',
      '  ConfigMap',
      '    plain',
      'shop',
      '  Namespace',
      '    shop',
      '  ConfigMap',
      '    later',
      '    settings',
      '  Event',
      '    web.1',
      '  Pod',
      '    web-1',
      '*',
      '  ClusterRole',
      '    reader',
    ])
  })
  it('counts what is below each row', () => {
    const shop = comparisonTree(objects).find(({ name }) => name === 'shop')
    expect(shop?.counts).toEqual({ added: 1, removed: 4, changed: 0 })
    expect(shop?.kinds.find(({ kind }) => kind === 'ConfigMap')?.counts).toEqual({ added: 1, removed: 1, changed: 0 })
  })
  it('hides what is inside a closed row', () => {
    const tree = comparisonTree(objects)
    expect(told(comparisonRows(tree, new Set(['n shop', 'n default', 'n '])))).toEqual(['default', 'shop', '*'])
    expect(told(comparisonRows(tree, new Set(['k shop /configmaps'])))).not.toContain('    settings')
  })
})

describe('filterCompared', () => {
  it('folds noise and what controllers make unless they are asked for', () => {
    const left = filterCompared(objects, { noise: false, owned: false, text: '', namespace: '' })
    expect(left.map(({ name }) => name)).toEqual(['settings', 'shop', 'later', 'reader', 'plain'])
    expect(filterCompared(objects, everything)).toHaveLength(objects.length)
  })
  it('finds by part of kind, namespace and name, and keeps to a namespace', () => {
    expect(filterCompared(objects, { ...everything, text: 'configmap shop/' }).map(({ name }) => name)).toEqual(['settings', 'later'])
    expect(filterCompared(objects, { ...everything, namespace: 'shop' })).toHaveLength(5)
  })
})

describe('ticked', () => {
  const rows = comparisonRows(comparisonTree(objects), new Set())
  const row = (id: string): ComparisonRow => rows.find((each) => each.id === id) as ComparisonRow
  it('chooses of a namespace what was there and no controller makes', () => {
    expect(restorableOf(row('n shop')).map(({ kind, name }) => `${kind} ${name}`)).toEqual(['Namespace shop', 'ConfigMap settings'])
    expect([...ticked(new Set(), row('n shop'))]).toEqual(['/namespaces//shop', '/configmaps/shop/settings'])
  })
  it('fills up what is half chosen, and takes out what is wholly chosen', () => {
    const half = new Set(['/namespaces//shop', '/configmaps/default/plain'])
    const whole = ticked(half, row('n shop'))
    expect(whole.size).toBe(3)
    expect([...ticked(whole, row('n shop'))]).toEqual(['/configmaps/default/plain'])
  })
  it('chooses nothing where nothing can be made again', () => {
    const added = objects.find(({ name }) => name === 'later')
    expect(added).toBeDefined()
    if (added !== undefined) expect(ticked(new Set(), row(objectId(added))).size).toBe(0)
  })
})
