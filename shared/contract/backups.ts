import * as v from 'valibot'
import { LEAST_PASSPHRASE_CHARACTERS, PASSPHRASE_TOO_SHORT } from '#shared/planning/backups/passphrase.ts'
import { request, subscription } from './channel.ts'
import { clusterId } from './clusters.ts'

/** The five columns of `etcdutl snapshot status`. `hash` is CRC-32C as unsigned number. */
export interface SnapshotStatus {
  hash: number
  revision: number
  totalKeys: number
  totalSizeBytes: number
  /** Storage version, '' before etcd 3.6. */
  version: string
}

export interface SnapshotCheck {
  name: 'envelope' | 'sha256-trailer' | 'structure' | 'order' | 'status-hash'
  verdict: 'good' | 'suspicious' | 'broken'
  detail: string
}

/** What came of opening a backup with the embedded engine and reading it through the Kubernetes API. */
export interface TestRestore {
  atMs: number
  durationMs: number
  outcome: 'good' | 'failed'
  /** Kinds read, and objects of all kinds. */
  kinds: number
  objects: number
  /** Kinds of which the API gave fewer objects than the file holds. */
  short: { resource: string; inFile: number; read: number }[]
  /** Kinds in the file that this version of Kubernetes does not serve. */
  notServed: string[]
  /** One object that was read whole, e.g. `Deployment default/web`; '' when there is none. */
  sample: string
  /** Why it failed; '' otherwise. */
  failure: string
}

export interface Backup {
  id: string
  clusterName: string
  clusterId: string
  endpoint: string
  path: string
  fileSizeBytes: number
  sha256: string
  createdAtMs: number
  durationMs: number
  /** Null until verified. */
  status: SnapshotStatus | null
  checks: SnapshotCheck[]
  verifiedAtMs: number | null
  /** saving: there is no file yet. interrupted: nothing was kept, `failure` says why. */
  verdict: 'good' | 'suspicious' | 'broken' | 'unverified' | 'saving' | 'interrupted'
  /** Why an interrupted one has no file; '' otherwise. */
  failure: string
  /** Whether the file is still where it was put. */
  present: boolean
  /** Kubernetes objects by resource, counted from the file's live keys. */
  objectCounts: Record<string, number>
  /** With age: what opens the file. */
  encryption: 'none' | 'passphrase' | 'recipients'
  compression: 'none' | 'zstd' | 'zip'
  /** The encrypted archive of PKI and kubeadm's configuration beside it; '' where there is none. */
  pkiPath: string
  /** Whether retention leaves it alone. */
  pinned: boolean
  origin: 'manual' | 'scheduled'
  /** The last one; null before the first. */
  testRestore: TestRestore | null
}

export type BackupProgress =
  | { phase: 'saving'; receivedBytes: number; totalBytes: number | null; bytesPerSecond: number }
  | { phase: 'verifying'; readBytes: number; totalBytes: number }
  | { phase: 'testing'; detail: string; ratio: number | null }
  | { phase: 'done'; backup: Backup }

export type RestoreProgress =
  | { phase: 'stopping' | 'writing' | 'starting' | 'comparing'; detail: string; ratio: number | null }
  | {
      phase: 'done'
      before: Record<string, number>
      after: Record<string, number>
      keptDataDir: string
      revisionBefore: number
      revisionAfter: number
      durationMs: number
    }

const etcdEndpoint = v.object({ endpoint: v.string(), caFile: v.optional(v.string()), certFile: v.optional(v.string()), keyFile: v.optional(v.string()) })

/** How the file is written. A passphrase, or the public keys (`age1…`) of those who may open it; not both. */
const sealing = v.object({
  compress: v.boolean(),
  passphrase: v.optional(v.pipe(v.string(), v.minLength(LEAST_PASSPHRASE_CHARACTERS, PASSPHRASE_TOO_SHORT))),
  recipients: v.optional(v.array(v.string())),
  /** PKI and kubeadm's configuration go into an archive beside it; only where it is encrypted. */
  pki: v.optional(v.boolean()),
})
export type SealingInput = v.InferOutput<typeof sealing>

/** What opens an encrypted file: its passphrase, or an identity (`AGE-SECRET-KEY-…`) as text or as the path of a file of them. */
const unlock = v.optional(v.object({ passphrase: v.optional(v.string()), identity: v.optional(v.string()), identityFile: v.optional(v.string()) }))
export type UnlockInput = NonNullable<v.InferOutput<typeof unlock>>
export { unlock as unlockInput }

const dataDirs = v.object({
  /** A folder on the machine where Drydock runs; each member's goes below it, as `NAME.etcd`. */
  directory: v.pipe(v.string(), v.minLength(1)),
  members: v.pipe(
    v.array(
      v.object({ name: v.pipe(v.string(), v.regex(/^[\w.-]+$/, 'a member’s name has letters, digits, dots and dashes')), peerUrls: v.array(v.string()) }),
    ),
    v.minLength(1),
  ),
  token: v.pipe(v.string(), v.minLength(1)),
  /** 0 leaves revisions as they are; otherwise everything below is compacted, so that old watches are cancelled. */
  bumpRevision: v.pipe(v.number(), v.integer(), v.minValue(0)),
})
export type DataDirsInput = v.InferOutput<typeof dataDirs>

export interface MadeDataDir {
  name: string
  dataDir: string
  /** As etcd prints ids. */
  memberId: string
  clusterId: string
  revision: number
}

export interface EtcdMemberView {
  id: string
  name: string
  version: string
  clientUrls: string[]
  isLeader: boolean
  isLearner: boolean
  dbSizeBytes: number
  dbSizeInUseBytes: number
  quotaBytes: number
  raftIndex: number
  raftAppliedIndex: number
  raftTerm: number
  latencyMs: number
  alarms: string[]
  error: string
}

export interface EtcdKeyView {
  key: string
  createRevision: number
  modRevision: number
  version: number
  lease: string
  valueSizeBytes: number
}

/** One step down the tree of keys: a key itself, or a prefix that ends in `/` with the number of keys below it. */
export interface EtcdBranch {
  /** The whole key or prefix. */
  path: string
  /** Its last segment. */
  name: string
  /** Keys below; 1 for a key. */
  count: number
  isKey: boolean
}

export const backupChannels = {
  'backups.watch': subscription<Backup[]>()(v.object({})),
  /** Without `etcd` the cluster's own endpoint is used (embedded: always known). */
  'backups.save': subscription<BackupProgress>()(v.object({ clusterId, etcd: v.optional(etcdEndpoint), sealing: v.optional(sealing) })),
  'backups.verify': subscription<BackupProgress>()(v.object({ id: v.string(), unlock })),
  /** Opens it in a control plane of its own, reads every kind through its API, and removes that again. */
  'backups.testRestore': subscription<BackupProgress>()(v.object({ id: v.string(), unlock })),
  /** Pinned ones are left alone by retention. */
  'backups.pin': request<null>()(v.object({ id: v.string(), pinned: v.boolean() })),
  'backups.delete': request<null>()(v.object({ id: v.string() })),
  /** A snapshot file from elsewhere joins the catalogue after verification. */
  'backups.import': request<Backup>()(v.object({ path: v.string(), unlock })),
  /** Into the embedded cluster, whose previous data directory is kept beside. */
  'backups.restore': subscription<RestoreProgress>()(v.object({ id: v.string(), unlock })),
  /** The data directories of a cluster's members, from which etcd starts; each must be absent or empty. */
  'backups.restoreDataDirs': request<MadeDataDir[]>()(v.object({ id: v.string(), unlock, ...dataDirs.entries })),
  'etcd.members': request<EtcdMemberView[]>()(v.object({ clusterId, etcd: v.optional(etcdEndpoint) })),
  'etcd.setEndpoint': request<null>()(v.object({ clusterId, etcd: etcdEndpoint })),
  /** Keys below a prefix, in order; `after` pages. */
  'etcd.keys': request<{ keys: EtcdKeyView[]; total: number; more: boolean; revision: number }>()(
    v.object({ clusterId, prefix: v.string(), after: v.optional(v.string()), limit: v.number() }),
  ),
  /** What stands directly below a prefix, in order, up to 500; `more` when there is more than that. */
  'etcd.branches': request<{ branches: EtcdBranch[]; more: boolean; revision: number }>()(v.object({ clusterId, prefix: v.string() })),
  /** Value decoded as a Kubernetes object's YAML when it is one, else as text or hex. */
  'etcd.get': request<{ key: EtcdKeyView; text: string; encoding: 'protobuf' | 'json' | 'text' | 'hex' }>()(
    v.object({ clusterId, key: v.string(), revision: v.optional(v.number()) }),
  ),
  'etcd.defragment': request<null>()(v.object({ clusterId })),
  'etcd.compact': request<{ revision: number }>()(v.object({ clusterId })),
} as const
