import { encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { SeededRandom } from '#shared/base/random.ts'
import type { SnapshotSource, StoredRevision } from '#shared/etcd/snapshotSource.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'

const encoder = new TextEncoder()

/**
 * Writes a snapshot of so many ConfigMaps of about `valueBytes` each, in 100 namespaces, as kube-apiserver stores them.
 * @param changed every so many-th object has another value, is missing or is new: what a later snapshot of the same cluster holds @default none
 */
export async function writeObjects(
  path: string,
  { objects, valueBytes, changed = 0 }: { objects: number; valueBytes: number; changed?: number },
): Promise<void> {
  const random = new SeededRandom(1)
  const filler = Array.from({ length: valueBytes }, () => random.below(36).toString(36)).join('')
  const namespaces = 100
  const source: SnapshotSource = {
    revision: objects + 1,
    compactRevision: 0,
    *revisions(): Iterable<StoredRevision> {
      for (let index = 0; index < objects; index++) {
        const isChanged = changed > 0 && index % changed === 0
        const namespace = `team-${String(index % namespaces).padStart(3, '0')}`
        const name = `settings-${String(index).padStart(7, '0')}${isChanged && index % 2 === 1 ? '-new' : ''}`
        const shift = (index * 7) % 100
        const object = {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name, namespace, uid: `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`, creationTimestamp: '2026-01-01T00:00:00Z' },
          data: { index: String(index), state: isChanged ? 'after' : 'before', filler: filler.slice(shift) },
        }
        const main = 2 + index
        yield {
          main,
          sub: 0,
          tombstone: false,
          kv: {
            key: encoder.encode(`/registry/configmaps/${namespace}/${name}`),
            createRevision: main,
            modRevision: main,
            version: 1,
            value: encodeProtobuf(object),
            lease: 0n,
          },
        }
      }
    },
    leases: [],
    members: [],
    clusterVersion: '3.5.0',
    otherBuckets: new Map(),
  }
  await encodeSnapshot(source, { path, signal: new AbortController().signal })
}
