/**
 * The etcd v3 API as plain values: what `etcdserverpb/rpc.proto` and `mvccpb/kv.proto` carry. Revisions and counts are
 * numbers (etcd's stay far below 2^53); identifiers of members, clusters and leases are bigint, as they use all 64 bits.
 */
export type Bytes = Uint8Array

export interface KeyValue {
  key: Bytes
  createRevision: number
  modRevision: number
  version: number
  value: Bytes
  /** 0n = no lease. */
  lease: bigint
}

export interface ResponseHeader {
  clusterId: bigint
  memberId: bigint
  revision: number
  raftTerm: number
}

/** `rangeEnd` absent = one key; `\0` = every key from `key` on; else the half-open interval. */
export interface RangeRequest {
  key: Bytes
  rangeEnd?: Bytes
  /** 0 or absent = no limit. */
  limit?: number
  /** 0 or absent = current. */
  revision?: number
  sortOrder?: 'NONE' | 'ASCEND' | 'DESCEND'
  sortTarget?: 'KEY' | 'VERSION' | 'CREATE' | 'MOD' | 'VALUE'
  serializable?: boolean
  keysOnly?: boolean
  countOnly?: boolean
  minModRevision?: number
  maxModRevision?: number
  minCreateRevision?: number
  maxCreateRevision?: number
}

export interface RangeResponse {
  header: ResponseHeader
  kvs: KeyValue[]
  more: boolean
  count: number
}

export interface PutRequest {
  key: Bytes
  value: Bytes
  lease?: bigint
  prevKv?: boolean
  ignoreValue?: boolean
  ignoreLease?: boolean
}

export interface PutResponse {
  header: ResponseHeader
  prevKv?: KeyValue
}

export interface DeleteRangeRequest {
  key: Bytes
  rangeEnd?: Bytes
  prevKv?: boolean
}

export interface DeleteRangeResponse {
  header: ResponseHeader
  deleted: number
  prevKvs: KeyValue[]
}

export interface Compare {
  result: 'EQUAL' | 'GREATER' | 'LESS' | 'NOT_EQUAL'
  target: 'VERSION' | 'CREATE' | 'MOD' | 'VALUE' | 'LEASE'
  key: Bytes
  rangeEnd?: Bytes
  version?: number
  createRevision?: number
  modRevision?: number
  value?: Bytes
  lease?: bigint
}

export type RequestOp =
  | { type: 'range'; request: RangeRequest }
  | { type: 'put'; request: PutRequest }
  | { type: 'deleteRange'; request: DeleteRangeRequest }
  | { type: 'txn'; request: TxnRequest }

export type ResponseOp =
  | { type: 'range'; response: RangeResponse }
  | { type: 'put'; response: PutResponse }
  | { type: 'deleteRange'; response: DeleteRangeResponse }
  | { type: 'txn'; response: TxnResponse }

export interface TxnRequest {
  compare: Compare[]
  success: RequestOp[]
  failure: RequestOp[]
}

export interface TxnResponse {
  header: ResponseHeader
  succeeded: boolean
  responses: ResponseOp[]
}

export interface WatchCreateRequest {
  key: Bytes
  rangeEnd?: Bytes
  /** 0 or absent = from now. */
  startRevision?: number
  progressNotify?: boolean
  prevKv?: boolean
  filters?: ('NOPUT' | 'NODELETE')[]
}

export interface WatchEvent {
  type: 'PUT' | 'DELETE'
  /** For DELETE only `key` and `modRevision` are set to the delete's. */
  kv: KeyValue
  prevKv?: KeyValue
}

/**
 * One answer of a watch. All events of one revision come in the same answer. The first answer has `created: true`.
 * `compactRevision > 0` means the wanted revisions are gone: the watch ends after it. No events and neither flag: a progress
 * mark, i.e. every event up to header.revision was sent.
 */
export interface WatchResponse {
  header: ResponseHeader
  created: boolean
  canceled: boolean
  cancelReason: string
  compactRevision: number
  events: WatchEvent[]
}

export interface LeaseGrantResponse {
  header: ResponseHeader
  id: bigint
  ttlSeconds: number
}

export interface LeaseTimeToLiveResponse {
  header: ResponseHeader
  id: bigint
  /** -1 = no such lease. */
  ttlSeconds: number
  grantedTtlSeconds: number
  keys: Bytes[]
}

export interface Member {
  id: bigint
  name: string
  peerUrls: string[]
  clientUrls: string[]
  isLearner: boolean
}

export type AlarmType = 'NONE' | 'NOSPACE' | 'CORRUPT'

export interface Alarm {
  memberId: bigint
  alarm: AlarmType
}

export interface EtcdStatus {
  header: ResponseHeader
  version: string
  dbSizeBytes: number
  dbSizeInUseBytes: number
  leader: bigint
  raftIndex: number
  raftTerm: number
  raftAppliedIndex: number
  errors: string[]
  isLearner: boolean
  storageVersion: string
  dbSizeQuotaBytes: number
}

export interface HashKvResponse {
  header: ResponseHeader
  hash: number
  compactRevision: number
  hashRevision: number
}

/** gRPC status codes that etcd answers with. */
export type EtcdErrorCode =
  | 'InvalidArgument'
  | 'NotFound'
  | 'FailedPrecondition'
  | 'OutOfRange'
  | 'ResourceExhausted'
  | 'Unavailable'
  | 'Unauthenticated'
  | 'PermissionDenied'
  | 'DeadlineExceeded'
  | 'Unimplemented'
  | 'Unknown'

/** An error etcd answers with; `message` is etcd's own text, e.g. `etcdserver: mvcc: required revision has been compacted`. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError'
  readonly code: EtcdErrorCode

  constructor(code: EtcdErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

export const ERR_COMPACTED = 'etcdserver: mvcc: required revision has been compacted'
export const ERR_FUTURE_REVISION = 'etcdserver: mvcc: required revision is a future revision'
export const isCompacted = (error: unknown): boolean => error instanceof EtcdError && error.message === ERR_COMPACTED

interface CallOptions {
  signal: AbortSignal
}

/**
 * One etcd, however reached: the embedded store in this process or any etcd v3 over gRPC. Every method rejects with
 * EtcdError, or with the signal's reason. A write resolves only after it is durable.
 */
export interface EtcdClient {
  range(request: RangeRequest, options: CallOptions): Promise<RangeResponse>
  put(request: PutRequest, options: CallOptions): Promise<PutResponse>
  deleteRange(request: DeleteRangeRequest, options: CallOptions): Promise<DeleteRangeResponse>
  txn(request: TxnRequest, options: CallOptions): Promise<TxnResponse>
  /** `physical` waits until the storage has dropped the old revisions. */
  compact(request: { revision: number; physical?: boolean }, options: CallOptions): Promise<{ header: ResponseHeader }>
  /** Ends when the signal aborts (without throwing) or after an answer with `canceled`. */
  watch(request: WatchCreateRequest, options: CallOptions): AsyncIterable<WatchResponse>
  /** `id` 0n lets the server choose. */
  leaseGrant(request: { ttlSeconds: number; id?: bigint }, options: CallOptions): Promise<LeaseGrantResponse>
  leaseRevoke(request: { id: bigint }, options: CallOptions): Promise<{ header: ResponseHeader }>
  /** Once; `ttlSeconds` 0 = the lease is gone. */
  leaseKeepAlive(request: { id: bigint }, options: CallOptions): Promise<{ header: ResponseHeader; id: bigint; ttlSeconds: number }>
  leaseTimeToLive(request: { id: bigint; keys?: boolean }, options: CallOptions): Promise<LeaseTimeToLiveResponse>
  leases(options: CallOptions): Promise<bigint[]>
  members(options: CallOptions): Promise<Member[]>
  status(options: CallOptions): Promise<EtcdStatus>
  hashKv(request: { revision?: number }, options: CallOptions): Promise<HashKvResponse>
  alarms(options: CallOptions): Promise<Alarm[]>
  disarm(alarm: Alarm, options: CallOptions): Promise<void>
  defragment(options: CallOptions): Promise<void>
  /** The snapshot file as `etcdctl snapshot save` receives it: the bbolt file, then its SHA-256 (32 bytes). `remainingBytes` counts down. */
  snapshot(options: CallOptions): AsyncIterable<{ blob: Bytes; remainingBytes: number }>
  close(): Promise<void>
}
