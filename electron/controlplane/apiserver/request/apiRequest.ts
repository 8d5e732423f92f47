import type { RequestRecord } from './requestRecord.ts'
import type { UserInfo, WatchedObject } from '#shared/kubernetes/transport.ts'
import type { JoinedBody } from './joinedBody.ts'
import type { StreamTarget } from '../streaming/streamTarget.ts'

/** One request after authentication, however it came in. */
export interface ApiRequest {
  method: string
  /** Decoded later, piece by piece: without the query. */
  path: string
  query: URLSearchParams
  /** Lower-case names. */
  headers: Record<string, string | undefined>
  body: Uint8Array
  user: UserInfo
  /** What is told about the request in the audit log and metrics; filled on its way. */
  record?: RequestRecord
  /** Aborts when the client went away or the server closes. */
  signal: AbortSignal
  /** As in TransportRequest. */
  shares?: boolean
  /** Takes what is told beside the answer, also when the request fails. */
  warnings?: string[]
}

/** `body` is sent whole; `stream` as it comes; one of `joined` piece by piece, when there is one. */
export interface ApiResponse {
  status: number
  headers: Record<string, string>
  body: Uint8Array | string
  joined?: JoinedBody
  stream?: AsyncIterable<Uint8Array | string>
  /** What `joined` or `body` says, for who shares objects. */
  object?: () => unknown
  /** A watch for who shares objects, in place of `stream`. */
  events?: AsyncIterable<readonly WatchedObject[]>
  /** `Warning: 299` texts. */
  warnings?: string[]
  /** The connection is to be upgraded and joined to this; the rest is the answer when it asked for no upgrade. */
  upgrade?: StreamTarget
  /** Called once when a stream or an upgraded connection is over. */
  ended?: () => void
}

export function jsonResponse(status: number, value: unknown, headers: Record<string, string> = {}): ApiResponse {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

export function textResponse(status: number, text: string): ApiResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: text }
}
