import { Client, credentials, Metadata, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js'
import { decodeMessage, encodeMessage, type MessageTable, type Plain } from '#shared/etcd/message.ts'
import * as m from '#shared/etcd/messages.ts'
import { MalformedMessage } from '#shared/etcd/protobuf.ts'
import { EtcdError, type EtcdClient, type WatchResponse } from '#shared/etcd/rpc.ts'
import { txnResponseFromWire, txnToWire } from '#shared/etcd/txnMessages.ts'
import { etcdAddress, readTls, type EtcdTarget, type EtcdTls } from './etcdTarget.ts'
import { etcdErrorCode } from './grpcCodes.ts'
import { snapshotStream } from './snapshotStream.ts'

export type { EtcdTarget } from './etcdTarget.ts'

/** Longest a call may take that is neither a stream nor a snapshot. */
const CALL_TIMEOUT_MS = 15_000

/** As kube-apiserver's client: etcd refuses to be asked more often than every five seconds. */
const KEEPALIVE_MS = 10_000

function asEtcdError(error: unknown): Error {
  if (error instanceof MalformedMessage) return new EtcdError('Unknown', `the answer is not etcd's: ${error.message}`, { cause: error })
  const { code, details, message } = error as Partial<ServiceError>
  if (typeof code === 'number')
    return new EtcdError(etcdErrorCode(code), details === undefined || details === '' ? (message ?? 'the call failed') : details, { cause: error })
  return error instanceof Error ? error : new Error(String(error))
}

/**
 * A connection to one etcd member over gRPC. Nothing is dialled before the first call.
 *
 * @throws the system's error when a TLS file cannot be read; TypeError when it holds no certificate or key
 */
export async function connectEtcd(target: EtcdTarget): Promise<EtcdClient> {
  const tls = await readTls(target)
  const { ca = null, cert = null, key = null } = tls
  const { scheme, address } = etcdAddress(target)
  const channel: ChannelCredentials = scheme === 'https' ? credentials.createSsl(ca, key, cert) : credentials.createInsecure()
  return new GrpcEtcdClient(
    new Client(address, channel, {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // A member that vanished without a word is noticed by the watch on it.
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
    }),
    { target, tls },
  )
}

const toBuffer =
  (table: MessageTable) =>
  (message: Plain): Buffer =>
    Buffer.from(encodeMessage(table, message))
const fromBuffer =
  (table: MessageTable) =>
  (bytes: Buffer): Plain =>
    decodeMessage(table, bytes)

class GrpcEtcdClient implements EtcdClient {
  readonly #client: Client
  readonly #reached: { target: EtcdTarget; tls: EtcdTls }

  constructor(client: Client, reached: { target: EtcdTarget; tls: EtcdTls }) {
    this.#client = client
    this.#reached = reached
  }

  async #unary(
    path: string,
    request: MessageTable,
    response: MessageTable,
    message: object,
    signal: AbortSignal,
    timeoutMs: number | null = CALL_TIMEOUT_MS,
  ): Promise<Plain> {
    signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      // gRPC wants the deadline as wall time.
      const options = timeoutMs === null ? {} : { deadline: new Date(performance.timeOrigin + performance.now() + timeoutMs) }
      const call = this.#client.makeUnaryRequest(
        `/etcdserverpb.${path}`,
        toBuffer(request),
        fromBuffer(response),
        message as Plain,
        options,
        (error, value) => {
          signal.removeEventListener('abort', onAbort)
          if (error !== null) reject(signal.aborted ? (signal.reason as Error) : asEtcdError(error))
          else if (value === undefined) reject(new EtcdError('Unknown', 'the answer is empty'))
          else resolve(value)
        },
      )
      function onAbort(): void {
        call.cancel()
      }
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  range: EtcdClient['range'] = async (request, { signal }) => (await this.#unary('KV/Range', m.RANGE_REQUEST, m.RANGE_RESPONSE, request, signal)) as never
  put: EtcdClient['put'] = async (request, { signal }) => (await this.#unary('KV/Put', m.PUT_REQUEST, m.PUT_RESPONSE, request, signal)) as never
  deleteRange: EtcdClient['deleteRange'] = async (request, { signal }) =>
    (await this.#unary('KV/DeleteRange', m.DELETE_REQUEST, m.DELETE_RESPONSE, request, signal)) as never
  txn: EtcdClient['txn'] = async (request, { signal }) =>
    txnResponseFromWire(await this.#unary('KV/Txn', m.TXN_REQUEST, m.TXN_RESPONSE, txnToWire(request), signal))
  compact: EtcdClient['compact'] = async (request, { signal }) =>
    (await this.#unary('KV/Compact', m.COMPACT_REQUEST, m.COMPACT_RESPONSE, request, signal, null)) as never
  leaseGrant: EtcdClient['leaseGrant'] = async (request, { signal }) =>
    (await this.#unary('Lease/LeaseGrant', m.LEASE_GRANT_REQUEST, m.LEASE_GRANT_RESPONSE, request, signal)) as never
  leaseRevoke: EtcdClient['leaseRevoke'] = async (request, { signal }) =>
    (await this.#unary('Lease/LeaseRevoke', m.LEASE_REVOKE_REQUEST, m.LEASE_REVOKE_RESPONSE, request, signal)) as never
  leaseTimeToLive: EtcdClient['leaseTimeToLive'] = async (request, { signal }) =>
    (await this.#unary('Lease/LeaseTimeToLive', m.TIME_TO_LIVE_REQUEST, m.TIME_TO_LIVE_RESPONSE, request, signal)) as never
  leases: EtcdClient['leases'] = async ({ signal }) =>
    ((await this.#unary('Lease/LeaseLeases', m.LEASES_REQUEST, m.LEASES_RESPONSE, {}, signal))['leases'] as { id: bigint }[]).map(({ id }) => id)
  members: EtcdClient['members'] = async ({ signal }) =>
    (await this.#unary('Cluster/MemberList', m.MEMBER_LIST_REQUEST, m.MEMBER_LIST_RESPONSE, {}, signal))['members'] as never
  status: EtcdClient['status'] = async ({ signal }) => (await this.#unary('Maintenance/Status', m.STATUS_REQUEST, m.STATUS_RESPONSE, {}, signal)) as never
  hashKv: EtcdClient['hashKv'] = async (request, { signal }) =>
    (await this.#unary('Maintenance/HashKV', m.HASH_KV_REQUEST, m.HASH_KV_RESPONSE, request, signal, null)) as never
  alarms: EtcdClient['alarms'] = async ({ signal }) =>
    (await this.#unary('Maintenance/Alarm', m.ALARM_REQUEST, m.ALARM_RESPONSE, { action: 'GET' }, signal))['alarms'] as never
  disarm: EtcdClient['disarm'] = async (alarm, { signal }) => {
    await this.#unary('Maintenance/Alarm', m.ALARM_REQUEST, m.ALARM_RESPONSE, { action: 'DEACTIVATE', ...alarm }, signal)
  }
  defragment: EtcdClient['defragment'] = async ({ signal }) => {
    await this.#unary('Maintenance/Defragment', m.DEFRAGMENT_REQUEST, m.DEFRAGMENT_RESPONSE, {}, signal, null)
  }

  leaseKeepAlive: EtcdClient['leaseKeepAlive'] = async (request, { signal }) => {
    const call = this.#client.makeBidiStreamRequest('/etcdserverpb.Lease/LeaseKeepAlive', toBuffer(m.KEEP_ALIVE_REQUEST), fromBuffer(m.KEEP_ALIVE_RESPONSE), {})
    call.write(request as unknown as Plain)
    for await (const answer of cancellable(call, signal)) return answer as never
    throw new EtcdError('Unavailable', 'the lease stream ended without an answer')
  }

  async *watch(request: Parameters<EtcdClient['watch']>[0], { signal }: { signal: AbortSignal }): AsyncGenerator<WatchResponse> {
    // A member cut off from the others ends the watch, which would otherwise tell nothing and not say so.
    const metadata = new Metadata()
    metadata.set('hasleader', 'true')
    const call = this.#client.makeBidiStreamRequest('/etcdserverpb.Watch/Watch', toBuffer(m.WATCH_REQUEST), fromBuffer(m.WATCH_RESPONSE), metadata, {})
    call.write({ create: request })
    try {
      for await (const answer of cancellable(call, signal)) {
        const response = answer as unknown as WatchResponse
        yield response
        if (response.canceled) return
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** On a connection of its own, which its bytes would fill. */
  snapshot({ signal }: { signal: AbortSignal }): AsyncGenerator<{ blob: Uint8Array; remainingBytes: number }> {
    return snapshotStream(this.#reached.target, { tls: this.#reached.tls, signal })
  }

  close(): Promise<void> {
    this.#client.close()
    return Promise.resolve()
  }
}

/** A stream's messages; cancelled when the signal aborts or the reader stops. @throws EtcdError or the signal's reason */
async function* cancellable(call: AsyncIterable<Plain> & { cancel(): void }, signal: AbortSignal): AsyncGenerator<Plain> {
  signal.throwIfAborted()
  const onAbort = (): void => {
    call.cancel()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for await (const message of call) yield message
  } catch (error) {
    signal.throwIfAborted()
    throw asEtcdError(error)
  } finally {
    signal.removeEventListener('abort', onAbort)
    call.cancel()
  }
}
