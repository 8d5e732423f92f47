import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ApiServerMetrics } from '../metrics/apiServerMetrics.ts'
import type { ApiResource } from '../registry/apiResources.ts'
import type { WriteContext } from '../registry/restStore.ts'

export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  resource: ApiResource
  namespace: string
  /** Of the URL; '' for a creation. */
  name: string
  /** In the request's version; `admit` may change it in place. For DELETE what is deleted, for CONNECT the options. */
  object: KubeObject
  old: KubeObject | null
  /** What kind `object` is when it is not the resource's own: Eviction, Binding, TokenRequest, PodExecOptions. */
  kind?: { group: string; version: string; kind: string }
  context: WriteContext
}

/** One admission plugin: it may complete what is written, or refuse it with StatusError. */
export interface AdmissionPlugin {
  readonly name: string
  admit?(request: AdmissionRequest): void | Promise<void>
  /**
   * Gives out what only the server can, once the object is known to be valid: addresses, ports. May change it in place.
   *
   * @returns what to call when the write is done or has failed
   */
  allocate?(request: AdmissionRequest): (() => void) | undefined
  validate?(request: AdmissionRequest): void | Promise<void>
}

/** The plugins in their order. */
export class Admission {
  readonly #plugins: readonly AdmissionPlugin[]
  readonly #metrics: ApiServerMetrics

  constructor(plugins: readonly AdmissionPlugin[], metrics: ApiServerMetrics) {
    this.#plugins = plugins
    this.#metrics = metrics
  }

  async admit(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) {
      if (plugin.admit === undefined) continue
      const outcome = this.#run(plugin.name, 'admit', request, () => plugin.admit?.(request))
      // Most decide at once.
      if (outcome !== undefined) await outcome
    }
  }

  /** @returns what to call when the write is done or has failed */
  allocate(request: AdmissionRequest): () => void {
    const releases = this.#plugins.map((plugin) => plugin.allocate?.(request))
    return () => {
      for (const release of releases) release?.()
    }
  }

  async validate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) {
      if (plugin.validate === undefined) continue
      const outcome = this.#run(plugin.name, 'validate', request, () => plugin.validate?.(request))
      if (outcome !== undefined) await outcome
    }
  }

  #run(name: string, type: 'admit' | 'validate', { operation }: AdmissionRequest, run: () => void | Promise<void>): Promise<void> | undefined {
    const started = performance.now()
    const ended = (rejected: boolean): void => {
      this.#metrics.admissionDurations.observe([name, type, operation, String(rejected)], (performance.now() - started) / 1000)
    }
    let outcome: void | Promise<void>
    try {
      outcome = run()
    } catch (error) {
      ended(true)
      throw error
    }
    if (outcome !== undefined)
      return outcome.then(
        () => {
          ended(false)
        },
        (error: unknown) => {
          ended(true)
          throw error
        },
      )
    ended(false)
    return undefined
  }
}
