import { connect as connectSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Random } from '#shared/base/random.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { ApiClient } from './apiClient.ts'

/** Who resolves or connects: a container of this pod. */
export interface NetworkPeer {
  namespace: string
  hostname: string
  podIP: string
  /** A port of the pod itself; null when nobody listens. */
  connectLocal(port: number): Duplex | null
}

/** What containers reach beyond themselves: pods by address, Services by name and address. */
export interface PodNetwork {
  /** IPv4 addresses of a name; empty when the cluster's DNS knows none. */
  resolve(name: string, from: NetworkPeer, signal: AbortSignal): Promise<string[]>
  /** @throws NetworkFault */
  connect(to: { address: string; port: number }, from: NetworkPeer, signal: AbortSignal): Promise<Duplex>
}

/** No connection came about; the message is the C library's. */
export class NetworkFault extends Error {
  override readonly name = 'NetworkFault'
}

interface Service extends KubeObject {
  spec?: { clusterIP?: string; ports?: { name?: string; port: number; protocol?: string }[] }
}

interface EndpointSlice extends KubeObject {
  ports?: { name?: string; port?: number }[]
  endpoints?: { addresses?: string[]; hostname?: string; conditions?: { ready?: boolean } }[]
}

const SERVICES: GroupVersionResource = { group: '', version: 'v1', resource: 'services' }
const SLICES: GroupVersionResource = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' }
const DOMAIN = ['svc', 'cluster', 'local']

/** The pod network of all nodes of this process, with what DNS and kube-proxy do of Services. NetworkPolicies are not looked at. */
export class ClusterNetwork implements PodNetwork {
  readonly #api: ApiClient
  readonly #random: Random
  readonly #podAt: (address: string) => { connect(port: number): Duplex | null } | undefined

  /**
   * @param transport may list services and endpointslices, as kube-proxy may
   * @param podAt the running pod with an address
   */
  constructor({
    transport,
    random,
    podAt,
  }: {
    transport: Transport
    random: Random
    podAt: (address: string) => { connect(port: number): Duplex | null } | undefined
  }) {
    this.#api = new ApiClient(transport)
    this.#random = random
    this.#podAt = podAt
  }

  async resolve(name: string, from: NetworkPeer, signal: AbortSignal): Promise<string[]> {
    if (/^\d+(\.\d+){3}$/.test(name)) return [name]
    if (name === 'localhost') return ['127.0.0.1']
    if (name === from.hostname) return [from.podIP]
    const parts = name.replace(/\.$/, '').toLowerCase().split('.')
    const candidates = this.#candidates(parts, from.namespace)
    if (candidates.length === 0) return []
    const services = await this.#services(signal)
    for (const { host, service: wanted, namespace } of candidates) {
      const service = services.find(({ metadata }) => metadata.name === wanted && metadata.namespace === namespace)
      const address = service?.spec?.clusterIP ?? ''
      if (service === undefined || address === '') continue
      if (host === '' && address !== 'None') return [address]
      const endpoints = (await this.#slices(service, signal))
        .flatMap((slice) => slice.endpoints ?? [])
        .filter(({ conditions, hostname }) => conditions?.ready !== false && (host === '' || hostname === host))
      if (endpoints.length > 0) return endpoints.flatMap(({ addresses }) => addresses ?? [])
    }
    return []
  }

  async connect({ address, port }: { address: string; port: number }, from: NetworkPeer, signal: AbortSignal): Promise<Duplex> {
    if (address.startsWith('127.') || address === from.podIP) return opened(from.connectLocal(port))
    const pod = this.#podAt(address)
    if (pod !== undefined) return opened(pod.connect(port))
    const service = (await this.#services(signal)).find(({ spec }) => spec?.clusterIP === address)
    if (service === undefined) throw new NetworkFault('No route to host')
    const wanted = service.spec?.ports?.find((each) => each.port === port)
    if (wanted === undefined) throw new NetworkFault('Connection timed out')
    const targets = (await this.#slices(service, signal)).flatMap((slice) => {
      const target = slice.ports?.find(({ name = '' }) => name === (wanted.name ?? ''))?.port
      return target === undefined
        ? []
        : (slice.endpoints ?? [])
            .filter(({ conditions }) => conditions?.ready !== false)
            .flatMap(({ addresses = [] }) => addresses.map((each) => ({ address: each, port: target })))
    })
    const target = targets[targets.length === 0 ? 0 : this.#random.below(targets.length)]
    if (target === undefined) throw new NetworkFault('Connection refused')
    // The API server of this cluster is the one endpoint that is a process of this machine.
    if (target.address === '127.0.0.1') return connectSocket({ host: target.address, port: target.port, signal })
    return target.address === from.podIP ? opened(from.connectLocal(target.port)) : opened(this.#podAt(target.address)?.connect(target.port) ?? null)
  }

  /** `svc`, `svc.ns`, `svc.ns.svc`, `svc.ns.svc.cluster.local`, each also below a pod's hostname. */
  #candidates(parts: string[], namespace: string): { host: string; service: string; namespace: string }[] {
    let rest = parts
    for (let length = DOMAIN.length; length > 0; length--)
      if (parts.length > length && parts.slice(-length).join('.') === DOMAIN.slice(0, length).join('.')) {
        rest = parts.slice(0, -length)
        break
      }
    const [first = '', second = '', third = ''] = rest
    if (rest.length > 3) return []
    if (rest.length === 3) return [{ host: first, service: second, namespace: third }]
    if (rest.length === 1) return [{ host: '', service: first, namespace }]
    return [
      { host: '', service: first, namespace: second },
      { host: first, service: second, namespace },
    ]
  }

  async #services(signal: AbortSignal): Promise<Service[]> {
    return (await this.#api.list(SERVICES, '', signal)).items
  }

  async #slices({ metadata }: Service, signal: AbortSignal): Promise<EndpointSlice[]> {
    const { items } = await this.#api.list(SLICES, `labelSelector=${encodeURIComponent(`kubernetes.io/service-name=${metadata.name ?? ''}`)}`, signal)
    return items.filter((slice) => slice.metadata.namespace === metadata.namespace)
  }
}

function opened(connection: Duplex | null): Duplex {
  if (connection === null) throw new NetworkFault('Connection refused')
  return connection
}
