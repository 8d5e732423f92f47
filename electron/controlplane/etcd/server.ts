import {
  Server,
  ServerCredentials,
  status,
  type ServiceDefinition,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServerDuplexStream,
} from '@grpc/grpc-js'
import * as m from '#shared/etcd/messages.ts'
import { decodeMessage, encodeMessage, type MessageTable, type Plain } from '#shared/etcd/message.ts'
import { EtcdError, type EtcdClient, type EtcdErrorCode, type Alarm, type WatchCreateRequest } from '#shared/etcd/rpc.ts'
import { txnFromWire, txnResponseToWire } from '#shared/etcd/txnMessages.ts'
import type { Logger } from '#shared/base/logger.ts'

const CODES: Record<EtcdErrorCode, status> = {
  InvalidArgument: status.INVALID_ARGUMENT,
  NotFound: status.NOT_FOUND,
  FailedPrecondition: status.FAILED_PRECONDITION,
  OutOfRange: status.OUT_OF_RANGE,
  ResourceExhausted: status.RESOURCE_EXHAUSTED,
  Unavailable: status.UNAVAILABLE,
  Unauthenticated: status.UNAUTHENTICATED,
  PermissionDenied: status.PERMISSION_DENIED,
  DeadlineExceeded: status.DEADLINE_EXCEEDED,
  Unimplemented: status.UNIMPLEMENTED,
  Unknown: status.UNKNOWN,
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
  close(): Promise<void>
}

type Unary = (request: Plain, signal: AbortSignal) => Promise<Plain>
type Bidi = (requests: AsyncIterable<Plain>, send: (message: Plain) => Promise<void>, signal: AbortSignal) => Promise<void>
type ServerStream = (request: Plain, send: (message: Plain) => Promise<void>, signal: AbortSignal) => Promise<void>
type Method = { request: MessageTable; response: MessageTable } & ({ unary: Unary } | { bidi: Bidi } | { serverStream: ServerStream })

/** Serves an etcd over gRPC with mutual TLS on 127.0.0.1: what etcdctl and kube-apiserver talk to. */
export async function serveEtcd({ etcd, port, tls, logger }: EtcdServerOptions): Promise<EtcdServer> {
  const server = new Server({ 'grpc.max_receive_message_length': 2 * 1024 * 1024, 'grpc.max_send_message_length': -1 })
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
  for (const [name, methods] of Object.entries(services)) addService(server, name, methods, logger)
  const credentials = ServerCredentials.createSsl(
    Buffer.from(tls.clientCa),
    [{ cert_chain: Buffer.from(tls.certificate), private_key: Buffer.from(tls.key) }],
    true,
  )
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${String(port)}`, credentials, (error, boundPort) => {
      if (error === null) resolve(boundPort)
      else reject(new Error(`etcd cannot listen on 127.0.0.1:${String(port)}: ${error.message}`, { cause: error }))
    })
  })
  return {
    port: bound,
    close: () => {
      server.forceShutdown()
      return Promise.resolve()
    },
  }
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

function addService(server: Server, name: string, methods: Record<string, Method>, logger: Logger): void {
  const definition: Record<string, ServiceDefinition[string]> = {}
  const handlers: Record<string, never> = {}
  for (const [method, entry] of Object.entries(methods)) {
    definition[method] = {
      path: `/${name}/${method}`,
      requestStream: 'bidi' in entry,
      responseStream: !('unary' in entry),
      requestDeserialize: (bytes: Buffer) => decodeMessage(entry.request, bytes),
      requestSerialize: (message: Plain) => Buffer.from(encodeMessage(entry.request, message)),
      responseSerialize: (message: Plain) => Buffer.from(encodeMessage(entry.response, message)),
      responseDeserialize: (bytes: Buffer) => decodeMessage(entry.response, bytes),
    }
    handlers[method] = handlerOf(entry, (error) => {
      logger.error('a call failed', { method: `${name}/${method}`, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }) as never
  }
  server.addService(definition, handlers)
}

type Stream = ServerWritableStream<Plain, Plain> | ServerDuplexStream<Plain, Plain>

function handlerOf(
  method: Method,
  report: (error: unknown) => void,
): handleUnaryCall<Plain, Plain> | handleBidiStreamingCall<Plain, Plain> | handleServerStreamingCall<Plain, Plain> {
  const toStatus = (error: unknown): { code: status; details: string } => {
    if (error instanceof EtcdError) return { code: CODES[error.code], details: error.message }
    report(error)
    return { code: status.INTERNAL, details: error instanceof Error ? error.message : String(error) }
  }
  if ('unary' in method)
    return (call: ServerUnaryCall<Plain, Plain>, callback: sendUnaryData<Plain>): void => {
      const controller = abortedWith(call)
      method.unary(call.request, controller.signal).then(
        (response) => {
          callback(null, response)
        },
        (error: unknown) => {
          callback(toStatus(error))
        },
      )
    }
  const finish = (call: Stream, work: Promise<void>, controller: AbortController): void => {
    work.then(
      () => {
        call.end()
      },
      (error: unknown) => {
        if (controller.signal.aborted) call.end()
        else call.emit('error', toStatus(error))
      },
    )
  }
  if ('bidi' in method)
    return (call: ServerDuplexStream<Plain, Plain>): void => {
      const controller = abortedWith(call)
      finish(call, method.bidi(call as AsyncIterable<Plain>, sender(call, controller.signal), controller.signal), controller)
    }
  return (call: ServerWritableStream<Plain, Plain>): void => {
    const controller = abortedWith(call)
    finish(call, method.serverStream(call.request, sender(call, controller.signal), controller.signal), controller)
  }
}

function abortedWith(call: { on(event: 'cancelled', listener: () => void): unknown }): AbortController {
  const controller = new AbortController()
  call.on('cancelled', () => {
    controller.abort(new EtcdError('Unavailable', 'the caller went away'))
  })
  return controller
}

/** Waits while the caller takes no more, so that a slow watcher costs no memory here. */
function sender(call: Stream, signal: AbortSignal): (message: Plain) => Promise<void> {
  return (message) => {
    signal.throwIfAborted()
    if (call.write(message)) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        call.off('drain', done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      call.on('drain', done)
      signal.addEventListener('abort', done)
    })
  }
}
