import { createServer as createHttp1Server } from 'node:http'
import { constants, createServer as createHttp2Server, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { FrameReader } from './grpcFrames.ts'
import { GRPC, GrpcError } from './grpcStatus.ts'

/** A message as it is sent: `FRAME_HEAD` bytes free, then the message. */
export type Framed = Uint8Array

/** Sends one message; resolves when the client takes more. */
export type Send = (message: Framed) => Promise<void>

/** One method. Messages in are bytes without their frame. Throws or rejects with GrpcError; anything else is INTERNAL. */
export type GrpcMethod =
  | { unary: (request: Uint8Array, signal: AbortSignal) => Promise<Framed> }
  | { streaming: (requests: AsyncIterable<Uint8Array>, send: Send, signal: AbortSignal) => Promise<void> }

export interface GrpcServerOptions {
  /** By path, `/package.Service/Method`. */
  methods: ReadonlyMap<string, GrpcMethod>
  /** Plain answers over HTTP/1.1 on the same port; null = 404. */
  http1: (path: string) => { type: string; body: string } | null
  /** A message was sent, and its memory is free. Not called for those that could not be. */
  onSent: (message: Framed) => void
  port: number
  /** PEM texts; clients must show a certificate of this CA. */
  tls: { certificate: string; key: string; clientCa: string }
  /** Called with errors that are no GrpcError. */
  onFault: (path: string, error: unknown) => void
}

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' }

export interface GrpcServer {
  port: number
  setServingCertificate(serving: { certificate: string; key: string }): void
  close(): Promise<void>
}

/**
 * gRPC over HTTP/2 with mutual TLS on 127.0.0.1, by the protocol's description (grpc/doc/PROTOCOL-HTTP2.md). It does what etcd's
 * clients need, on Node's HTTP/2 alone: compressed messages are refused, deadlines are the client's to keep.
 */
export async function serveGrpc({ methods, http1, onSent, port, tls, onFault }: GrpcServerOptions): Promise<GrpcServer> {
  const sessions = new Set<ServerHttp2Session>()
  const sockets = new Set<TLSSocket>()
  const closed = new AbortController()
  const plain = createHttp1Server((request, response) => {
    const answer = request.method === 'GET' ? http1(request.url ?? '/') : null
    response.writeHead(answer === null ? 404 : 200, { 'content-type': answer?.type ?? 'text/plain; charset=utf-8' })
    response.end(answer?.body ?? '404 page not found\n')
  })
  const grpc = createHttp2Server({ settings: { maxConcurrentStreams: 0xffff_ffff, initialWindowSize: 1 << 20 } })
  grpc.on('session', (session) => {
    // Unary calls end with their connection; streams have a signal each.
    const gone = new AbortController()
    sessions.add(session)
    session.setLocalWindowSize(4 << 20)
    session.on('error', () => undefined)
    session.on('close', () => {
      sessions.delete(session)
      gone.abort(new GrpcError(GRPC.CANCELLED, 'the caller went away'))
    })
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on('error', () => undefined)
      const path = (headers as { ':path'?: string })[':path'] ?? ''
      const method = methods.get(path)
      const fault = (error: unknown): void => {
        if (!(error instanceof GrpcError) && !gone.signal.aborted) onFault(path, error)
      }
      if (headers['content-type']?.startsWith('application/grpc') !== true) stream.respond({ ':status': 415 }, { endStream: true })
      else if (method === undefined) refuse(stream, new GrpcError(GRPC.UNIMPLEMENTED, unknownMethod(path, methods)))
      else if ('unary' in method) answerUnary(stream, method.unary, { signal: gone.signal, fault, onSent })
      else answerStreaming(stream, method.streaming, { signal: closed.signal, fault, onSent })
    })
  })
  grpc.on('sessionError', () => undefined)
  const server = createTlsServer(
    {
      cert: tls.certificate,
      key: tls.key,
      ca: tls.clientCa,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2', 'http/1.1'],
    },
    (socket) => {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => undefined)
      ;(socket.alpnProtocol === 'h2' ? grpc : plain).emit('connection', socket)
    },
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    setServingCertificate: ({ certificate, key }) => {
      server.setSecureContext({ cert: certificate, key, ca: tls.clientCa, minVersion: 'TLSv1.2' })
    },
    close: async () => {
      closed.abort(new GrpcError(GRPC.UNAVAILABLE, 'etcdserver: server stopped'))
      const ended = new Promise<void>((resolve) => {
        server.close(() => {
          resolve()
        })
      })
      for (const session of sessions) session.destroy()
      for (const socket of sockets) socket.destroy()
      plain.close()
      await ended
    },
  }
}

/** As grpc-go words it. */
function unknownMethod(path: string, methods: ReadonlyMap<string, GrpcMethod>): string {
  const [, service = '', method = ''] = path.split('/')
  const known = [...methods.keys()].some((each) => each.startsWith(`/${service}/`))
  return known ? `unknown method ${method} for service ${service}` : `unknown service ${service}`
}

function trailersOf(error: unknown): Record<string, string> {
  if (error === null) return { 'grpc-status': '0' }
  const code = error instanceof GrpcError ? error.code : GRPC.INTERNAL
  const message = error instanceof Error ? error.message : String(error)
  return { 'grpc-status': String(code), 'grpc-message': encodeURIComponent(message) }
}

/** An error without any message before it: headers and trailers in one. */
function refuse(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed || stream.headersSent) return
  stream.respond({ ...HEADERS, ...trailersOf(error) }, { endStream: true })
  stream.resume()
}

function respond(stream: ServerHttp2Stream, trailers: () => Record<string, string>): void {
  stream.respond(HEADERS, { waitForTrailers: true })
  stream.on('wantTrailers', () => {
    stream.sendTrailers(trailers())
  })
}

interface Answering {
  /** The connection is gone, or the server is closed. */
  signal: AbortSignal
  fault: (error: unknown) => void
  onSent: (message: Framed) => void
}

/** @returns whether the stream takes more at once */
function write(stream: ServerHttp2Stream, message: Framed, onSent: (message: Framed) => void): boolean {
  return stream.write(message, (error) => {
    if (error === null || error === undefined) onSent(message)
  })
}

function answerUnary(
  stream: ServerHttp2Stream,
  handle: (request: Uint8Array, signal: AbortSignal) => Promise<Framed>,
  { signal, fault, onSent }: Answering,
): void {
  const reader = new FrameReader()
  const fail = (error: unknown): void => {
    fault(error)
    refuse(stream, error)
  }
  stream.on('data', (bytes: Buffer) => {
    reader.push(bytes)
  })
  stream.on('end', () => {
    try {
      const request = reader.next()
      if (request === null) throw new GrpcError(GRPC.INTERNAL, 'the request holds no message')
      handle(request, signal).then((message) => {
        if (stream.destroyed) return
        respond(stream, () => trailersOf(null))
        write(stream, message, onSent)
        stream.end()
      }, fail)
    } catch (error) {
      fail(error)
    }
  })
}

function answerStreaming(
  stream: ServerHttp2Stream,
  handle: (requests: AsyncIterable<Uint8Array>, send: Send, signal: AbortSignal) => Promise<void>,
  { signal: closed, fault, onSent }: Answering,
): void {
  const gone = new AbortController()
  stream.on('close', () => {
    gone.abort(new GrpcError(GRPC.CANCELLED, 'the caller went away'))
  })
  let outcome: unknown = null
  respond(stream, () => trailersOf(outcome))
  const send: Send = (message) => {
    gone.signal.throwIfAborted()
    return write(stream, message, onSent) ? Promise.resolve() : drained(stream)
  }
  handle(framesOf(stream), send, AbortSignal.any([gone.signal, closed])).then(
    () => stream.end(),
    (error: unknown) => {
      if (stream.destroyed || gone.signal.aborted) return
      outcome = error
      fault(error)
      stream.end()
      // Whatever the client still sends is not read.
      if (!stream.readableEnded) stream.resume()
    },
  )
}

async function* framesOf(stream: ServerHttp2Stream): AsyncGenerator<Uint8Array> {
  const reader = new FrameReader()
  try {
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      reader.push(bytes)
      for (let frame = reader.next(); frame !== null; frame = reader.next()) yield frame
    }
  } catch (error) {
    // The client cancelled: its stream ends here as well.
    if (error instanceof GrpcError || stream.rstCode === constants.NGHTTP2_NO_ERROR) throw error
  }
}

/** Waits while the caller takes no more, so that a slow watcher costs no memory here. */
function drained(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done)
      stream.off('close', done)
      resolve()
    }
    stream.on('drain', done)
    stream.on('close', done)
  })
}
