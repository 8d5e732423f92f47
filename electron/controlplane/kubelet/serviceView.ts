import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { ApiClient } from './apiClient.ts'

export interface ServicePort {
  name?: string
  port: number
  nodePort?: number
  protocol?: string
}

export interface Service extends KubeObject {
  spec?: {
    type?: string
    clusterIP?: string
    externalName?: string
    externalIPs?: string[]
    ports?: ServicePort[]
    sessionAffinity?: string
    sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } }
  }
  status?: { loadBalancer?: { ingress?: { ip?: string }[] } }
}

export interface EndpointSlice extends KubeObject {
  ports?: { name?: string; port?: number; protocol?: string }[]
  endpoints?: { addresses?: string[]; hostname?: string; conditions?: { ready?: boolean } }[]
}

const SERVICES: GroupVersionResource = { group: '', version: 'v1', resource: 'services' }
const SLICES = ['v1', 'v1beta1'].map((version): GroupVersionResource => ({ group: 'discovery.k8s.io', version, resource: 'endpointslices' }))
const NOT_SERVED = 404

/** Services and their endpoints as the API has them now. */
export class ServiceView {
  readonly #api: ApiClient
  readonly #signal: AbortSignal
  #services: Promise<Service[]> | null = null

  /** One look: what it read once it does not read again. */
  constructor(api: ApiClient, signal: AbortSignal) {
    this.#api = api
    this.#signal = signal
  }

  all(): Promise<Service[]> {
    return (this.#services ??= this.#api.list(SERVICES, '', this.#signal).then(({ items }) => items))
  }

  async service(namespace: string, name: string): Promise<Service | undefined> {
    return (await this.all()).find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
  }

  /** In whichever version the release serves them. */
  async slices({ metadata }: Service): Promise<EndpointSlice[]> {
    const query = `labelSelector=${encodeURIComponent(`kubernetes.io/service-name=${metadata.name ?? ''}`)}`
    for (const gvr of SLICES) {
      try {
        const { items } = await this.#api.list(gvr, query, this.#signal)
        return items.filter((slice) => slice.metadata.namespace === metadata.namespace)
      } catch (error) {
        if (!(error instanceof StatusError) || error.code !== NOT_SERVED) throw error
      }
    }
    return []
  }
}
