import { untilEnded } from '#shared/base/untilEnded.ts'
import type { Transport, TransportRequest, TransportResponse, TransportStream, UserInfo } from '#shared/kubernetes/transport.ts'
import { VALUE_SEPARATOR } from './authentication/headerValues.ts'
import type { RequestHandler } from './filters/requestPipeline.ts'
import type { ApiRequest, ApiResponse } from './request/apiRequest.ts'

const NOTHING = new Uint8Array(0)
/** From Node's pool where they are few: memory of their own outside of the heap costs more than the bytes. */
const bytesOf = (part: string | Uint8Array): Uint8Array => (typeof part === 'string' ? Buffer.from(part) : part)

/** The API server's handlers as a transport in the same process: no TLS, the user as given. */
export class InProcessTransport implements Transport {
  readonly #handler: RequestHandler
  readonly #user: UserInfo
  readonly #closed: AbortSignal

  constructor(handler: RequestHandler, user: UserInfo, closed: AbortSignal) {
    this.#handler = handler
    this.#user = user
    this.#closed = closed
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const { status, headers, body, joined, object, stream, ended } = await this.#answer(request, request.signal)
    if (object !== undefined && request.shares === true) return { status, headers, body: NOTHING, object: object() }
    if (stream === undefined) return { status, headers, body: joined?.bytes() ?? bytesOf(body) }
    const parts: Uint8Array[] = []
    try {
      for await (const part of stream) parts.push(bytesOf(part))
    } finally {
      ended?.()
    }
    return { status, headers, body: Buffer.concat(parts) }
  }

  async stream(request: TransportRequest): Promise<TransportStream> {
    const { status, headers, body, joined, stream, events, ended } = await this.#answer(request, AbortSignal.any([request.signal, this.#closed]))
    if (events !== undefined) return { status, headers, body: parts([]), events: untilEnded(events, ended ?? nothing) }
    return { status, headers, body: parts(stream ?? joined?.chunks() ?? [body], ended) }
  }

  /** @param signal what ends the work: for an answer that comes at once the asker's alone, as joining two costs more than a small write does */
  #answer(request: TransportRequest, signal: AbortSignal): Promise<ApiResponse> {
    request.signal.throwIfAborted()
    this.#closed.throwIfAborted()
    const [path = '/', query = ''] = splitPath(request.path)
    const asked: ApiRequest = {
      method: request.method,
      path,
      query: new URLSearchParams(query),
      headers: joinedHeaders(request.headers ?? {}),
      user: this.#user,
      body: request.body === undefined ? new Uint8Array(0) : bytesOf(request.body),
      signal,
      ...(request.shares === true ? { shares: true } : {}),
    }
    return this.#handler.handle(asked)
  }
}

/** The values of a header as the handlers read them from the wire. */
function joinedHeaders(headers: Record<string, string | string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(VALUE_SEPARATOR) : value]))
}

function splitPath(path: string): [string, string] {
  const at = path.indexOf('?')
  return at < 0 ? [path, ''] : [path.slice(0, at), path.slice(at + 1)]
}

const nothing = (): void => undefined

async function* parts(source: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>, ended = nothing): AsyncGenerator<Uint8Array> {
  for await (const part of untilEnded(source, ended)) yield bytesOf(part)
}
