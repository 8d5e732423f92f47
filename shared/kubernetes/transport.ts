/**
 * One HTTP request to an API server; `path` starts with `/` and carries the query. Header names are lower case; a header with
 * several values, such as `impersonate-group`, is sent once for each, for a server takes what stands in one for a single value.
 */
export interface TransportRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  headers?: Record<string, string | string[]>
  body?: string | Uint8Array
  signal: AbortSignal
  /**
   * The caller changes nothing in what it is given: a server in the same process may answer with its own objects,
   * which nobody then has to write out and read again. @default false
   */
  shares?: boolean
}

/** One event of a watch. */
export interface WatchedObject {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: object
}

export interface TransportResponse {
  status: number
  headers: Record<string, string>
  body: Uint8Array
  /** In place of `body`, which is empty then; only to who `shares`. */
  object?: unknown
}

export interface TransportStream {
  status: number
  headers: Record<string, string>
  /** Ends when the server ends; throws when the connection breaks or the signal aborts. */
  body: AsyncIterable<Uint8Array>
  /** A watch's events in place of `body`, as many at a time as there are; only to who `shares`. */
  events?: AsyncIterable<readonly WatchedObject[]>
}

/**
 * How a client reaches an API server: over HTTPS, or in the same process. It never throws for an HTTP error status, only
 * when no answer could be had.
 */
export interface Transport {
  request(request: TransportRequest): Promise<TransportResponse>
  stream(request: TransportRequest): Promise<TransportStream>
}

/** Who a request is made as: authentication's outcome. */
export interface UserInfo {
  username: string
  uid?: string
  groups: string[]
  extra?: Record<string, string[]>
}
