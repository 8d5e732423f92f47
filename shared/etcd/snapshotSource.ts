import type { KeyValue, Member } from './rpc.ts'

/** One element of etcd's `key` bucket. A tombstone's kv holds only key and modRevision. */
export interface StoredRevision {
  main: number
  sub: number
  tombstone: boolean
  kv: KeyValue
}

/**
 * What an etcd snapshot file holds, seen apart from its bytes. The store offers one to be written as a file; a file read
 * offers one to be loaded into a store.
 */
export interface SnapshotSource {
  /** The store's current revision (may be above the last stored one after compaction). */
  revision: number
  /** 0 = never compacted. */
  compactRevision: number
  /** Every kept revision, ascending by main then sub. */
  revisions(): Iterable<StoredRevision>
  leases: { id: bigint; ttlSeconds: number }[]
  members: Member[]
  /** e.g. `3.5.0`. */
  clusterVersion: string
  /** Buckets nobody here interprets (auth, authUsers, alarm …), kept so that they survive a rewrite. */
  otherBuckets: Map<string, { key: Uint8Array; value: Uint8Array }[]>
}

/** Writes a snapshot file (bbolt pages, then the SHA-256 trailer) at `path`, which must not exist. */
export type SnapshotEncoder = (source: SnapshotSource, options: { path: string; signal: AbortSignal }) => Promise<void>
