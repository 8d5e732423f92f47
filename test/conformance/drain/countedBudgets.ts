import { expect } from 'vitest'
import type { ClusterApi } from '#electron/runbooks/clusterApi.ts'

const NAME = 'counted'
const { signal } = new AbortController()

/**
 * Tells when the real disruption controller has counted all that was written to a namespace. A pod of our own, which nothing else selects,
 * changes its readiness, and a budget of its own has to count that: pods reach the controller in the order in which they were written, and
 * its one worker takes budgets in the order in which they were put into its queue.
 */
export class CountedBudgets {
  readonly #api: ClusterApi
  readonly #namespace: string
  #ready = false

  constructor(api: ClusterApi, namespace: string) {
    this.#api = api
    this.#namespace = namespace
  }

  get path(): string {
    return `/apis/policy/v1beta1/namespaces/${this.#namespace}/poddisruptionbudgets`
  }

  /** To be called when all other budgets were made. */
  async create(): Promise<void> {
    const labels = { counted: 'yes' }
    await this.#api.post(
      `/api/v1/namespaces/${this.#namespace}/pods`,
      { metadata: { name: NAME, labels }, spec: { containers: [{ name: 'main', image: 'nginx' }] } },
      signal,
    )
    await this.#api.post(this.path, { metadata: { name: NAME }, spec: { selector: { matchLabels: labels }, minAvailable: 1 } }, signal)
  }

  /** Settles when everything written before the call is counted, and the statuses that came of it stay as they are. */
  async settled(): Promise<void> {
    for (let before = ''; ;) {
      await this.#flip()
      // The first may have been counted out of turn: its budget may have stood in the queue for another reason. What that leads to stands behind all the rest.
      await this.#flip()
      const budgets = (await this.#api.list(this.path, signal)).filter(({ metadata }) => metadata.name !== NAME)
      const now = JSON.stringify(budgets.map(({ metadata }) => metadata.resourceVersion))
      // A status that met another write is computed again a little later.
      if (now === before) return
      before = now
    }
  }

  async #flip(): Promise<void> {
    this.#ready = !this.#ready
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: this.#ready ? 'True' : 'False' }] }
    await this.#api.patch(`/api/v1/namespaces/${this.#namespace}/pods/${NAME}/status`, { status }, signal)
    const healthy = async (): Promise<unknown> => {
      const budget = await this.#api.get(`${this.path}/${NAME}`, signal)
      return (budget['status'] as { currentHealthy?: number; observedGeneration?: number } | undefined)?.observedGeneration === undefined
        ? 'not observed'
        : ((budget['status'] as { currentHealthy?: number }).currentHealthy ?? 0)
    }
    await expect.poll(healthy, { timeout: 120_000, interval: 50 }).toBe(Number(this.#ready))
  }
}
