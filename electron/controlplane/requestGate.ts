import type { Transport, TransportRequest, TransportResponse } from '#shared/kubernetes/transport.ts'

interface Waiting {
  enter(): void
}

/** What keeps a node Ready goes first, as upstream's priority level `node-high`: a Lease that waits behind thousands of pods expires. */
const URGENT = /^\/(apis\/coordination\.k8s\.io\/|api\/v1\/nodes\/)/

/**
 * Lets so many requests of all simulated kubelets together be under way at once; the others wait in order. Without it the
 * thousands of requests of nodes that start together are refused by the API server's limits, and asked again each second, until
 * the refusals are all it does.
 */
export class RequestGate {
  readonly #urgent: Waiting[] = []
  readonly #others: Waiting[] = []
  #free: number

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  /** Watches pass: they take no turn of their own. */
  through(transport: Transport): Transport {
    return {
      request: async (request) => {
        await this.#enter(request)
        return this.#leaving(() => transport.request(request))
      },
      stream: (request) => transport.stream(request),
    }
  }

  async #leaving(work: () => Promise<TransportResponse>): Promise<TransportResponse> {
    try {
      return await work()
    } finally {
      const next = this.#urgent.shift() ?? this.#others.shift()
      if (next === undefined) this.#free += 1
      else next.enter()
    }
  }

  /** @throws the signal's reason when it aborts before its turn */
  #enter({ path, signal }: TransportRequest): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      return Promise.resolve()
    }
    const queue = URGENT.test(path) ? this.#urgent : this.#others
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        enter: () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      const onAbort = (): void => {
        const index = queue.indexOf(waiting)
        if (index >= 0) queue.splice(index, 1)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      queue.push(waiting)
    })
  }
}
