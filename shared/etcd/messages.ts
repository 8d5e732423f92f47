import { KEY_VALUE } from './keyValueCodec.ts'
import type { MessageTable } from './message.ts'

/** etcdserverpb/rpc.proto's messages, under the names of `rpc.ts`. */
export const HEADER: MessageTable = { clusterId: [1, 'id'], memberId: [2, 'id'], revision: [3, 'number'], raftTerm: [4, 'number'] }
const ONLY_HEADER: MessageTable = { header: [1, HEADER] }

const SORT_ORDER = ['NONE', 'ASCEND', 'DESCEND'] as const
const SORT_TARGET = ['KEY', 'VERSION', 'CREATE', 'MOD', 'VALUE'] as const

export const RANGE_REQUEST: MessageTable = {
  key: [1, 'bytes'],
  rangeEnd: [2, 'bytes'],
  limit: [3, 'number'],
  revision: [4, 'number'],
  sortOrder: [5, SORT_ORDER],
  sortTarget: [6, SORT_TARGET],
  serializable: [7, 'bool'],
  keysOnly: [8, 'bool'],
  countOnly: [9, 'bool'],
  minModRevision: [10, 'number'],
  maxModRevision: [11, 'number'],
  minCreateRevision: [12, 'number'],
  maxCreateRevision: [13, 'number'],
}
export const RANGE_RESPONSE: MessageTable = { header: [1, HEADER], kvs: [2, KEY_VALUE, 'list'], more: [3, 'bool'], count: [4, 'number'] }
export const PUT_REQUEST: MessageTable = {
  key: [1, 'bytes'],
  value: [2, 'bytes'],
  lease: [3, 'id'],
  prevKv: [4, 'bool'],
  ignoreValue: [5, 'bool'],
  ignoreLease: [6, 'bool'],
}
export const PUT_RESPONSE: MessageTable = { header: [1, HEADER], prevKv: [2, KEY_VALUE] }
export const DELETE_REQUEST: MessageTable = { key: [1, 'bytes'], rangeEnd: [2, 'bytes'], prevKv: [3, 'bool'] }
export const DELETE_RESPONSE: MessageTable = { header: [1, HEADER], deleted: [2, 'number'], prevKvs: [3, KEY_VALUE, 'list'] }

export const COMPARE: MessageTable = {
  result: [1, ['EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL']],
  target: [2, ['VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE']],
  key: [3, 'bytes'],
  version: [4, 'number'],
  createRevision: [5, 'number'],
  modRevision: [6, 'number'],
  value: [7, 'bytes'],
  lease: [8, 'id'],
  rangeEnd: [64, 'bytes'],
}
const requestOp: Record<string, readonly [number, MessageTable, 'list'?]> = {
  range: [1, RANGE_REQUEST],
  put: [2, PUT_REQUEST],
  deleteRange: [3, DELETE_REQUEST],
}
export const TXN_REQUEST: MessageTable = { compare: [1, COMPARE, 'list'], success: [2, requestOp, 'list'], failure: [3, requestOp, 'list'] }
requestOp['txn'] = [4, TXN_REQUEST]
const responseOp: Record<string, readonly [number, MessageTable, 'list'?]> = {
  range: [1, RANGE_RESPONSE],
  put: [2, PUT_RESPONSE],
  deleteRange: [3, DELETE_RESPONSE],
}
export const TXN_RESPONSE: MessageTable = { header: [1, HEADER], succeeded: [2, 'bool'], responses: [3, responseOp, 'list'] }
responseOp['txn'] = [4, TXN_RESPONSE]

export const COMPACT_REQUEST: MessageTable = { revision: [1, 'number'], physical: [2, 'bool'] }
export const COMPACT_RESPONSE = ONLY_HEADER

export const WATCH_CREATE: MessageTable = {
  key: [1, 'bytes'],
  rangeEnd: [2, 'bytes'],
  startRevision: [3, 'number'],
  progressNotify: [4, 'bool'],
  filters: [5, ['NOPUT', 'NODELETE'], 'list'],
  prevKv: [6, 'bool'],
  watchId: [7, 'number'],
  fragment: [8, 'bool'],
}
export const WATCH_REQUEST: MessageTable = { create: [1, WATCH_CREATE], cancel: [2, { watchId: [1, 'number'] }], progress: [3, {}] }
export const WATCH_RESPONSE: MessageTable = {
  header: [1, HEADER],
  watchId: [2, 'number'],
  created: [3, 'bool'],
  canceled: [4, 'bool'],
  compactRevision: [5, 'number'],
  cancelReason: [6, 'text'],
  fragment: [7, 'bool'],
  events: [11, { type: [1, ['PUT', 'DELETE']], kv: [2, KEY_VALUE], prevKv: [3, KEY_VALUE] }, 'list'],
}

export const LEASE_GRANT_REQUEST: MessageTable = { ttlSeconds: [1, 'number'], id: [2, 'id'] }
export const LEASE_GRANT_RESPONSE: MessageTable = { header: [1, HEADER], id: [2, 'id'], ttlSeconds: [3, 'number'], error: [4, 'text'] }
export const LEASE_REVOKE_REQUEST: MessageTable = { id: [1, 'id'] }
export const LEASE_REVOKE_RESPONSE = ONLY_HEADER
export const KEEP_ALIVE_REQUEST: MessageTable = { id: [1, 'id'] }
export const KEEP_ALIVE_RESPONSE: MessageTable = { header: [1, HEADER], id: [2, 'id'], ttlSeconds: [3, 'number'] }
export const TIME_TO_LIVE_REQUEST: MessageTable = { id: [1, 'id'], keys: [2, 'bool'] }
export const TIME_TO_LIVE_RESPONSE: MessageTable = {
  header: [1, HEADER],
  id: [2, 'id'],
  ttlSeconds: [3, 'number'],
  grantedTtlSeconds: [4, 'number'],
  keys: [5, 'bytes', 'list'],
}
export const LEASES_REQUEST: MessageTable = {}
export const LEASES_RESPONSE: MessageTable = { header: [1, HEADER], leases: [2, { id: [1, 'id'] }, 'list'] }

export const MEMBER: MessageTable = { id: [1, 'id'], name: [2, 'text'], peerUrls: [3, 'text', 'list'], clientUrls: [4, 'text', 'list'], isLearner: [5, 'bool'] }
export const MEMBER_LIST_REQUEST: MessageTable = { linearizable: [1, 'bool'] }
export const MEMBER_LIST_RESPONSE: MessageTable = { header: [1, HEADER], members: [2, MEMBER, 'list'] }

const ALARM_TYPES = ['NONE', 'NOSPACE', 'CORRUPT'] as const
export const ALARM_REQUEST: MessageTable = { action: [1, ['GET', 'ACTIVATE', 'DEACTIVATE']], memberId: [2, 'id'], alarm: [3, ALARM_TYPES] }
export const ALARM_RESPONSE: MessageTable = { header: [1, HEADER], alarms: [2, { memberId: [1, 'id'], alarm: [2, ALARM_TYPES] }, 'list'] }
export const STATUS_REQUEST: MessageTable = {}
export const STATUS_RESPONSE: MessageTable = {
  header: [1, HEADER],
  version: [2, 'text'],
  dbSizeBytes: [3, 'number'],
  leader: [4, 'id'],
  raftIndex: [5, 'number'],
  raftTerm: [6, 'number'],
  raftAppliedIndex: [7, 'number'],
  errors: [8, 'text', 'list'],
  dbSizeInUseBytes: [9, 'number'],
  isLearner: [10, 'bool'],
  storageVersion: [11, 'text'],
  dbSizeQuotaBytes: [12, 'number'],
}
export const DEFRAGMENT_REQUEST: MessageTable = {}
export const DEFRAGMENT_RESPONSE = ONLY_HEADER
export const HASH_KV_REQUEST: MessageTable = { revision: [1, 'number'] }
export const HASH_KV_RESPONSE: MessageTable = { header: [1, HEADER], hash: [2, 'number'], compactRevision: [3, 'number'], hashRevision: [4, 'number'] }
export const SNAPSHOT_REQUEST: MessageTable = {}
export const SNAPSHOT_RESPONSE: MessageTable = { header: [1, HEADER], remainingBytes: [2, 'number'], blob: [3, 'bytes'] }
export const AUTH_STATUS_RESPONSE: MessageTable = { header: [1, HEADER], enabled: [2, 'bool'], authRevision: [3, 'number'] }
