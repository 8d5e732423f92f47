import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { ProcessContext } from '../../shell/process.ts'

export interface HttpAsked {
  method: string
  url: URL
  /** Of the query and, where it was sent as a form, of the body. */
  form: URLSearchParams
  body: Buffer
  headers: IncomingMessage['headers']
  from: string
}

export interface HttpSaid {
  status?: number
  type?: string
  headers?: Record<string, string>
  body?: string | Uint8Array
}

export type HttpHandler = (asked: HttpAsked) => HttpSaid | Promise<HttpSaid>

/** The process ends with this code. */
export class ProcessExit extends Error {
  readonly code: number

  constructor(code: number) {
    super('exit')
    this.code = code
  }
}

const MAX_BODY_BYTES = 16 * 2 ** 20

/** What Go's log package puts before a line. */
export function log(context: ProcessContext, text: string): void {
  const at = new Date(context.clock.now()).toISOString()
  context.err(`${at.slice(0, 10).replaceAll('-', '/')} ${at.slice(11, 19)} ${text}\n`)
}

/**
 * Serves HTTP on a port of the container.
 *
 * @param failed is told an error of a handler; ProcessExit comes this way
 * @throws Error when the port is taken, or the machine has none
 */
export function serveHttp(
  { sockets }: ProcessContext,
  port: number,
  handler: HttpHandler,
  { failed, tls }: { failed(error: unknown): void; tls?: { cert: string; key: string } },
): void {
  if (sockets === null) throw new Error('there is no network to serve on')
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response, handler).catch((error: unknown) => {
      response.destroy()
      failed(error)
    })
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  sockets.listen(port, (connection) => {
    server.emit('connection', connection)
  })
}

async function answer(request: IncomingMessage, response: ServerResponse, handler: HttpHandler): Promise<void> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MAX_BODY_BYTES) {
      response.writeHead(413).end()
      return
    }
    parts.push(part)
  }
  const body = Buffer.concat(parts)
  const url = new URL(request.url ?? '/', 'http://container')
  const form = new URLSearchParams(url.search)
  if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true)
    for (const [name, value] of new URLSearchParams(body.toString('utf8'))) form.append(name, value)
  const from = request.socket.remoteAddress ?? '127.0.0.1'
  const said = await handler({ method: request.method ?? 'GET', url, form, body, headers: request.headers, from })
  const content = Buffer.from(said.body ?? '')
  response.writeHead(said.status ?? 200, { 'content-type': said.type ?? 'text/plain; charset=utf-8', 'content-length': content.length, ...said.headers })
  response.end(request.method === 'HEAD' ? undefined : content)
}

/** Waits until a handler ends the process, or the container ends. @returns the exit code */
export function untilExit(context: ProcessContext, start: (failed: (error: unknown) => void) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      reject(context.signal.reason as Error)
    }
    context.signal.addEventListener('abort', aborted, { once: true })
    start((error) => {
      if (error instanceof ProcessExit) resolve(error.code)
      else log(context, error instanceof Error ? error.message : String(error))
    })
  })
}
