import type { TLSSocket } from 'node:tls'

export type AnswerHeaders = Record<string, string | string[]>

/** One request and the way back for its answer, in HTTP/1.1 or HTTP/2. */
export interface Exchange {
  readonly method: string
  /** Path and query as sent. */
  readonly url: string
  /** Lower-case names; repeated ones joined by commas. */
  readonly headers: Record<string, string | undefined>
  readonly socket: TLSSocket | undefined
  /** The client went away. */
  readonly gone: AbortSignal
  /** @throws StatusError 413 when it is longer than requests may be */
  body(): Promise<Uint8Array>
  begin(status: number, headers: AnswerHeaders): void
  /** @returns false when the client should be waited for with `drained` */
  write(bytes: Uint8Array | string): boolean
  /** Resolves when more can be written, or the client has gone. */
  drained(): Promise<void>
  end(bytes?: Uint8Array): void
  /** Cuts the answer off. */
  abandon(): void
}
