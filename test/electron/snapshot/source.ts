import type { KeyValue } from '#shared/etcd/rpc.ts'
import type { SnapshotSource, StoredRevision } from '#shared/etcd/snapshotSource.ts'

const encoder = new TextEncoder()

/** A store's contents made of `count` puts (values of `valueBytes`), a few deletes and a lease, as a fixture. */
export function sourceOf({ count, valueBytes, deletes = 0 }: { count: number; valueBytes: (index: number) => number; deletes?: number }): SnapshotSource {
  return {
    revision: 1 + count + deletes,
    compactRevision: 0,
    *revisions(): Iterable<StoredRevision> {
      for (let index = 0; index < count; index++) yield { main: 2 + index, sub: 0, tombstone: false, kv: putOf(index, valueBytes(index)) }
      for (let index = 0; index < deletes; index++)
        yield {
          main: 2 + count + index,
          sub: 0,
          tombstone: true,
          kv: { key: keyOf(index), createRevision: 0, modRevision: 2 + count + index, version: 0, value: new Uint8Array(0), lease: 0n },
        }
    },
    leases: [{ id: 0x7587_aabb_ccdd_eeffn, ttlSeconds: 3600 }],
    members: [{ id: 0x8e9e_05c5_2164_694dn, name: 'default', peerUrls: ['http://localhost:2380'], clientUrls: ['http://localhost:2379'], isLearner: false }],
    clusterVersion: '3.5.0',
    otherBuckets: new Map(),
  }
}

export function keyOf(index: number): Uint8Array {
  return encoder.encode(`/registry/configmaps/default/item-${String(index).padStart(7, '0')}`)
}

function putOf(index: number, valueBytes: number): KeyValue {
  const value = new Uint8Array(valueBytes)
  for (let at = 0; at < valueBytes; at++) value[at] = (index * 31 + at * 7) & 255
  return { key: keyOf(index), createRevision: 2 + index, modRevision: 2 + index, version: 1, value, lease: index % 10 === 0 ? 0x7587_aabb_ccdd_eeffn : 0n }
}
