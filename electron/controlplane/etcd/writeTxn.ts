import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResponse,
  KeyValue,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseHeader,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from '#shared/etcd/rpc.ts'
import { duplicateKey, emptyKey, invalidSort, keyNotFound, leaseNotFound, leaseProvided, requestTooLarge, tooManyOps, valueProvided } from './errors.ts'
import { inInterval, intervalOf, toBytes, toText, type Mvcc } from './mvcc.ts'
import { packRevision } from './revision.ts'
import type { BinaryText } from './sortedKeys.ts'

/** etcd's defaults: --max-request-bytes and --max-txn-ops. */
const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024
const MAX_TXN_OPS = 128

/** What a write needs to know of leases. */
export interface LeaseTable {
  has(id: bigint): boolean
  attach(id: bigint, key: BinaryText): void
  detach(id: bigint, key: BinaryText): void
}

const EMPTY = new Uint8Array(0)
const header = (revision: number): ResponseHeader => ({ clusterId: 0n, memberId: 0n, revision, raftTerm: 0 })

/** One writing transaction: everything it changes has the same main revision, which is used only when something changed. */
export class WriteTxn {
  readonly #mvcc: Mvcc
  readonly #leases: LeaseTable
  readonly #begin: number
  #changes = 0

  constructor(mvcc: Mvcc, leases: LeaseTable) {
    this.#mvcc = mvcc
    this.#leases = leases
    this.#begin = mvcc.revision
  }

  get changed(): boolean {
    return this.#changes > 0
  }

  /** Header revision as the operation sees it: etcd's storeTxnWrite. */
  get view(): number {
    return this.#changes > 0 ? this.#begin + 1 : this.#begin
  }

  range(request: RangeRequest): RangeResponse {
    const wanted = request.revision ?? 0
    const { kvs, count, more } = this.#mvcc.range(request, wanted > 0 ? wanted : this.#begin + 1)
    return { header: header(this.view), kvs, count, more }
  }

  put(request: PutRequest): PutResponse {
    const key = toText(request.key)
    const previous = this.#mvcc.get(key, this.#begin + 1)
    if ((request.ignoreValue === true || request.ignoreLease === true) && previous === null) throw keyNotFound()
    const lease = request.ignoreLease === true ? (previous?.lease ?? 0n) : (request.lease ?? 0n)
    const main = this.#begin + 1
    const kv: KeyValue = {
      key: request.key,
      value: request.ignoreValue === true ? (previous?.value ?? EMPTY) : request.value,
      createRevision: previous?.createRevision ?? main,
      modRevision: main,
      version: (previous?.version ?? 0) + 1,
      lease,
    }
    this.#mvcc.write({ packed: packRevision(main, this.#changes), tombstone: false, kv })
    this.#changes += 1
    if (previous !== null && previous.lease !== 0n && previous.lease !== lease) this.#leases.detach(previous.lease, key)
    if (lease !== 0n) this.#leases.attach(lease, key)
    return { header: header(main), ...(request.prevKv === true && previous !== null && { prevKv: previous }) }
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResponse {
    const keys = this.#mvcc.keys(intervalOf(request.key, request.rangeEnd), this.#begin + 1)
    const prevKvs: KeyValue[] = []
    for (const key of keys) {
      const previous = this.#mvcc.get(key, this.#begin + 1)
      if (previous === null) continue
      if (request.prevKv === true) prevKvs.push(previous)
      const main = this.#begin + 1
      const kv: KeyValue = { key: toBytes(key), value: EMPTY, createRevision: 0, modRevision: main, version: 0, lease: 0n }
      this.#mvcc.write({ packed: packRevision(main, this.#changes), tombstone: true, kv })
      this.#changes += 1
      if (previous.lease !== 0n) this.#leases.detach(previous.lease, key)
    }
    return { header: header(this.view), deleted: keys.length, prevKvs }
  }

  /** Runs a transaction that `checkTxn` accepted. All checks of the chosen branch come before its first change. */
  txn(request: TxnRequest): TxnResponse {
    const outcome = this.#choose(request)
    this.#checkOps(outcome)
    const response = this.#apply(outcome)
    return { ...response, header: header(this.view) }
  }

  #choose(request: TxnRequest): ChosenBranch {
    const succeeded = request.compare.every((compare) => this.#holds(compare))
    const ops = succeeded ? request.success : request.failure
    return { succeeded, ops: ops.map((op) => (op.type === 'txn' ? { type: 'branch', branch: this.#choose(op.request) } : op)) }
  }

  #checkOps(branch: ChosenBranch): void {
    for (const op of branch.ops) {
      if (op.type === 'branch') this.#checkOps(op.branch)
      else if (op.type === 'range') this.#mvcc.checkRevision(op.request.revision ?? 0)
      else if (op.type === 'put') {
        const { request } = op
        if ((request.ignoreValue === true || request.ignoreLease === true) && this.#mvcc.get(toText(request.key), this.#begin + 1) === null) throw keyNotFound()
        if ((request.lease ?? 0n) !== 0n && !this.#leases.has(request.lease ?? 0n)) throw leaseNotFound()
      }
    }
  }

  #apply(branch: ChosenBranch): TxnResponse {
    const responses = branch.ops.map((op): ResponseOp => {
      switch (op.type) {
        case 'range':
          return { type: 'range', response: this.range(op.request) }
        case 'put':
          return { type: 'put', response: this.put(op.request) }
        case 'deleteRange':
          return { type: 'deleteRange', response: this.deleteRange(op.request) }
        case 'branch':
          return { type: 'txn', response: this.#apply(op.branch) }
      }
    })
    return { header: header(0), succeeded: branch.succeeded, responses }
  }

  #holds(compare: Compare): boolean {
    const interval = intervalOf(compare.key, compare.rangeEnd)
    const keys = this.#mvcc.keys(interval, this.#begin)
    // A key that does not exist compares as zeros, except by value, where nothing holds.
    if (keys.length === 0)
      return compare.target !== 'VALUE' && compareTo(compare, { createRevision: 0, modRevision: 0, version: 0, value: EMPTY, key: compare.key, lease: 0n })
    return keys.every((key) => {
      const kv = this.#mvcc.get(key, this.#begin)
      return kv !== null && compareTo(compare, kv)
    })
  }
}

interface ChosenBranch {
  succeeded: boolean
  ops: (Exclude<RequestOp, { type: 'txn' }> | { type: 'branch'; branch: ChosenBranch })[]
}

function compareTo(compare: Compare, kv: KeyValue): boolean {
  const sign = ((): number => {
    switch (compare.target) {
      case 'VALUE':
        return Buffer.compare(kv.value, compare.value ?? EMPTY)
      case 'LEASE':
        return (
          Number(BigInt.asIntN(64, kv.lease) > BigInt.asIntN(64, compare.lease ?? 0n)) -
          Number(BigInt.asIntN(64, kv.lease) < BigInt.asIntN(64, compare.lease ?? 0n))
        )
      case 'VERSION':
        return kv.version - (compare.version ?? 0)
      case 'CREATE':
        return kv.createRevision - (compare.createRevision ?? 0)
      case 'MOD':
        return kv.modRevision - (compare.modRevision ?? 0)
    }
  })()
  switch (compare.result) {
    case 'EQUAL':
      return sign === 0
    case 'NOT_EQUAL':
      return sign !== 0
    case 'GREATER':
      return sign > 0
    case 'LESS':
      return sign < 0
  }
}

export function checkRange(request: RangeRequest): void {
  if (request.key.length === 0) throw emptyKey()
  if (request.sortOrder !== undefined && !['NONE', 'ASCEND', 'DESCEND'].includes(request.sortOrder)) throw invalidSort()
}

export function checkPut(request: PutRequest): void {
  if (request.key.length === 0) throw emptyKey()
  if (request.ignoreValue === true && request.value.length > 0) throw valueProvided()
  if (request.ignoreLease === true && (request.lease ?? 0n) !== 0n) throw leaseProvided()
  if (request.key.length + request.value.length > MAX_REQUEST_BYTES) throw requestTooLarge()
}

/** What etcd checks of a transaction before it looks at any data (upstream etcdserver/api/v3rpc/key.go). */
export function checkTxn(request: TxnRequest): void {
  checkOps(request)
  checkDuplicates([...request.success])
  checkDuplicates([...request.failure])
  if (sizeOf(request) > MAX_REQUEST_BYTES) throw requestTooLarge()
}

function checkOps({ compare, success, failure }: TxnRequest): void {
  if (Math.max(compare.length, success.length, failure.length) > MAX_TXN_OPS) throw tooManyOps()
  for (const { key } of compare) if (key.length === 0) throw emptyKey()
  for (const op of [...success, ...failure]) {
    if (op.type === 'range') checkRange(op.request)
    else if (op.type === 'put') checkPut(op.request)
    else if (op.type === 'deleteRange') {
      if (op.request.key.length === 0) throw emptyKey()
    } else checkOps(op.request)
  }
}

/** Two puts of one key, or a put of a key that is deleted, in what may run together. Both branches of a nested one count. */
function checkDuplicates(ops: RequestOp[]): { puts: Set<BinaryText>; deletes: ReturnType<typeof intervalOf>[] } {
  const puts = new Set<BinaryText>()
  const deletes: ReturnType<typeof intervalOf>[] = []
  for (const op of ops) {
    if (op.type !== 'deleteRange') continue
    const { rangeEnd } = op.request
    // etcd's check takes "every key from here on" for an empty interval.
    deletes.push(rangeEnd?.length === 1 && rangeEnd[0] === 0 ? { start: toText(op.request.key), end: '\0', only: false } : intervalOf(op.request.key, rangeEnd))
  }
  for (const op of ops) {
    if (op.type === 'put') {
      const key = toText(op.request.key)
      if (puts.has(key) || deletes.some((interval) => inInterval(interval, key))) throw duplicateKey()
      puts.add(key)
    } else if (op.type === 'txn') {
      const branches = [checkDuplicates(op.request.success), checkDuplicates(op.request.failure)]
      const inner = new Set(branches.flatMap((branch) => [...branch.puts]))
      for (const key of inner) {
        if (puts.has(key) || deletes.some((interval) => inInterval(interval, key))) throw duplicateKey()
        puts.add(key)
      }
      const innerDeletes = branches.flatMap((branch) => branch.deletes)
      for (const key of puts) if (!inner.has(key) && innerDeletes.some((interval) => inInterval(interval, key))) throw duplicateKey()
      deletes.push(...innerDeletes)
    }
  }
  return { puts, deletes }
}

function sizeOf({ success, failure }: TxnRequest): number {
  return [...success, ...failure].reduce(
    (sum, op) => sum + (op.type === 'put' ? op.request.key.length + op.request.value.length : op.type === 'txn' ? sizeOf(op.request) : 0),
    0,
  )
}
