import type { Clock } from '#shared/base/clock.ts'
import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'
import type { ClusterSession } from '../clusters/clusterSession.ts'
import { MetricsSampler } from '../metrics/sampler.ts'

/** One sampler per open session, from the first question on. */
export class Samplers {
  readonly #registry: ClusterRegistry
  readonly #clock: Clock
  readonly #samplers = new Map<string, { session: ClusterSession; sampler: MetricsSampler; stop: AbortController }>()

  constructor(registry: ClusterRegistry, clock: Clock) {
    this.#registry = registry
    this.#clock = clock
  }

  of(clusterId: string): MetricsSampler {
    const session = this.#registry.session(clusterId)
    const known = this.#samplers.get(clusterId)
    if (known?.session === session) return known.sampler
    known?.stop.abort()
    const sampler = new MetricsSampler({
      transport: session.transport,
      clock: this.#clock,
      onUsage: (usage) => {
        session.setUsage(usage)
      },
    })
    const stop = new AbortController()
    this.#samplers.set(clusterId, { session, sampler, stop })
    void sampler.run(stop.signal)
    return sampler
  }

  stop(): void {
    for (const { stop } of this.#samplers.values()) stop.abort()
  }
}

/** The contract's namespace `metrics`. */
export function metricHandlers(samplers: Samplers): {
  requests: Pick<RequestHandlers, 'metrics.chart' | 'metrics.top'>
  subscriptions: Pick<SubscriptionHandlers, 'metrics.watch'>
} {
  return {
    requests: {
      'metrics.chart': ({ clusterId, chart, object, rangeSeconds }) => Promise.resolve(samplers.of(clusterId).chart(chart, object, rangeSeconds)),
      'metrics.top': ({ clusterId }) => Promise.resolve(samplers.of(clusterId).top()),
    },
    subscriptions: {
      'metrics.watch': async function* ({ clusterId }, { signal }) {
        const { sampled } = samplers.of(clusterId)
        let pending: number[] = []
        let wake: () => void = () => undefined
        const unsubscribe = sampled.subscribe((atMs) => {
          pending.push(atMs)
          wake()
        })
        const onAbort = (): void => {
          wake()
        }
        signal.addEventListener('abort', onAbort, { once: true })
        try {
          while (!signal.aborted) {
            const last = pending.at(-1)
            pending = []
            if (last !== undefined) yield { sampledAtMs: last }
            else
              await new Promise<void>((resolve) => {
                wake = resolve
              })
          }
        } finally {
          unsubscribe()
          signal.removeEventListener('abort', onAbort)
        }
      },
    },
  }
}
