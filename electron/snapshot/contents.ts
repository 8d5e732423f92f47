import { hash } from 'node:crypto'
import type { KeyValue } from '#shared/etcd/rpc.ts'
import type { SnapshotFile } from './snapshotFile.ts'

/** One key as it was at the last revision (or the one asked for), its value known by digest. */
export interface LiveKey {
  key: string
  createRevision: number
  modRevision: number
  version: number
  valueSizeBytes: number
  /** SHA-1 of the value, base64: for telling values apart, nothing else. */
  valueDigest: string
}

export interface ContentsOptions {
  signal: AbortSignal
  /** Only keys that begin so. @default every key */
  prefix?: string | undefined
  /** The state at this revision, as far as the file's history goes. @default the last one */
  atRevision?: number | undefined
}

/** Elements decoded between two turns of the event loop. */
const ELEMENTS_PER_TURN = 20_000

/** The keys alive in a snapshot, by key. Memory: one small record for each; values are read and let go, so that the file may recycle. */
export async function liveKeys(file: SnapshotFile, { signal, prefix = '', atRevision = Infinity }: ContentsOptions): Promise<Map<string, LiveKey>> {
  const live = new Map<string, LiveKey>()
  let count = 0
  for (const { main, tombstone, kv } of file.revisions()) {
    if (main > atRevision) break
    if (++count % ELEMENTS_PER_TURN === 0) {
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    }
    if (kv.key.length === 0) continue
    const key = keyText(kv)
    if (!key.startsWith(prefix)) continue
    if (tombstone) live.delete(key)
    else
      live.set(key, {
        key,
        createRevision: kv.createRevision,
        modRevision: main,
        version: kv.version,
        valueSizeBytes: kv.value.length,
        valueDigest: hash('sha1', kv.value, 'base64'),
      })
  }
  const ordered = new Map<string, LiveKey>()
  // Without a function of ours texts are compared natively, in the same order.
  for (const key of [...live.keys()].sort()) {
    const found = live.get(key)
    if (found !== undefined) ordered.set(key, found)
  }
  return ordered
}

/** One key's value, copied; null when it does not exist at that revision. */
export function readValue(file: SnapshotFile, { key, atRevision = Infinity }: { key: string; atRevision?: number | undefined }): KeyValue | null {
  let found: KeyValue | null = null
  for (const { main, tombstone, kv } of file.revisions()) {
    if (main > atRevision) break
    if (kv.key.length === 0 || keyText(kv) !== key) continue
    found = tombstone ? null : { ...kv, key: Uint8Array.from(kv.key), value: Uint8Array.from(kv.value) }
  }
  return found
}

export type Difference = { change: 'added' | 'removed' | 'changed'; key: string; before: LiveKey | null; after: LiveKey | null }

/** What has to happen to `before` to become `after`, by key; both in the order of {@link liveKeys}, which are walked side by side. */
export function differences(before: Map<string, LiveKey>, after: Map<string, LiveKey>): Difference[] {
  const found: Difference[] = []
  const [olds, nows] = [before.values(), after.values()]
  let [old, now] = [olds.next().value, nows.next().value]
  while (old !== undefined || now !== undefined)
    if (now === undefined || (old !== undefined && old.key < now.key)) {
      if (old !== undefined) found.push({ change: 'removed', key: old.key, before: old, after: null })
      old = olds.next().value
    } else if (old === undefined || now.key < old.key) {
      found.push({ change: 'added', key: now.key, before: null, after: now })
      now = nows.next().value
    } else {
      if (old.valueDigest !== now.valueDigest) found.push({ change: 'changed', key: old.key, before: old, after: now })
      old = olds.next().value
      now = nows.next().value
    }
  return found
}

function keyText(kv: KeyValue): string {
  return Buffer.from(kv.key.buffer, kv.key.byteOffset, kv.key.byteLength).toString('utf8')
}
