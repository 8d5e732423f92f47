import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { isListed, rawValues, VALUE_SEPARATOR } from '../authentication/headerValues.ts'
import type { AnswerHeaders, Exchange } from './exchange.ts'
import { readBody } from './requestBody.ts'

/** A request over HTTP/1.1. */
export class Http1Exchange implements Exchange {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string | undefined>
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #gone = new AbortController()

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request
    this.#response = response
    this.method = request.method ?? 'GET'
    this.url = request.url ?? '/'
    this.headers = plainHeaders(request)
    response.on('close', () => {
      if (!response.writableFinished) this.#gone.abort(new Error('the client went away'))
    })
    response.on('error', () => undefined)
    request.on('error', () => undefined)
  }

  get socket(): TLSSocket {
    return this.#request.socket as TLSSocket
  }

  get gone(): AbortSignal {
    return this.#gone.signal
  }

  body(): Promise<Uint8Array> {
    return readBody(this.#request, this.method)
  }

  begin(status: number, headers: AnswerHeaders): void {
    this.#response.writeHead(status, headers)
    // Headers wait for the first byte otherwise; who watches waits for them. With a length the body follows at once.
    if (headers['content-length'] === undefined) this.#response.flushHeaders()
  }

  write(bytes: Uint8Array | string): boolean {
    return this.#response.destroyed || this.#response.write(bytes)
  }

  drained(): Promise<void> {
    return drained(this.#response)
  }

  end(bytes?: Uint8Array): void {
    if (bytes === undefined) this.#response.end()
    else this.#response.end(bytes)
  }

  abandon(): void {
    this.#response.destroy()
  }
}

/** Headers with repeated ones joined: by commas, or, where each value counts by itself, by what no value holds. */
export function plainHeaders({ headers, rawHeaders }: { headers: IncomingHttpHeaders; rawHeaders: readonly string[] }): Record<string, string | undefined> {
  let exact: Record<string, string | undefined> | null = null
  for (const [name, value] of Object.entries(headers)) {
    if (Array.isArray(value)) (exact ??= { ...headers } as Record<string, string | undefined>)[name] = value.join(',')
    else if (isListed(name)) (exact ??= { ...headers } as Record<string, string | undefined>)[name] = rawValues(rawHeaders, name).join(VALUE_SEPARATOR)
  }
  return exact ?? (headers as Record<string, string | undefined>)
}

/** Resolves when a stream takes more, or is gone. */
export function drained(stream: NodeJS.EventEmitter & { destroyed: boolean; writableNeedDrain: boolean }): Promise<void> {
  if (stream.destroyed || !stream.writableNeedDrain) return Promise.resolve()
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
