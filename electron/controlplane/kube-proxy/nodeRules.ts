import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { proxyRules, type ProxyRules } from '#shared/planning/kube-proxy/proxyRules.ts'
import { ENDPOINT_SLICES, NODES, SERVICES } from '#electron/client/resources.ts'
import type { RestClient } from '#electron/client/restClient.ts'

export interface NodeRulesOptions {
  /** May list services and endpointslices and read nodes, as kube-proxy may. */
  client: RestClient
  clusterCIDR: string
  node: { name: string; address: string }
  /** Kubernetes' minor release of the node's kube-proxy; null while none runs there. */
  runningMinor(): number | null
}

const ZONE = 'topology.kubernetes.io/zone'

/** The rules that kube-proxy keeps on one node. They are made when they are looked at, from what the API has then. */
export class NodeRules {
  readonly #options: NodeRulesOptions
  /** What it made last stays in the kernel when it ends. */
  #last: { rules: ProxyRules; minor: number } | null = null

  constructor(options: NodeRulesOptions) {
    this.#options = options
  }

  /** Null where no kube-proxy has run yet. @throws StatusError when the API server does not answer */
  async current(signal: AbortSignal): Promise<{ rules: ProxyRules; minor: number } | null> {
    const minor = this.#options.runningMinor()
    if (minor === null) return this.#last
    const { client, node, clusterCIDR } = this.#options
    const [services, endpointSlices, zone] = await Promise.all([
      client.list(SERVICES, {}, signal).then(({ items }) => items),
      endpointSlicesOf(client, signal),
      client.get(NODES, { name: node.name }, signal).then(
        ({ metadata }) => metadata.labels?.[ZONE] ?? '',
        () => '',
      ),
    ])
    this.#last = { rules: proxyRules({ services: services.toSorted(byName), endpointSlices, node: { ...node, zone }, clusterCIDR, minor }), minor }
    return this.#last
  }
}

const byName = ({ metadata: a }: KubeObject, { metadata: b }: KubeObject): number =>
  `${a.namespace ?? ''}/${a.name ?? ''}` < `${b.namespace ?? ''}/${b.name ?? ''}` ? -1 : 1

/** In whichever version the release serves them. */
async function endpointSlicesOf(client: RestClient, signal: AbortSignal): Promise<KubeObject[]> {
  for (const version of ['v1', 'v1beta1']) {
    try {
      return (await client.list({ ...ENDPOINT_SLICES, version }, {}, signal)).items
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
  return []
}
