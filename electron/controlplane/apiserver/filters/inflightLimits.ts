import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import type { ApiServerMetrics } from '../metrics/apiServerMetrics.ts'

/** Seconds a refused client is asked to wait: upstream's. */
const RETRY_AFTER_SECONDS = 1

export interface InflightLimitsOptions {
  /** Requests that change nothing served at once; 0 is no limit (`--max-requests-inflight`). */
  maxReadOnly: number
  /** Requests that change something (`--max-mutating-requests-inflight`). */
  maxMutating: number
  metrics: ApiServerMetrics
}

/**
 * Refuses what would be too much at once, so that a flood is answered with 429 and never with silence. Watches, logs and
 * connections do not count; `system:masters` is always let through, as it may have to put things right.
 *
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/server/filters/maxinflight.go
 */
export class InflightLimits {
  readonly #options: InflightLimitsOptions
  readonly #serving = { readOnly: 0, mutating: 0 }

  constructor(options: InflightLimitsOptions) {
    this.#options = options
  }

  /** @returns what to call when the request was answered; @throws StatusError 429 */
  enter(verb: string, user: UserInfo): () => void {
    const kind = verb === 'get' || verb === 'list' || verb === 'watch' ? 'readOnly' : 'mutating'
    const { metrics, maxReadOnly, maxMutating } = this.#options
    const limit = kind === 'readOnly' ? maxReadOnly : maxMutating
    if (limit > 0 && this.#serving[kind] >= limit && !user.groups.includes('system:masters')) {
      metrics.now.dropped.add([kind])
      throw new StatusError(failure(429, 'TooManyRequests', 'Too many requests, please try again later.', { retryAfterSeconds: RETRY_AFTER_SECONDS }))
    }
    metrics.now.inflight.set([kind], ++this.#serving[kind])
    return () => {
      metrics.now.inflight.set([kind], --this.#serving[kind])
    }
  }
}
