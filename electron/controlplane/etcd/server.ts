import * as m from '#shared/etcd/messages.ts'
import { decodeMessage, encodeMessage, type MessageTable, type Plain } from '#shared/etcd/message.ts'
import { EtcdError, type EtcdClient, type EtcdErrorCode, type Alarm, type WatchCreateRequest } from '#shared/etcd/rpc.ts'
import { txnFromWire, txnResponseToWire } from '#shared/etcd/txnMessages.ts'
import type { Logger } from '#shared/base/logger.ts'
import { ETCD_VERSION } from './embeddedEtcd.ts'
import { FRAME_HEAD, framed } from './grpcFrames.ts'
import { serveGrpc, type Framed, type GrpcMethod } from './grpcServer.ts'
import { GRPC, GrpcError } from './grpcStatus.ts'
import { MessageMemory } from './messageMemory.ts'

const CODES: Record<EtcdErrorCode, number> = {
  InvalidArgument: GRPC.INVALID_ARGUMENT,
  NotFound: GRPC.NOT_FOUND,
  FailedPrecondition: GRPC.FAILED_PRECONDITION,
  OutOfRange: GRPC.OUT_OF_RANGE,
  ResourceExhausted: GRPC.RESOURCE_EXHAUSTED,
  Unavailable: GRPC.UNAVAILABLE,
  Unauthenticated: GRPC.UNAUTHENTICATED,
  PermissionDenied: GRPC.PERMISSION_DENIED,
  DeadlineExceeded: GRPC.DEADLINE_EXCEEDED,
  Unimplemented: GRPC.UNIMPLEMENTED,
  Unknown: GRPC.UNKNOWN,
}

export interface EtcdServerOptions {
  etcd: EtcdClient
  /** 0 = any free port. */
  port: number
  /** PEM texts; clients must show a certificate of this CA. */
  tls: { certificate: string; key: string; clientCa: string }
  logger: Logger
}

export interface EtcdServer {
  readonly port: number
  /** What new connections are shown from now on. PEM texts. */
  setServingCertificate(serving: { certificate: string; key: string }): void
  close(): Promise<void>
}

/** For all servers of the process. */
const memory = new MessageMemory()

type Unary = (request: Plain, signal: AbortSignal) => Promise<Plain>
type Bidi = (requests: AsyncIterable<Plain>, send: (message: Plain) => Promise<void>, signal: AbortSignal) => Promise<void>
type ServerStream = (request: Plain, send: (message: Plain) => Promise<void>, signal: AbortSignal) => Promise<void>
type Method = { request: MessageTable; response: MessageTable } & ({ unary: Unary } | { bidi: Bidi } | { serverStream: ServerStream })

/** Serves an etcd over gRPC with mutual TLS on 127.0.0.1: what etcdctl and kube-apiserver talk to. */
export async function serveEtcd({ etcd, port, tls, logger }: EtcdServerOptions): Promise<EtcdServer> {
  const services: Record<string, Record<string, Method>> = {
    'etcdserverpb.KV': keyValueService(etcd),
    'etcdserverpb.Watch': { Watch: { request: m.WATCH_REQUEST, response: m.WATCH_RESPONSE, bidi: watchStream(etcd) } },
    'etcdserverpb.Lease': leaseService(etcd),
    'etcdserverpb.Cluster': {
      MemberList: unary(m.MEMBER_LIST_REQUEST, m.MEMBER_LIST_RESPONSE, async (_request, signal) => ({
        header: (await etcd.status({ signal })).header,
        members: await etcd.members({ signal }),
      })),
    },
    'etcdserverpb.Maintenance': maintenanceService(etcd),
    'etcdserverpb.Auth': {
      AuthStatus: unary({}, m.AUTH_STATUS_RESPONSE, async (_request, signal) => ({ header: (await etcd.status({ signal })).header, enabled: false })),
    },
    'grpc.health.v1.Health': {
      Check: unary({ service: [1, 'text'] }, { status: [1, 'number'] }, async (_request, signal) => {
        await etcd.status({ signal })
        return { status: 1 }
      }),
    },
  }
  const methods = new Map<string, GrpcMethod>()
  for (const [name, own] of Object.entries(services)) for (const [method, entry] of Object.entries(own)) methods.set(`/${name}/${method}`, grpcMethod(entry))
  try {
    return await serveGrpc({
      methods,
      http1: plainAnswer,
      onSent: (message) => {
        memory.give(message)
      },
      port,
      tls,
      onFault: (method, error) => {
        logger.error('a call failed', { method, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
      },
    })
  } catch (error) {
    throw new Error(`etcd cannot listen on 127.0.0.1:${String(port)}: ${(error as Error).message}`, { cause: error })
  }
}

/** What etcd answers over plain HTTP on the client port (upstream etcdserver/api/etcdhttp). */
function plainAnswer(path: string): { type: string; body: string } | null {
  if (path === '/health' || path.startsWith('/health?')) return { type: 'text/plain; charset=utf-8', body: '{"health":"true","reason":""}' }
  if (path === '/version')
    return { type: 'application/json', body: JSON.stringify({ etcdserver: ETCD_VERSION, etcdcluster: `${ETCD_VERSION.replace(/\.\d+$/, '')}.0` }) }
  return null
}

const unary = (request: MessageTable, response: MessageTable, handler: Unary): Method => ({ request, response, unary: handler })
const plain = (value: unknown): Plain => value as Plain

function keyValueService(etcd: EtcdClient): Record<string, Method> {
  return {
    Range: unary(m.RANGE_REQUEST, m.RANGE_RESPONSE, async (request, signal) => plain(await etcd.range(request as never, { signal }))),
    Put: unary(m.PUT_REQUEST, m.PUT_RESPONSE, async (request, signal) => plain(await etcd.put(request as never, { signal }))),
    DeleteRange: unary(m.DELETE_REQUEST, m.DELETE_RESPONSE, async (request, signal) => plain(await etcd.deleteRange(request as never, { signal }))),
    Txn: unary(m.TXN_REQUEST, m.TXN_RESPONSE, async (request, signal) => txnResponseToWire(await etcd.txn(txnFromWire(request), { signal }))),
    Compact: unary(m.COMPACT_REQUEST, m.COMPACT_RESPONSE, async (request, signal) => plain(await etcd.compact(request as never, { signal }))),
  }
}

function leaseService(etcd: EtcdClient): Record<string, Method> {
  const timeToLive: Unary = async (request, signal) => plain(await etcd.leaseTimeToLive(request as never, { signal }))
  const leases: Unary = async (_request, signal) => ({
    header: (await etcd.status({ signal })).header,
    leases: (await etcd.leases({ signal })).map((id) => ({ id })),
  })
  return {
    LeaseGrant: unary(m.LEASE_GRANT_REQUEST, m.LEASE_GRANT_RESPONSE, async (request, signal) => plain(await etcd.leaseGrant(request as never, { signal }))),
    LeaseRevoke: unary(m.LEASE_REVOKE_REQUEST, m.LEASE_REVOKE_RESPONSE, async (request, signal) => plain(await etcd.leaseRevoke(request as never, { signal }))),
    LeaseTimeToLive: unary(m.TIME_TO_LIVE_REQUEST, m.TIME_TO_LIVE_RESPONSE, timeToLive),
    LeaseLeases: unary(m.LEASES_REQUEST, m.LEASES_RESPONSE, leases),
    LeaseKeepAlive: {
      request: m.KEEP_ALIVE_REQUEST,
      response: m.KEEP_ALIVE_RESPONSE,
      bidi: async (requests, send, signal) => {
        for await (const request of requests) await send(plain(await etcd.leaseKeepAlive(request as never, { signal })))
      },
    },
  }
}

function maintenanceService(etcd: EtcdClient): Record<string, Method> {
  return {
    Alarm: unary(m.ALARM_REQUEST, m.ALARM_RESPONSE, async (request, signal) => {
      if (request['action'] === 'DEACTIVATE') await etcd.disarm(request as unknown as Alarm, { signal })
      return { header: (await etcd.status({ signal })).header, alarms: await etcd.alarms({ signal }) }
    }),
    Status: unary(m.STATUS_REQUEST, m.STATUS_RESPONSE, async (_request, signal) => plain(await etcd.status({ signal }))),
    Defragment: unary(m.DEFRAGMENT_REQUEST, m.DEFRAGMENT_RESPONSE, async (_request, signal) => {
      await etcd.defragment({ signal })
      return { header: (await etcd.status({ signal })).header }
    }),
    HashKV: unary(m.HASH_KV_REQUEST, m.HASH_KV_RESPONSE, async (request, signal) => plain(await etcd.hashKv(request as never, { signal }))),
    Snapshot: {
      request: m.SNAPSHOT_REQUEST,
      response: m.SNAPSHOT_RESPONSE,
      serverStream: async (_request, send, signal) => {
        for await (const part of etcd.snapshot({ signal })) await send(plain(part))
      },
    },
  }
}

/** Many watches share one stream; each runs on its own and answers under its watch id. */
function watchStream(etcd: EtcdClient): Bidi {
  return async (requests, send, signal) => {
    const watches = new Map<number, AbortController>()
    let nextId = 0
    const run = async (watchId: number, request: WatchCreateRequest, controller: AbortController): Promise<void> => {
      for await (const response of etcd.watch(request, { signal: AbortSignal.any([signal, controller.signal]) })) await send({ ...response, watchId })
      watches.delete(watchId)
    }
    for await (const request of requests) {
      const create = request['create'] as Plain | undefined
      const cancel = request['cancel'] as { watchId: number } | undefined
      if (create !== undefined) {
        const wanted = create['watchId'] as number
        const watchId = wanted === 0 ? nextId++ : wanted
        if (watches.has(watchId)) {
          await send({
            header: (await etcd.status({ signal })).header,
            watchId: -1,
            created: true,
            canceled: true,
            cancelReason: 'etcdserver: duplicate watch ID provided on the WatchStream',
          })
          continue
        }
        const controller = new AbortController()
        watches.set(watchId, controller)
        void run(watchId, create as unknown as WatchCreateRequest, controller).catch(() => undefined)
      } else if (cancel !== undefined) {
        const controller = watches.get(cancel.watchId)
        if (controller === undefined) continue
        controller.abort()
        watches.delete(cancel.watchId)
        await send({ header: (await etcd.status({ signal })).header, watchId: cancel.watchId, canceled: true })
      } else await send({ header: (await etcd.status({ signal })).header, watchId: -1 })
    }
    for (const controller of watches.values()) controller.abort()
  }
}

/** A method between its tables and the bytes of gRPC. */
function grpcMethod(method: Method): GrpcMethod {
  const read = (bytes: Uint8Array): Plain => {
    try {
      return decodeMessage(method.request, bytes)
    } catch (error) {
      // grpc-go's words for a body that is no such message.
      throw new GrpcError(GRPC.INTERNAL, `grpc: error unmarshalling request: ${(error as Error).message}`)
    }
  }
  const write = (message: Plain): Framed => framed(encodeMessage(method.response, message, FRAME_HEAD, (size) => memory.take(size)))
  if ('unary' in method) {
    const { unary: handle } = method
    return { unary: (bytes, signal) => handle(read(bytes), signal).then(write, rethrow) }
  }
  if ('serverStream' in method) {
    const { serverStream: handle } = method
    return {
      streaming: async (requests, send, signal) => {
        for await (const bytes of requests) {
          await handle(read(bytes), (message) => send(write(message)), signal).catch(rethrow)
          return
        }
      },
    }
  }
  const { bidi: handle } = method
  return {
    streaming: (requests, send, signal) => handle(mapped(requests, read), (message) => send(write(message)), signal).catch(rethrow),
  }
}

async function* mapped(requests: AsyncIterable<Uint8Array>, read: (bytes: Uint8Array) => Plain): AsyncGenerator<Plain> {
  for await (const bytes of requests) yield read(bytes)
}

function rethrow(error: unknown): never {
  throw error instanceof EtcdError ? new GrpcError(CODES[error.code], error.message) : error
}
