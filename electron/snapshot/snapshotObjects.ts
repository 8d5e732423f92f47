import { decodeObject } from '#shared/kubernetes/codec/codec.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { objectPlace, type ObjectPlace } from './objectCounts.ts'
import type { SnapshotFile } from './snapshotFile.ts'

export interface SnapshotObject extends ObjectPlace {
  key: string
  modRevision: number
  /** Null where the value is none that can be read: encrypted, or of an unknown kind. */
  object: KubeObject | null
}

export interface ObjectsOptions {
  signal: AbortSignal
  /** The state at this revision, as far as the file's history goes. @default the last one */
  atRevision?: number | undefined
  wanted?: (place: ObjectPlace, key: string) => boolean
}

/** Elements looked at between two turns of the event loop. */
const ELEMENTS_PER_TURN = 20_000

/**
 * The Kubernetes objects alive in a snapshot, in the order they were last written. The file is read twice, so that memory holds
 * one revision for each key and one object at a time.
 */
export async function* snapshotObjects(
  file: SnapshotFile,
  { signal, atRevision = Infinity, wanted = () => true }: ObjectsOptions,
): AsyncGenerator<SnapshotObject> {
  let count = 0
  const turn = async (): Promise<void> => {
    if (++count % ELEMENTS_PER_TURN !== 0) return
    await new Promise((resolve) => setImmediate(resolve))
    signal.throwIfAborted()
  }
  const last = new Map<string, string>()
  for (const { main, sub, tombstone, kv } of file.revisions()) {
    if (main > atRevision) break
    await turn()
    const key = Buffer.from(kv.key.buffer, kv.key.byteOffset, kv.key.byteLength).toString('utf8')
    if (tombstone) last.delete(key)
    else last.set(key, `${String(main)}.${String(sub)}`)
  }
  for (const { main, sub, tombstone, kv } of file.revisions()) {
    if (main > atRevision) break
    await turn()
    if (tombstone) continue
    const key = Buffer.from(kv.key.buffer, kv.key.byteOffset, kv.key.byteLength).toString('utf8')
    if (last.get(key) !== `${String(main)}.${String(sub)}`) continue
    const place = objectPlace(key)
    if (place === null || !wanted(place, key)) continue
    yield { ...place, key, modRevision: main, object: decoded(kv.value, main) }
  }
}

function decoded(value: Uint8Array, revision: number): KubeObject | null {
  try {
    const { object } = decodeObject(value)
    if (typeof object.kind !== 'string' || typeof object.metadata !== 'object') return null
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }
  } catch {
    // What it is, the caller says by its key: it is no object that can be read here.
    return null
  }
}
