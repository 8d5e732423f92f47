import { ServerResponse, type IncomingMessage } from 'node:http'
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PeerCertificate as TlsPeerCertificate, TLSSocket } from 'node:tls'
import { constants, gzip } from 'node:zlib'
import { promisify } from 'node:util'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { Authenticator, PeerCertificate } from './authentication/authenticator.ts'
import type { ApiHandler } from './handlers/apiHandler.ts'
import { textResponse, type ApiRequest, type ApiResponse } from './request/apiRequest.ts'
import { MAX_BODY_BYTES } from './request/body.ts'
import { UpgradedConnections } from './streaming/upgradedConnections.ts'

const compress = promisify(gzip)
const GZIP_FROM_BYTES = 128 * 1024

export interface SecureServerOptions {
  handler: ApiHandler
  clock: Clock
  authenticator: Authenticator
  tls: { certificate: string; key: string; clientCa: string }
  logger: Logger
}

/** HTTPS on loopback: HTTP/2 and HTTP/1.1 on one port, client certificates asked for but not demanded. */
export class SecureServer {
  readonly #options: SecureServerOptions
  readonly #server: Http2SecureServer
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #sockets = new Set<TLSSocket>()
  readonly #peers = new WeakMap<TLSSocket, PeerCertificate | null>()
  readonly #closed = new AbortController()
  readonly #upgraded: UpgradedConnections

  constructor(options: SecureServerOptions) {
    this.#options = options
    this.#upgraded = new UpgradedConnections(options)
    const { certificate, key, clientCa } = options.tls
    this.#server = createSecureServer({
      cert: certificate,
      key,
      ca: clientCa,
      requestCert: true,
      rejectUnauthorized: false,
      allowHTTP1: true,
      minVersion: 'TLSv1.2',
      settings: { maxConcurrentStreams: 1000, initialWindowSize: 1 << 20 },
    })
    this.#server.on('session', (session) => {
      this.#sessions.add(session)
      session.setLocalWindowSize(4 << 20)
      session.on('close', () => this.#sessions.delete(session))
      session.on('error', () => undefined)
    })
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => undefined)
    })
    this.#server.on('sessionError', () => undefined)
    this.#server.on('request', (request, response) => {
      void this.#serve(request, response)
    })
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      void this.#serveUpgrade(request, socket, head)
    })
  }

  /** @returns the port */
  listen({ host, port }: { host: '127.0.0.1'; port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => {
          this.#options.logger.error('the server failed', { error: error.message })
        })
        resolve((this.#server.address() as AddressInfo).port)
      })
    })
  }

  /** Ends watches and connections. */
  async close(): Promise<void> {
    this.#closed.abort(new Error('the API server is shutting down'))
    const ended = new Promise<void>((resolve) => {
      if (!this.#server.listening) resolve()
      else
        this.#server.close(() => {
          resolve()
        })
    })
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
    await ended
  }

  async #serve(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    const gone = new AbortController()
    response.on('close', () => {
      gone.abort(new Error('the client went away'))
    })
    response.on('error', () => undefined)
    request.on('error', () => undefined)
    const answer = await this.#answer(request, { body: () => readBody(request), signal: AbortSignal.any([gone.signal, this.#closed.signal]) })
    if (gone.signal.aborted) return
    await this.#send(answer, response, headersOf(request))
  }

  /** HTTP/1.1 with an Upgrade header: an answer in plain HTTP when there is nothing to upgrade to. */
  async #serveUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const gone = new AbortController()
    socket.on('close', () => {
      gone.abort(new Error('the client went away'))
    })
    socket.on('error', () => undefined)
    const signal = AbortSignal.any([gone.signal, this.#closed.signal])
    let answer = await this.#answer(request, { body: () => Promise.resolve(new Uint8Array(0)), signal })
    if (answer.upgrade !== undefined) {
      const { url: path = '/', method = 'GET' } = request
      try {
        const refusal = await this.#upgraded.serve(answer.upgrade, { request, socket, head, signal })
        if (refusal === null) return
        answer = textResponse(refusal.status, refusal.text)
      } catch (error) {
        answer = this.#options.handler.failed(error, { path, method })
      }
    }
    if (gone.signal.aborted) return
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.on('finish', () => {
      socket.end()
    })
    response.on('error', () => undefined)
    response.assignSocket(socket as Socket)
    // node:http2 types HTTP/1.1's responses as its own, too.
    await this.#send(answer, response as unknown as Http2ServerResponse, headersOf(request))
  }

  async #answer(
    request: Http2ServerRequest | IncomingMessage,
    { body, signal }: { body: () => Promise<Uint8Array>; signal: AbortSignal },
  ): Promise<ApiResponse> {
    const { url = '/', method = 'GET' } = request
    const at = url.indexOf('?')
    const path = at < 0 ? url : url.slice(0, at)
    const headers = headersOf(request)
    try {
      const user = this.#options.authenticator.authenticate(headers['authorization'], this.#peer(request))
      const asked: ApiRequest = {
        method: method === 'HEAD' ? 'GET' : method,
        path,
        query: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)),
        headers,
        user,
        body: await body(),
        signal,
      }
      return await this.#options.handler.handle(asked)
    } catch (error) {
      return this.#options.handler.failed(error, { path, method })
    }
  }

  /** Read once per connection: on HTTP/2 the request's own socket is a proxy without certificates. */
  #peer(request: Http2ServerRequest | IncomingMessage): PeerCertificate | null {
    const socket = ('stream' in request && request.httpVersionMajor === 2 ? request.stream.session?.socket : request.socket) as TLSSocket | undefined
    if (socket === undefined) return null
    const known = this.#peers.get(socket)
    if (known !== undefined) return known
    const peer = socket.authorized ? nameOf(socket.getPeerCertificate()) : null
    this.#peers.set(socket, peer)
    return peer
  }

  async #send(answer: ApiResponse, response: Http2ServerResponse, asked: Record<string, string | undefined>): Promise<void> {
    const headers: Record<string, string | string[]> = { 'cache-control': 'no-cache, private', ...answer.headers }
    if (answer.warnings !== undefined && answer.warnings.length > 0) headers['warning'] = answer.warnings.map((text) => `299 - ${JSON.stringify(text)}`)
    const zipped = (asked['accept-encoding'] ?? '').includes('gzip')
    try {
      if (answer.stream !== undefined) {
        response.writeHead(answer.status, headers)
        // HTTP/1.1 keeps headers back until the first byte; who watches waits for them.
        ;(response as { flushHeaders?: () => void }).flushHeaders?.()
        await this.#stream(answer.stream, response)
        return
      }
      let body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
      if (zipped && body.length > GZIP_FROM_BYTES) {
        body = await compress(body, { level: constants.Z_BEST_SPEED })
        headers['content-encoding'] = 'gzip'
      }
      if (answer.status !== 304) headers['content-length'] = String(body.length)
      response.writeHead(answer.status, headers)
      response.end(body)
    } catch (error) {
      // The client went while it was being answered.
      this.#options.logger.debug('answer not sent', { error: error instanceof Error ? error.message : String(error) })
      response.stream?.destroy()
    }
  }

  async #stream(stream: AsyncIterable<Uint8Array | string>, response: Http2ServerResponse): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      response.once('close', resolve)
    })
    try {
      for await (const part of stream) {
        if (response.writableEnded || response.destroyed) return
        // HTTP/2's write wants a Buffer or a string.
        if (!response.write(typeof part === 'string' ? part : Buffer.from(part)))
          await Promise.race([
            new Promise<void>((resolve) => {
              response.once('drain', resolve)
            }),
            gone,
          ])
      }
    } catch (error) {
      if (!(error instanceof StatusError)) this.#options.logger.debug('stream ended', { error: error instanceof Error ? error.message : String(error) })
    }
    response.end()
  }
}

function nameOf({ subject }: Partial<TlsPeerCertificate>): PeerCertificate | null {
  if (subject === undefined) return null
  const { CN, O } = subject as { CN?: string | string[]; O?: string | string[] }
  return { commonName: (Array.isArray(CN) ? CN[0] : CN) ?? '', organizations: O === undefined ? [] : Array.isArray(O) ? O : [O] }
}

function headersOf(request: Http2ServerRequest | IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : value]))
}

async function readBody(request: Http2ServerRequest): Promise<Uint8Array> {
  if (request.method === 'GET' || request.method === 'HEAD') return new Uint8Array(0)
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MAX_BODY_BYTES) throw new StatusError(failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${String(MAX_BODY_BYTES)}`))
    parts.push(part)
  }
  return Buffer.concat(parts)
}
