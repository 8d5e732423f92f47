import type { Clock } from '#shared/base/clock.ts'
import type { EtcdBranch, EtcdKeyView, EtcdMemberView } from '#shared/contract/backups.ts'
import type { EtcdClient, KeyValue } from '#shared/etcd/rpc.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'

interface Context {
  signal: AbortSignal
}

const encoder = new TextEncoder()
/** Above it a value is shown in part: no page can show megabytes of text. */
const MAX_SHOWN_BYTES = 2 * 1024 * 1024

/** Decodes a stored Kubernetes object to text for reading; null when the value is none. */
export type DecodeObject = (value: Uint8Array) => { text: string; encoding: 'protobuf' | 'json' } | null

/**
 * Each member with what its own status says. A member that does not answer has `error` set and zeros.
 * @param connectMember a client for exactly these URLs, closed by this function
 */
export async function memberViews(
  etcd: EtcdClient,
  { connectMember, clock }: { connectMember: (clientUrls: string[]) => Promise<EtcdClient>; clock: Clock },
  { signal }: Context,
): Promise<EtcdMemberView[]> {
  const [members, alarms] = await Promise.all([etcd.members({ signal }), etcd.alarms({ signal })])
  return Promise.all(
    members.map(async (member): Promise<EtcdMemberView> => {
      const view: EtcdMemberView = {
        id: BigInt.asUintN(64, member.id).toString(16),
        name: member.name,
        version: '',
        clientUrls: member.clientUrls,
        isLeader: false,
        isLearner: member.isLearner,
        dbSizeBytes: 0,
        dbSizeInUseBytes: 0,
        quotaBytes: 0,
        raftIndex: 0,
        raftAppliedIndex: 0,
        raftTerm: 0,
        latencyMs: 0,
        alarms: alarms.filter((alarm) => alarm.memberId === member.id && alarm.alarm !== 'NONE').map((alarm) => alarm.alarm),
        error: '',
      }
      try {
        const client = await connectMember(member.clientUrls)
        try {
          const startedMs = clock.now()
          const status = await client.status({ signal: AbortSignal.any([signal, AbortSignal.timeout(5000)]) })
          return {
            ...view,
            version: status.version,
            isLeader: status.leader === member.id,
            dbSizeBytes: status.dbSizeBytes,
            dbSizeInUseBytes: status.dbSizeInUseBytes,
            quotaBytes: status.dbSizeQuotaBytes,
            raftIndex: status.raftIndex,
            raftAppliedIndex: status.raftAppliedIndex,
            raftTerm: status.raftTerm,
            latencyMs: clock.now() - startedMs,
            error: status.errors.join('; '),
          }
        } finally {
          await client.close()
        }
      } catch (error) {
        signal.throwIfAborted()
        return { ...view, error: (error as Error).message }
      }
    }),
  )
}

/** Keys below a prefix in order, without values crossing to the page; `after` is the last key of the page before. */
export async function listKeys(
  etcd: EtcdClient,
  { prefix, after, limit }: { prefix: string; after?: string | undefined; limit: number },
  { signal }: Context,
): Promise<{ keys: EtcdKeyView[]; total: number; more: boolean; revision: number }> {
  const first = prefix === '' ? new Uint8Array([0]) : encoder.encode(prefix)
  const rangeEnd = prefix === '' ? new Uint8Array([0]) : prefixEnd(first)
  const key = after === undefined ? first : new Uint8Array([...encoder.encode(after), 0])
  const bounded = Math.min(Math.max(1, Math.floor(limit)), 1000)
  const [page, all] = await Promise.all([
    etcd.range({ key, rangeEnd, limit: bounded }, { signal }),
    etcd.range({ key: first, rangeEnd, countOnly: true }, { signal }),
  ])
  return { keys: page.kvs.map(keyView), total: all.count, more: page.more, revision: page.header.revision }
}

const SLASH = 0x2f
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
/** Steps of the key tree listed at once. */
const MAX_BRANCHES = 500

/**
 * What stands directly below a prefix, by skipping: one key is read, its segment's end is jumped over, and so on. Listing the top of a
 * store of a million keys so costs two small reads for each kind of object, and no values. All reads are of one revision.
 */
export async function listBranches(
  etcd: EtcdClient,
  { prefix }: { prefix: string },
  { signal }: Context,
): Promise<{ branches: EtcdBranch[]; more: boolean; revision: number }> {
  const start = encoder.encode(prefix)
  const rangeEnd = prefix === '' ? new Uint8Array([0]) : prefixEnd(start)
  const branches: EtcdBranch[] = []
  let key: Uint8Array = prefix === '' ? new Uint8Array([0]) : start
  let revision = 0
  for (;;) {
    const page = await etcd.range({ key, rangeEnd, limit: 1, keysOnly: true, ...(revision === 0 ? {} : { revision }) }, { signal })
    revision ||= page.header.revision
    const found = page.kvs[0]
    if (found === undefined) return { branches, more: false, revision }
    if (branches.length === MAX_BRANCHES) return { branches, more: true, revision }
    // By bytes: a key need not be UTF-8, and a text that was repaired would not be jumped over. A slash in front separates nothing.
    const slash = found.key.indexOf(SLASH, Math.max(start.length, 1))
    if (slash < 0) {
      branches.push({ path: textOf(found.key), name: textOf(found.key.subarray(start.length)), count: 1, isKey: true })
      key = new Uint8Array([...found.key, 0])
      continue
    }
    const below = found.key.slice(0, slash + 1)
    const { count } = await etcd.range({ key: below, rangeEnd: prefixEnd(below), countOnly: true, revision }, { signal })
    branches.push({ path: textOf(below), name: textOf(below.subarray(start.length)), count, isKey: false })
    key = prefixEnd(below)
  }
}

/** One key's value as text. @throws StatusError NotFound */
export async function readKey(
  etcd: EtcdClient,
  { key, revision, decodeObject }: { key: string; revision?: number | undefined; decodeObject: DecodeObject },
  { signal }: Context,
): Promise<{ key: EtcdKeyView; text: string; encoding: 'protobuf' | 'json' | 'text' | 'hex' }> {
  const { kvs } = await etcd.range({ key: encoder.encode(key), ...(revision === undefined ? {} : { revision }) }, { signal })
  const kv = kvs[0]
  if (kv === undefined)
    throw new StatusError(failure(404, 'NotFound', `there is no key ${key}${revision === undefined ? '' : ` at revision ${String(revision)}`}`))
  return { key: keyView(kv), ...describeValue(kv.value, decodeObject) }
}

/** A value for reading: as a Kubernetes object, else as text where it is valid UTF-8, else as hex. */
export function describeValue(value: Uint8Array, decodeObject: DecodeObject): { text: string; encoding: 'protobuf' | 'json' | 'text' | 'hex' } {
  const object = decodeObject(value)
  if (object !== null) return object
  const shown = value.subarray(0, MAX_SHOWN_BYTES)
  const note = shown.length < value.length ? `\n… ${String(value.length - shown.length)} more bytes` : ''
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(shown, { stream: true })

    if (!/[\u0000-\u0008\u000e-\u001f]/.test(text)) return { text: text + note, encoding: 'text' }
  } catch {
    // No UTF-8: shown as hex below.
  }
  return { text: hexDump(shown.subarray(0, 64 * 1024)), encoding: 'hex' }
}

/** Compacts at the current revision, as an operator would before defragmenting. */
export async function compactNow(etcd: EtcdClient, { signal }: Context): Promise<{ revision: number }> {
  const { header } = await etcd.range({ key: encoder.encode('\0'), countOnly: true }, { signal })
  await etcd.compact({ revision: header.revision, physical: true }, { signal })
  return { revision: header.revision }
}

/** The first key that no longer has the prefix. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let index = prefix.length - 1; index >= 0; index--) {
    const byte = prefix[index] ?? 0
    if (byte < 255) return new Uint8Array([...prefix.subarray(0, index), byte + 1])
  }
  return new Uint8Array([0])
}

function keyView(kv: KeyValue): EtcdKeyView {
  return {
    key: Buffer.from(kv.key).toString('utf8'),
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
    version: kv.version,
    lease: kv.lease === 0n ? '' : BigInt.asUintN(64, kv.lease).toString(16),
    valueSizeBytes: kv.value.length,
  }
}

function hexDump(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(16, bytes.length - at))
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  ${row.toString('latin1').replace(/[^\x20-\x7e]/g, '.')}`)
  }
  return lines.join('\n')
}
