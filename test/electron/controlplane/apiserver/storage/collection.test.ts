import { describe, expect, it } from 'vitest'
import { Collection } from '#electron/controlplane/apiserver/storage/collection.ts'
import { ParsedObjects, StoredEntry } from '#electron/controlplane/apiserver/storage/entry.ts'

const parsed = new ParsedObjects()

function pod(name: string, node: string, revision: number): StoredEntry {
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec: node === '' ? {} : { nodeName: node } }
  return new StoredEntry(`/registry/pods/default/${name}`, { object, unknown: null }, { create: revision, mod: revision }, parsed)
}
const names = (entries: Iterable<{ key: string }>): string[] => [...entries].map(({ key }) => key.slice('/registry/pods/default/'.length))

describe('Collection', () => {
  it('keeps its keys in order through creations and deletions, also under somebody who goes through them', () => {
    const collection = new Collection(0)
    for (const [index, name] of ['m', 'c', 'x'].entries()) collection.load(pod(name, '', index + 1))
    expect(names(collection.range('/registry/pods/'))).toEqual(['c', 'm', 'x'])
    const walk = collection.range('/registry/pods/')
    expect(walk.next().value?.key).toBe('/registry/pods/default/c')
    collection.put(pod('a', '', 4))
    collection.remove('/registry/pods/default/c', (previous) => previous)
    collection.put(pod('z', '', 5))
    // As the collection was when the walk began, without what has gone.
    expect(names(walk)).toEqual(['m', 'x'])
    expect(names(collection.range('/registry/pods/'))).toEqual(['a', 'm', 'x', 'z'])
    expect(names(collection.range('/registry/pods/', '/registry/pods/default/n'))).toEqual(['x', 'z'])
  })

  it('finds the pods of a node as they are bound, move and go', () => {
    const collection = new Collection(0)
    const on = (node: string, start?: string): string[] => names(collection.rangeOnNode(node, '/registry/pods/', start))
    collection.load(pod('b', 'w1', 1))
    collection.load(pod('a', 'w1', 2))
    collection.load(pod('c', '', 3))
    expect(on('w1')).toEqual(['a', 'b'])
    collection.put(pod('c', 'w1', 4))
    collection.put(pod('b', 'w2', 5))
    expect([on('w1'), on('w2')]).toEqual([['a', 'c'], ['b']])
    expect(on('w1', '/registry/pods/default/b')).toEqual(['c'])
    collection.remove('/registry/pods/default/a', (previous) => previous)
    expect([on('w1'), on('w2'), on('w3')]).toEqual([['c'], ['b'], []])
  })

  it('tells who watches one node of the pods that are bound to it, come to it and leave it, and of no others', () => {
    const collection = new Collection(0)
    const told: string[] = []
    const stop = collection.onEventOfNode('w1', ({ type, entry }) => told.push(`${type} ${entry.key.slice('/registry/pods/default/'.length)}`))
    collection.put(pod('a', 'w1', 1))
    collection.put(pod('b', 'w2', 2))
    collection.put(pod('c', '', 3))
    collection.put(pod('c', 'w1', 4))
    collection.put(pod('a', 'w2', 5))
    collection.remove('/registry/pods/default/b', (previous) => previous)
    collection.remove('/registry/pods/default/c', (previous) => previous)
    expect(told).toEqual(['ADDED a', 'MODIFIED c', 'MODIFIED a', 'DELETED c'])
    stop()
    collection.put(pod('d', 'w1', 6))
    expect(told).toHaveLength(4)
  })

  it('tells who watches one object of that one', () => {
    const collection = new Collection(0)
    const told: string[] = []
    const stop = collection.onEventOfKey('/registry/pods/default/b', ({ type, revision }) => told.push(`${type} ${String(revision)}`))
    collection.put(pod('a', 'w1', 1))
    collection.put(pod('b', 'w2', 2))
    collection.put(pod('b', 'w1', 3))
    collection.put(pod('bb', 'w1', 4))
    collection.remove('/registry/pods/default/b', (previous) => pod('b', previous.node ?? '', 5))
    expect(told).toEqual(['ADDED 2', 'MODIFIED 3', 'DELETED 5'])
    stop()
    collection.put(pod('b', 'w1', 6))
    expect(told).toHaveLength(3)
  })
})
