import { createServer as createHttp1Server, ServerResponse, type IncomingMessage, type Server as Http1Server } from 'node:http'
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Authenticated, Authenticator } from './authentication/authenticator.ts'
import { ClientAuthorities, type PeerCertificate } from './authentication/peerCertificate.ts'
import type { RequestHandler } from './filters/requestPipeline.ts'
import { sendAnswer } from './http/answer.ts'
import type { Exchange } from './http/exchange.ts'
import { Http1Exchange, plainHeaders } from './http/http1Exchange.ts'
import { Http2Exchange } from './http/http2Exchange.ts'
import type { ApiServerMetrics } from './metrics/apiServerMetrics.ts'
import { textResponse, type ApiRequest, type ApiResponse } from './request/apiRequest.ts'
import { newRequestRecord } from './request/requestRecord.ts'
import { UpgradedConnections } from './streaming/upgradedConnections.ts'

/** Idle connections are kept so long; clients reuse them for later requests. */
const KEEP_ALIVE_MS = 120_000

export interface SecureServerOptions {
  handler: RequestHandler
  metrics: ApiServerMetrics
  clock: Clock
  authenticator: Authenticator
  tls: { certificate: string; key: string; clientCa: string; frontProxyCa?: string }
  logger: Logger
}

/** HTTPS on loopback: HTTP/2 and HTTP/1.1 on one port, client certificates asked for but not demanded. */
export class SecureServer {
  readonly #options: SecureServerOptions
  readonly #server: TlsServer
  readonly #http1: Http1Server
  readonly #http2: Http2Server
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #sockets = new Set<TLSSocket>()
  readonly #peers = new WeakMap<TLSSocket, PeerCertificate | null>()
  /** Requests that are being answered. */
  readonly #open = new Set<AbortController>()
  readonly #closed = new AbortController()
  readonly #upgraded: UpgradedConnections
  readonly #authorities: ClientAuthorities

  constructor(options: SecureServerOptions) {
    this.#options = options
    this.#upgraded = new UpgradedConnections(options)
    const { certificate, key, clientCa, frontProxyCa } = options.tls
    this.#authorities = new ClientAuthorities(frontProxyCa)
    this.#http1 = this.#http1Server()
    this.#http2 = this.#http2Server()
    this.#server = createTlsServer(
      {
        cert: certificate,
        key,
        ca: frontProxyCa === undefined ? clientCa : [clientCa, frontProxyCa],
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.2',
        ALPNProtocols: ['h2', 'http/1.1'],
      },
      (socket) => {
        this.#sockets.add(socket)
        socket.setNoDelay(true)
        socket.on('close', () => this.#sockets.delete(socket))
        socket.on('error', () => undefined)
        ;(socket.alpnProtocol === 'h2' ? this.#http2 : this.#http1).emit('connection', socket)
      },
    )
    // A client that does not get through the handshake is its own trouble.
    this.#server.on('tlsClientError', (error: Error) => {
      options.metrics.now.handshakeErrors.add([])
      options.logger.debug('a TLS handshake failed', { error: error.message })
    })
  }

  #http1Server(): Http1Server {
    const server = createHttp1Server({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
      void this.#serve(new Http1Exchange(request, response))
    })
    server.on('upgrade', (request: IncomingMessage, socket: TLSSocket, head: Buffer) => {
      void this.#serveUpgrade(request, socket, head)
    })
    return server
  }

  #http2Server(): Http2Server {
    const server = createHttp2Server({ settings: { maxConcurrentStreams: 1000, initialWindowSize: 1 << 20 } })
    server.on('session', (session) => {
      this.#sessions.add(session)
      session.setLocalWindowSize(4 << 20)
      session.on('close', () => this.#sessions.delete(session))
      session.on('error', () => undefined)
    })
    server.on('sessionError', () => undefined)
    server.on('stream', (stream, headers, _flags, rawHeaders) => {
      void this.#serve(new Http2Exchange(stream, headers, rawHeaders))
    })
    return server
  }

  /** For new connections. */
  setServingCertificate({ certificate, key }: { certificate: string; key: string }): void {
    const { clientCa, frontProxyCa } = this.#options.tls
    this.#server.setSecureContext({ cert: certificate, key, ca: frontProxyCa === undefined ? clientCa : [clientCa, frontProxyCa], minVersion: 'TLSv1.2' })
  }

  /** @returns the port */
  listen({ host, port }: { host: '127.0.0.1'; port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const taken = error.code === 'EADDRINUSE'
        reject(
          taken ? new Error(`port ${String(port)} on ${host} is in use by another program; choose another with --port, or 0 for any`, { cause: error }) : error,
        )
      })
      this.#server.listen(port, host, () => {
        this.#server.removeAllListeners('error')
        this.#server.on('error', (error) => {
          this.#options.logger.error('the server failed', { error: error.message })
        })
        resolve((this.#server.address() as AddressInfo).port)
      })
    })
  }

  /** Ends watches and connections. */
  async close(): Promise<void> {
    const reason = new Error('the API server is shutting down')
    this.#closed.abort(reason)
    for (const request of this.#open) request.abort(reason)
    const ended = new Promise<void>((resolve) => {
      if (!this.#server.listening) resolve()
      else
        this.#server.close(() => {
          resolve()
        })
    })
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
    // Its timers, of connections it was handed.
    this.#http1.close()
    await ended
  }

  async #serve(exchange: Exchange): Promise<void> {
    const request = new AbortController()
    this.#open.add(request)
    exchange.gone.addEventListener('abort', () => {
      request.abort(exchange.gone.reason)
    })
    if (this.#closed.signal.aborted) request.abort(this.#closed.signal.reason)
    const answer = await this.#answer(exchange, request.signal)
    await sendAnswer(answer, exchange, this.#options.logger)
    answer.ended?.()
    this.#open.delete(request)
  }

  /** HTTP/1.1 with an Upgrade header: an answer in plain HTTP when there is nothing to upgrade to. */
  async #serveUpgrade(request: IncomingMessage, socket: TLSSocket, head: Buffer): Promise<void> {
    const gone = new AbortController()
    socket.on('close', () => {
      gone.abort(new Error('the client went away'))
    })
    socket.on('error', () => undefined)
    const signal = AbortSignal.any([gone.signal, this.#closed.signal])
    const { url = '/', method = 'GET' } = request
    let answer = await this.#answer({ method, url, headers: plainHeaders(request), socket, body: () => Promise.resolve(new Uint8Array(0)) }, signal)
    if (answer.ended !== undefined) socket.once('close', answer.ended)
    if (answer.upgrade !== undefined) {
      try {
        const refusal = await this.#upgraded.serve(answer.upgrade, { request, socket, head, signal })
        if (refusal === null) return
        answer = textResponse(refusal.status, refusal.text)
      } catch (error) {
        answer = this.#options.handler.failed(error, { path: url, method })
      }
    }
    if (gone.signal.aborted) return
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.on('finish', () => {
      socket.end()
    })
    response.assignSocket(socket as Socket)
    await sendAnswer(answer, new Http1Exchange(request, response), this.#options.logger)
  }

  async #answer(exchange: Pick<Exchange, 'method' | 'url' | 'headers' | 'socket' | 'body'>, signal: AbortSignal): Promise<ApiResponse> {
    const { url, method, headers, socket } = exchange
    const at = url.indexOf('?')
    const path = at < 0 ? url : url.slice(0, at)
    const address = socket?.remoteAddress
    const record = newRequestRecord(url, address === undefined ? [] : [address.replace(/^::ffff:/, '')])
    try {
      const { user, annotations } = this.#authenticated(headers, socket)
      Object.assign(record.annotations, annotations)
      const asked: ApiRequest = {
        method: method === 'HEAD' ? 'GET' : method,
        path,
        query: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)),
        headers,
        user,
        body: await exchange.body(),
        signal,
        record,
      }
      return await this.#options.handler.handle(asked)
    } catch (error) {
      return this.#options.handler.failed(error, { path, method, signal })
    }
  }

  #authenticated(headers: Record<string, string | undefined>, socket: TLSSocket | undefined): Authenticated {
    const { authenticator, metrics, clock } = this.#options
    const started = performance.now()
    const peer = this.#peer(socket)
    if (peer !== null) metrics.now.clientCertificates.observe([], (peer.validToMs - clock.now()) / 1000)
    let result = 'failure'
    try {
      const authenticated = authenticator.authenticate(headers, peer)
      metrics.now.authenticatedUsers.add([knownUser(authenticated.user.username)])
      result = 'success'
      return authenticated
    } finally {
      metrics.now.authenticationAttempts.add([result])
      metrics.now.authenticationDurations.observe([result], (performance.now() - started) / 1000)
    }
  }

  /** Read once per connection. */
  #peer(socket: TLSSocket | undefined): PeerCertificate | null {
    if (socket === undefined) return null
    const known = this.#peers.get(socket)
    if (known !== undefined) return known
    const peer = this.#authorities.peerOf(socket)
    this.#peers.set(socket, peer)
    return peer
  }
}

const KNOWN_USERS = new Set(['admin', 'client', 'kube_proxy', 'kubelet', 'system:serviceaccount:kube-system:default'])

/** What a user counts as in metrics, where any name as a label could fill the memory. @see kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/filters/metrics.go */
function knownUser(username: string): string {
  if (KNOWN_USERS.has(username)) return username
  return username.includes('@') ? 'email_id' : 'other'
}
