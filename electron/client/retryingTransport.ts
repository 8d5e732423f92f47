import type { Clock } from '#shared/base/clock.ts'
import type { Transport, TransportRequest, TransportResponse, TransportStream } from '#shared/kubernetes/transport.ts'

/** Times a request is sent again before its refusal is handed on: client-go's. */
const MAX_RETRIES = 10

/**
 * Sends a request again when the server asks for that: a 429 or a 5xx that says with `Retry-After`, in seconds, how long to wait. A
 * refusal without it, such as that of an eviction which a disruption budget forbids, is the caller's to judge.
 *
 * @see kubernetes staging/src/k8s.io/client-go/rest/with_retry.go
 */
export class RetryingTransport implements Transport {
  readonly #inner: Transport
  readonly #clock: Clock

  constructor(inner: Transport, clock: Clock) {
    this.#inner = inner
    this.#clock = clock
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    for (let retries = 0; ; retries++) {
      const response = await this.#inner.request(request)
      const waitMs = retries < MAX_RETRIES ? askedToWaitMs(response) : null
      if (waitMs === null) return response
      await this.#clock.sleep(waitMs, { signal: request.signal })
    }
  }

  stream(request: TransportRequest): Promise<TransportStream> {
    return this.#inner.stream(request)
  }
}

function askedToWaitMs({ status, headers }: TransportResponse): number | null {
  const seconds = headers['retry-after'] ?? ''
  return (status === 429 || status >= 500) && /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1000 : null
}
