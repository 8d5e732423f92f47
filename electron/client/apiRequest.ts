import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError, type Status } from '#shared/kubernetes/status.ts'
import type { Transport, TransportRequest, TransportResponse, TransportStream } from '#shared/kubernetes/transport.ts'

const decoder = new TextDecoder()

/** The failure in a response's body, or one made of its status code when the server sent no Status. */
export function statusOf(response: { status: number; body: Uint8Array }): Status {
  const text = decoder.decode(response.body)
  try {
    const parsed = JSON.parse(text) as Partial<Status>
    if (parsed.kind === 'Status') return parsed as Status
  } catch {
    // Proxies and gateways answer with plain text or HTML: their words become the message.
  }
  return failure(
    response.status,
    response.status === 401
      ? 'Unauthorized'
      : response.status === 403
        ? 'Forbidden'
        : response.status === 404
          ? 'NotFound'
          : response.status >= 500
            ? 'InternalError'
            : '',
    text.trim().slice(0, 500) || `the server answered ${String(response.status)}`,
  )
}

/** Sends a request; a failure status or no answer is thrown as StatusError. */
export async function sendRequest(transport: Transport, request: TransportRequest): Promise<TransportResponse> {
  let response: TransportResponse
  try {
    response = await transport.request(request)
  } catch (error) {
    if (request.signal.aborted || error instanceof StatusError) throw error
    throw new StatusError(failure(503, 'ServiceUnavailable', error instanceof Error ? error.message || error.name : String(error)), { cause: error })
  }
  if (response.status >= 400 || response.status === 0) throw new StatusError(statusOf(response))
  return response
}

/** Sends a request and reads the JSON answer. @throws StatusError */
export async function requestJson<T = KubeObject>(transport: Transport, request: TransportRequest): Promise<T> {
  const response = await sendRequest(transport, request)
  if (response.object !== undefined) return response.object as T
  return JSON.parse(decoder.decode(response.body)) as T
}

/** One event of a watch. */
export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: KubeObject
}

/** Lines of a stream without their line ends; the last one also when it has none. */
export async function* lines(body: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const streaming = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const parts = (rest + streaming.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
  rest += streaming.decode()
  if (rest !== '') yield rest
}

/** Opens a stream. @throws StatusError for a failure status or no answer */
export async function openStream(transport: Transport, request: TransportRequest): Promise<AsyncIterable<Uint8Array>> {
  return (await openedStream(transport, request)).body
}

async function openedStream(transport: Transport, request: TransportRequest): Promise<TransportStream> {
  try {
    const stream = await transport.stream(request)
    if (stream.status < 400) return stream
    const chunks: Uint8Array[] = []
    for await (const chunk of stream.body) chunks.push(chunk)
    throw new StatusError(statusOf({ status: stream.status, body: Buffer.concat(chunks) }))
  } catch (error) {
    if (request.signal.aborted || error instanceof StatusError) throw error
    throw new StatusError(failure(503, 'ServiceUnavailable', error instanceof Error ? error.message || error.name : String(error)), { cause: error })
  }
}

/** Events of a watch until the server ends it. @throws StatusError when it cannot be opened or the server says ERROR */
export async function* watchEvents(transport: Transport, request: TransportRequest): AsyncIterable<WatchEvent> {
  const { body, events } = await openedStream(transport, request)
  if (events !== undefined) {
    for await (const batch of events) for (const event of batch) yield checked(event as WatchEvent)
    return
  }
  for await (const line of lines(body)) if (line !== '') yield checked(JSON.parse(line) as WatchEvent)
}

/** @throws StatusError what the server says instead of an event */
function checked(event: WatchEvent): WatchEvent {
  if (event.type === 'ERROR') throw new StatusError(event.object as unknown as Status)
  return event
}
