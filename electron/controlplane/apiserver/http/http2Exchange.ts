import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { AnswerHeaders, Exchange } from './exchange.ts'
import { drained, plainHeaders } from './http1Exchange.ts'
import { readBody } from './requestBody.ts'

/** A request over HTTP/2, on the stream itself: Node's layer that looks like HTTP/1.1 costs more than most answers. */
export class Http2Exchange implements Exchange {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string | undefined>
  readonly #stream: ServerHttp2Stream
  readonly #gone = new AbortController()

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]) {
    this.#stream = stream
    const { ':method': method = 'GET', ':path': path = '/' } = headers as { ':method'?: string; ':path'?: string }
    this.method = method
    this.url = path
    this.headers = plainHeaders({ headers, rawHeaders })
    stream.on('close', () => {
      if (!stream.writableFinished) this.#gone.abort(new Error('the client went away'))
    })
    stream.on('error', () => undefined)
  }

  /** The session's own: the stream's is a proxy without certificates. */
  get socket(): TLSSocket | undefined {
    return this.#stream.session?.socket as TLSSocket | undefined
  }

  get gone(): AbortSignal {
    return this.#gone.signal
  }

  body(): Promise<Uint8Array> {
    return readBody(this.#stream, this.method)
  }

  begin(status: number, headers: AnswerHeaders): void {
    if (!this.#stream.destroyed && !this.#stream.headersSent)
      this.#stream.respond({ ':status': status, ...headers }, { endStream: this.method === 'HEAD' || status === 304 })
  }

  write(bytes: Uint8Array | string): boolean {
    return !this.#stream.writable || this.#stream.write(bytes)
  }

  drained(): Promise<void> {
    return drained(this.#stream)
  }

  end(bytes?: Uint8Array): void {
    if (!this.#stream.writable) return
    if (bytes === undefined || bytes.length === 0) this.#stream.end()
    else this.#stream.end(bytes)
  }

  abandon(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
}
