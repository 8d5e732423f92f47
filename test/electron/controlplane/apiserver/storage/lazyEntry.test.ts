import { describe, expect, it } from 'vitest'
import { Store, UNREADABLE } from '#electron/controlplane/apiserver/storage/store.ts'
import { FakeClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import type { EtcdClient, KeyValue } from '#shared/etcd/rpc.ts'
import type { StillReader } from '#shared/etcd/stillReader.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** A store of these values that never changes, and how often each was read. */
async function storeOf(values: Record<string, string>): Promise<{ store: Store; reads: string[] }> {
  const reads: string[] = []
  const keys = Object.keys(values).sort()
  const still: StillReader = {
    revision: 90,
    keys: () => keys.map((key, place) => ({ key, modRevision: place + 2, place })),
    read: (place): KeyValue => {
      const key = keys[place] ?? ''
      reads.push(key)
      return { key: text(key), value: text(values[key] ?? ''), createRevision: 1, modRevision: place + 2, version: 1, lease: 0n }
    },
  }
  const store = new Store({
    etcd: {} as EtcdClient,
    clock: new FakeClock(),
    logger: silentLogger,
    still,
    kindOf: (prefix) => (prefix === 'secrets' ? { apiVersion: 'v1', kind: 'Secret' } : { apiVersion: 'v1', kind: 'ConfigMap' }),
  })
  await store.load(new AbortController().signal)
  return { store, reads }
}

const configMap = (name: string): string => JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } })

describe('a store that never changes', () => {
  it('reads a value when it is asked for, and once', async () => {
    const { store, reads } = await storeOf({
      '/registry/configmaps/default/a': configMap('a'),
      '/registry/configmaps/default/b': configMap('b'),
      '/registry/secrets/default/c': 'x',
    })
    expect(store.revision).toBe(90)
    expect(store.collection('configmaps').size).toBe(2)
    const [first] = store.collection('configmaps').range('/registry/configmaps/default/')
    expect(reads).toEqual([])
    expect(first?.object.metadata).toMatchObject({ name: 'a', resourceVersion: '2' })
    expect(first?.createRevision).toBe(1)
    expect(JSON.parse(Buffer.from(first?.json ?? []).toString())).toEqual(first?.object)
    expect(reads).toEqual(['/registry/configmaps/default/a'])
  })

  it('shows that a value is there which it cannot read, and why', async () => {
    const { store } = await storeOf({
      '/registry/secrets/shop/key': 'k8s:enc:aescbc:v1:key7:\u0001\u0002',
      '/registry/secrets/shop/broken': '{"apiVersion',
    })
    const object = (name: string): unknown => store.collection('secrets').get(`/registry/secrets/shop/${name}`)?.object
    expect(object('key')).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'key', namespace: 'shop', resourceVersion: '3', annotations: { [UNREADABLE]: 'encrypted at rest: provider aescbc, key key7' } },
    })
    expect(object('broken')).toMatchObject({ metadata: { name: 'broken', annotations: { [UNREADABLE]: 'the stored value cannot be read' } } })
  })
})
