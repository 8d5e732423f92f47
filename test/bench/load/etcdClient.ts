import { connect, type ClientHttp2Session } from 'node:http2'
import { decodeMessage, encodeMessage, type MessageTable, type Plain } from '#shared/etcd/message.ts'
import * as m from '#shared/etcd/messages.ts'
import { txnToWire } from '#shared/etcd/txnMessages.ts'
import { FrameReader } from '#electron/controlplane/etcd/grpcFrames.ts'
import type { Calls, EtcdWatches, EtcdWork } from './etcdWork.ts'
import type { TlsTarget } from './http1Connection.ts'
import type { Done, Report } from './work.ts'

const HEAD = 5
const bytes = (text: string): Uint8Array => Buffer.from(text)
const send = (report: Report): void => {
  process.send?.(report)
}

function frame(table: MessageTable, message: Plain): Buffer {
  const encoded = Buffer.from(encodeMessage(table, message, HEAD))
  encoded.writeUInt32BE(encoded.length - HEAD, 1)
  return encoded
}

function open({ port, ca, cert, key }: TlsTarget): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(`https://127.0.0.1:${String(port)}`, { ca, cert, key, settings: { initialWindowSize: 8 << 20 } }, () => {
      session.setLocalWindowSize(32 << 20)
      resolve(session)
    })
    session.on('error', reject)
  })
}

const headers = (path: string): Record<string, string> => ({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' })

/** @returns bytes of the answer; @throws Error unless grpc-status is 0 */
function call(session: ClientHttp2Session, path: string, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers(path))
    let length = 0
    let status = ''
    stream.on('data', (part: Buffer) => {
      length += part.length
    })
    const read = (trailers: Record<string, unknown>): void => {
      const found = trailers['grpc-status']
      if (typeof found === 'string') status = `${found} ${String(trailers['grpc-message'] ?? '')}`
    }
    stream.on('response', read)
    stream.on('trailers', read)
    stream.on('error', reject)
    stream.on('close', () => {
      if (status.startsWith('0 ')) resolve(length)
      else reject(new Error(`${path} ended with ${status}`))
    })
    stream.end(body)
  })
}

function requestOf({ operation, keys, from, valueBytes, limit }: Calls, index: number, version: number | undefined): { path: string; body: Buffer } {
  const key = bytes(`/registry/pods/default/pod-${String(operation === 'put' ? from + index : (index * 7919) % keys).padStart(6, '0')}`)
  // Not compressible, as protobuf is little.
  const value = Buffer.alloc(valueBytes, `${String(index)}:0123456789abcdef`)
  switch (operation) {
    case 'put':
      return { path: '/etcdserverpb.KV/Put', body: frame(m.PUT_REQUEST, { key, value }) }
    case 'txn': {
      const request = txnToWire({
        compare: [{ result: version === undefined ? 'GREATER' : 'EQUAL', target: 'MOD', key, modRevision: version ?? 0 }],
        success: [{ type: 'put', request: { key, value } }],
        failure: [{ type: 'range', request: { key } }],
      })
      return { path: '/etcdserverpb.KV/Txn', body: frame(m.TXN_REQUEST, request) }
    }
    case 'get':
      return { path: '/etcdserverpb.KV/Range', body: frame(m.RANGE_REQUEST, { key }) }
    case 'range':
    case 'count': {
      const prefix = { key: bytes('/registry/pods/'), rangeEnd: bytes('/registry/pods0') }
      return { path: '/etcdserverpb.KV/Range', body: frame(m.RANGE_REQUEST, operation === 'count' ? { ...prefix, countOnly: true } : { ...prefix, limit }) }
    }
  }
}

async function calls(work: Calls): Promise<Done> {
  const sessions = await Promise.all(Array.from({ length: Math.min(4, work.clients) }, () => open(work.target)))
  const requests = Array.from({ length: work.count }, (_, index) => requestOf(work, index, undefined))
  const latenciesMs: number[] = []
  let next = 0
  let length = 0
  const cpu = process.cpuUsage()
  const started = performance.now()
  await Promise.all(
    Array.from({ length: work.clients }, async (_, client) => {
      const session = sessions[client % sessions.length]
      for (;;) {
        const request = requests[next++]
        if (request === undefined || session === undefined) return
        const before = performance.now()
        length += await call(session, request.path, request.body)
        latenciesMs.push(performance.now() - before)
      }
    }),
  )
  const elapsedMs = performance.now() - started
  const { user, system } = process.cpuUsage(cpu)
  for (const session of sessions) session.destroy()
  latenciesMs.sort((a, b) => a - b)
  return { type: 'done', elapsedMs, latenciesMs, bytes: length, clientCpuMs: (user + system) / 1000 }
}

async function watches({ target, watchers, events }: EtcdWatches): Promise<Done> {
  const session = await open(target)
  const body = frame(m.WATCH_REQUEST, { create: { key: bytes('/registry/pods/'), rangeEnd: bytes('/registry/pods0') } })
  let left = watchers
  let created = 0
  let length = 0
  const all = Promise.withResolvers<undefined>()
  for (let index = 0; index < watchers; index++) {
    const stream = session.request(headers('/etcdserverpb.Watch/Watch'))
    let seen = 0
    const frames = new FrameReader(Infinity)
    stream.on('error', (error) => {
      if (left > 0) all.reject(error)
    })
    stream.on('data', (part: Buffer) => {
      length += part.length
      frames.push(part)
      for (let message = frames.next(); message !== null; message = frames.next()) {
        const response = decodeMessage(m.WATCH_RESPONSE, message)
        if (response['created'] === true && ++created === watchers) send({ type: 'ready' })
        seen += (response['events'] as unknown[]).length
      }
      if (seen >= events) {
        seen = -Infinity
        if (--left === 0) all.resolve(undefined)
      }
    })
    stream.write(body)
  }
  const cpu = process.cpuUsage()
  const started = performance.now()
  await all.promise
  const { user, system } = process.cpuUsage(cpu)
  session.destroy()
  return { type: 'done', elapsedMs: performance.now() - started, latenciesMs: [], bytes: length, clientCpuMs: (user + system) / 1000 }
}

process.on('message', (work: EtcdWork) => {
  ;(work.type === 'calls' ? calls(work) : watches(work)).then(send, (error: unknown) => {
    send({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  })
})
