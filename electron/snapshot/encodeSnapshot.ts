import { createHash } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { encodeKeyValue, encodeLease, encodeRevisionKey } from '#shared/etcd/mvccpb.ts'
import type { Member } from '#shared/etcd/rpc.ts'
import type { SnapshotEncoder, SnapshotSource } from '#shared/etcd/snapshotSource.ts'
import { BUCKET_LEAF, writeMeta } from './bbolt/format.ts'
import { PageWriter, writeFully } from './bbolt/pageWriter.ts'
import { TreeWriter } from './bbolt/treeWriter.ts'

/** What etcd itself uses on x86; bbolt reads the size from the file, so one size serves every machine. */
const PAGE_SIZE = 4096

/**
 * Streams a store as the file `etcdctl snapshot save` would have written, in etcd 3.5's flavour, which etcd 3.4 to 3.6 all
 * start from. The file is complete and on disk when this resolves; on any failure nothing is left at `path`.
 * @throws the system's error (EEXIST when `path` exists, ENOSPC …), or the signal's reason
 */
export const encodeSnapshot: SnapshotEncoder = async (source, { path, signal }) => {
  const file = await open(path, 'wx+', 0o600)
  try {
    await writeDatabase(source, file, { signal })
    await appendTrailer(file, signal)
    await file.sync()
    await file.close()
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(path, { force: true })
    throw error
  }
}

/** Values of etcd's `meta` bucket that a snapshot and a member's own database have each in their way. */
export interface DatabaseMeta {
  /** Raft index up to which the database has everything. @default the store's revision, above any the raft log can have */
  consistentIndex?: number
  /** Whether the voters are written; a restored member has them in its log. @default true */
  confState?: boolean
  /** A compaction that etcd carries out when it starts. */
  scheduledCompactRevision?: number
}

/** Writes a store as a bbolt database from the file's beginning, without trailer and without flushing it to disk. */
export async function writeDatabase(
  source: SnapshotSource,
  file: FileHandle,
  { signal, meta = {} }: { signal: AbortSignal; meta?: DatabaseMeta },
): Promise<void> {
  const pages = new PageWriter(file, PAGE_SIZE)
  const buckets = new Map<string, Buffer>()
  buckets.set('key', await writeRevisions(source, pages, signal))
  for (const [name, entries] of smallBuckets(source, meta)) {
    const tree = new TreeWriter(pages)
    for (const { key, value } of [...entries].sort((a, b) => Buffer.compare(a.key, b.key))) tree.add(key, value)
    buckets.set(name, tree.finishBucket())
    if (pages.full) await pages.flush()
  }
  const root = new TreeWriter(pages)
  const names = [...buckets].map(([name, value]) => ({ key: Buffer.from(name), value })).sort((a, b) => Buffer.compare(a.key, b.key))
  for (const { key, value } of names) root.add(key, value, BUCKET_LEAF)
  const rootPage = root.finish()
  await pages.flush()
  const metas = Buffer.alloc(2 * PAGE_SIZE)
  for (const page of [0, 1])
    writeMeta(metas.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE), {
      page,
      pageSize: PAGE_SIZE,
      rootPage,
      freelistPage: null,
      highWaterPage: pages.nextPage,
      transaction: BigInt(2 - page),
    })
  await writeFully(file, metas, 0)
}

async function writeRevisions(source: SnapshotSource, pages: PageWriter, signal: AbortSignal): Promise<Buffer> {
  const tree = new TreeWriter(pages)
  for (const revision of source.revisions()) {
    tree.add(
      encodeRevisionKey(revision),
      encodeKeyValue(revision.tombstone ? { ...revision.kv, createRevision: 0, modRevision: 0, version: 0, value: NOTHING, lease: 0n } : revision.kv),
    )
    if (pages.full) {
      signal.throwIfAborted()
      await pages.flush()
    }
  }
  return tree.finishBucket()
}

const NOTHING = new Uint8Array(0)

type Entry = { key: Uint8Array; value: Uint8Array }

/** Every bucket but `key`, with etcd's own left empty where the source has nothing for it. */
function smallBuckets(source: SnapshotSource, meta: DatabaseMeta): Map<string, Entry[]> {
  const buckets = new Map<string, Entry[]>()
  for (const name of ['alarm', 'auth', 'authRoles', 'authUsers', 'members_removed']) buckets.set(name, [])
  for (const [name, entries] of source.otherBuckets) buckets.set(name, entries)
  buckets.set('cluster', [entry('clusterVersion', Buffer.from(source.clusterVersion))])
  buckets.set(
    'lease',
    source.leases.map((lease) => ({ key: bigEndian(lease.id), value: encodeLease(lease) })),
  )
  buckets.set(
    'members',
    source.members.map((member) => entry(BigInt.asUintN(64, member.id).toString(16), Buffer.from(memberJson(member)))),
  )
  buckets.set('meta', metaEntries(source, meta))
  return buckets
}

function metaEntries(source: SnapshotSource, { consistentIndex, confState, scheduledCompactRevision }: DatabaseMeta): Entry[] {
  // A raft index: any that is at least the number of applied writes keeps etcd from replaying what is here.
  const entries = [entry('consistent_index', bigEndian(BigInt(consistentIndex ?? source.revision))), entry('term', bigEndian(1n))]
  if (confState !== false) {
    const voters = source.members.filter((member) => !member.isLearner).map((member) => BigInt.asUintN(64, member.id).toString())
    entries.push(entry('confState', Buffer.from(`{"voters":[${voters.join(',')}],"auto_leave":false}`)))
  }
  const compacted = (main: number): Uint8Array => encodeRevisionKey({ main, sub: 0, tombstone: false })
  if (source.compactRevision > 0) entries.push(entry('finishedCompactRev', compacted(source.compactRevision)))
  const scheduled = scheduledCompactRevision ?? source.compactRevision
  if (scheduled > 0) entries.push(entry('scheduledCompactRev', compacted(scheduled)))
  const [major = 0, minor = 0] = source.clusterVersion.split('.').map(Number)
  if (major > 3 || (major === 3 && minor >= 6)) entries.push(entry('storageVersion', Buffer.from(`${String(major)}.${String(minor)}.0`)))
  return entries
}

/** By hand, as a member's id is a JSON number above 2^53. */
function memberJson(member: Member): string {
  const optional = [
    member.isLearner ? '"isLearner":true' : '',
    member.name === '' ? '' : `"name":${JSON.stringify(member.name)}`,
    member.clientUrls.length === 0 ? '' : `"clientURLs":${JSON.stringify(member.clientUrls)}`,
  ].filter((part) => part !== '')
  return `{${[`"id":${BigInt.asUintN(64, member.id).toString()}`, `"peerURLs":${JSON.stringify(member.peerUrls)}`, ...optional].join(',')}}`
}

function entry(key: string, value: Uint8Array): Entry {
  return { key: Buffer.from(key), value }
}

function bigEndian(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value))
  return bytes
}

async function appendTrailer(file: FileHandle, signal: AbortSignal): Promise<void> {
  const hash = createHash('sha256')
  const chunk = Buffer.allocUnsafe(1 << 20)
  let position = 0
  for (;;) {
    signal.throwIfAborted()
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
    if (bytesRead === 0) break
    hash.update(chunk.subarray(0, bytesRead))
    position += bytesRead
  }
  await writeFully(file, hash.digest(), position)
}
