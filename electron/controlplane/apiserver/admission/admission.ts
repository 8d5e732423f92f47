import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ApiResource } from '../registry/apiResources.ts'
import type { WriteContext } from '../registry/restStore.ts'

export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE'
  resource: ApiResource
  namespace: string
  /** In the request's version; `admit` may change it in place. For DELETE what is deleted. */
  object: KubeObject
  old: KubeObject | null
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

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#plugins = plugins
  }

  async admit(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) await plugin.admit?.(request)
  }

  /** @returns what to call when the write is done or has failed */
  allocate(request: AdmissionRequest): () => void {
    const releases = this.#plugins.map((plugin) => plugin.allocate?.(request))
    return () => {
      for (const release of releases) release?.()
    }
  }

  async validate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) await plugin.validate?.(request)
  }
}
