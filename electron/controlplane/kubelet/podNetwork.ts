import { connect as connectSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '#shared/base/clock.ts'
import type { Random } from '#shared/base/random.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import type { DnsAnswer } from '#shared/planning/cluster-dns/records.ts'
import { categorizeEndpoints } from '#shared/planning/kube-proxy/categorizedEndpoints.ts'
import { ProxyEndpoints } from '#shared/planning/kube-proxy/proxyEndpoints.ts'
import { servicePorts, type ServicePortInfo } from '#shared/planning/kube-proxy/servicePorts.ts'
import { ApiClient } from './apiClient.ts'
import type { ServiceFacts } from './environment.ts'
import { ServiceView, type Service } from './serviceView.ts'

/** Who resolves or connects: a container of this pod. */
export interface NetworkPeer {
  namespace: string
  hostname: string
  podIP: string
  /** Its node's name. */
  node: string
  /** A port of the pod itself; null when nobody listens. */
  connectLocal(port: number): Duplex | null
  /** The answer of the pod itself to a datagram; undefined when nobody receives. */
  exchangeLocal(port: number, message: Buffer): Buffer | null | undefined
}

/** What containers reach beyond themselves: pods by address, Services by name and address. */
export interface PodNetwork {
  /** IPv4 addresses of a name; empty when the cluster's DNS knows none. */
  resolve(name: string, from: NetworkPeer, signal: AbortSignal): Promise<string[]>
  /** @throws NetworkFault */
  connect(to: { address: string; port: number }, from: NetworkPeer, signal: AbortSignal): Promise<Duplex>
  /** Sends a datagram and waits for the answer. @throws NetworkFault, or the signal's reason when no answer comes */
  exchange(to: { address: string; port: number }, message: Buffer, from: NetworkPeer, signal: AbortSignal): Promise<Buffer>
  /** What the cluster's DNS answers for a full name. @throws Error when it does not answer */
  lookup(name: string, type: string, signal: AbortSignal): Promise<DnsAnswer>
  /** Of all namespaces, for the variables of containers. */
  services(signal: AbortSignal): Promise<ServiceFacts[]>
}

/** No connection came about; the message is the C library's. */
export class NetworkFault extends Error {
  override readonly name = 'NetworkFault'
}

/** What listens at an address: a pod, or the pods in a node's own network and its host ports. */
export interface NetworkPlace {
  isNode: boolean
  /** Before a connection: containers that were taken over unseen are given what they refer to. */
  prepare?(port: number, to?: string): Promise<void>
  /** @param to of a node's addresses, the one that is called, when it is not the place's own */
  connect(port: number, from: string, to?: string): Duplex | null
  exchange(port: number, message: Buffer, from: string, to?: string): Buffer | null | undefined
}

export interface ClusterNetworkOptions {
  /** May list services and endpointslices, as kube-proxy may. */
  transport: Transport
  clock: Clock
  random: Random
  placeAt(address: string): NetworkPlace | undefined
  dns: { ask(name: string, type: string, signal: AbortSignal): Promise<DnsAnswer> }
}

type Protocol = 'TCP' | 'UDP'
const DOMAIN = ['svc', 'cluster', 'local']

/** The pod network of all nodes of this process, with what DNS and kube-proxy do of Services. NetworkPolicies are not looked at. */
export class ClusterNetwork implements PodNetwork {
  readonly #api: ApiClient
  readonly #options: ClusterNetworkOptions
  /** The last endpoint of each client of a Service with ClientIP affinity. */
  readonly #affinity = new Map<string, { address: string; untilMs: number }>()

  constructor(options: ClusterNetworkOptions) {
    this.#api = new ApiClient(options.transport)
    this.#options = options
  }

  async resolve(name: string, from: NetworkPeer, signal: AbortSignal): Promise<string[]> {
    if (/^\d+(\.\d+){3}$/.test(name)) return [name]
    if (name === 'localhost') return ['127.0.0.1']
    if (name === from.hostname) return [from.podIP]
    for (const full of fullNames(name, from.namespace)) {
      const { answers } = await this.lookup(full, 'A', signal)
      const found = answers.flatMap((record) => (record.type === 'A' ? [record.data] : []))
      if (found.length > 0) return found
    }
    return []
  }

  lookup(name: string, type: string, signal: AbortSignal): Promise<DnsAnswer> {
    return this.#options.dns.ask(name, type, signal)
  }

  async services(signal: AbortSignal): Promise<ServiceFacts[]> {
    return (await new ServiceView(this.#api, signal).all()).map(({ metadata, spec }) => ({
      name: metadata.name ?? '',
      namespace: metadata.namespace ?? '',
      clusterIP: spec?.clusterIP ?? '',
      ports: spec?.ports ?? [],
    }))
  }

  async connect(to: { address: string; port: number }, from: NetworkPeer, signal: AbortSignal): Promise<Duplex> {
    if (isOwn(to.address, from)) {
      const own = from.connectLocal(to.port) ?? this.#nodeOf(from)?.connect(to.port, from.podIP, to.address) ?? null
      if (own !== null) return own
    }
    const { address, port } = await this.#route(to, 'TCP', from, signal)
    // The API server of this cluster is the one endpoint that is a process of this machine.
    if (address === '127.0.0.1') return connectSocket({ host: address, port, signal })
    const connection = address === from.podIP ? from.connectLocal(port) : ((await this.#prepared(address, port)).connect(port, from.podIP) ?? null)
    if (connection === null) throw new NetworkFault('Connection refused')
    return connection
  }

  async exchange(to: { address: string; port: number }, message: Buffer, from: NetworkPeer, signal: AbortSignal): Promise<Buffer> {
    let answer = isOwn(to.address, from) ? from.exchangeLocal(to.port, message) : undefined
    if (answer === undefined && isOwn(to.address, from)) answer = this.#nodeOf(from)?.exchange(to.port, message, from.podIP, to.address)
    if (answer === undefined) {
      const { address, port } = await this.#route(to, 'UDP', from, signal)
      answer = address === from.podIP ? from.exchangeLocal(port, message) : (await this.#prepared(address, port)).exchange(port, message, from.podIP)
    }
    if (answer === undefined) throw new NetworkFault('Connection refused')
    // A datagram nobody answers: who waits for it waits until it has had enough.
    return answer ?? new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))
  }

  /** The node that a pod in its network shares addresses with. */
  #nodeOf({ podIP }: NetworkPeer): NetworkPlace | undefined {
    const place = this.#options.placeAt(podIP)
    return place?.isNode === true ? place : undefined
  }

  async #prepared(address: string, port: number): Promise<NetworkPlace> {
    const place = this.#place(address)
    await place.prepare?.(port)
    return place
  }

  #place(address: string): NetworkPlace {
    const place = this.#options.placeAt(address)
    if (place === undefined) throw new NetworkFault('No route to host')
    return place
  }

  /** Where a packet ends up: as kube-proxy's rules send it for a Service's address or a node port, else where it was sent. */
  async #route(to: { address: string; port: number }, protocol: Protocol, from: NetworkPeer, signal: AbortSignal): Promise<{ address: string; port: number }> {
    const { address, port } = to
    const place = this.#options.placeAt(address)
    if (place !== undefined && !place.isNode) return to
    const view = new ServiceView(this.#api, signal)
    const local = place?.isNode === true || isOwn(address, from)
    for (const service of await view.all()) {
      const all = servicePorts(service)
      const isService = all.some((each) => addressesOf(each).includes(address))
      const ports = all.filter((each) => each.protocol === protocol.toLowerCase())
      const found = ports.find((each) => (isService && each.port === port) || (local && each.nodePort === port && port !== 0))
      if (found !== undefined) return this.#endpoint(service, found, { to: address, from, view })
      if (isService) throw new NetworkFault(protocol === 'TCP' ? 'Connection timed out' : 'Connection refused')
    }
    if (place !== undefined) return to
    if (isOwn(address, from)) throw new NetworkFault('Connection refused')
    throw new NetworkFault('No route to host')
  }

  /** By the same choice as the rules: what comes from a pod to an external address stays within the cluster. */
  async #endpoint(
    service: Service,
    port: ServicePortInfo,
    { to, from, view }: { to: string; from: NetworkPeer; view: ServiceView },
  ): Promise<{ address: string; port: number }> {
    const endpoints = new ProxyEndpoints(await view.slices(service), from.node)
    const { cluster, local, any } = categorizeEndpoints(port, endpoints.of(port), '')
    const targets = port.internalLocal && to === port.clusterIP ? local : cluster
    const [first] = targets
    if (first === undefined) throw new NetworkFault(any ? 'Connection timed out' : 'Connection refused')
    const { clock, random } = this.#options
    const key = `${service.metadata.uid ?? ''}/${port.name}/${from.podIP}`
    const kept = port.stickySeconds === null ? undefined : this.#affinity.get(key)
    const same = kept !== undefined && kept.untilMs > clock.now() ? targets.find(({ ip }) => ip === kept.address) : undefined
    const chosen = same ?? targets[random.below(targets.length)] ?? first
    if (port.stickySeconds !== null) this.#affinity.set(key, { address: chosen.ip, untilMs: clock.now() + port.stickySeconds * 1000 })
    return { address: chosen.ip, port: chosen.port }
  }
}

const addressesOf = ({ clusterIP, externalIPs, loadBalancerIPs }: ServicePortInfo): string[] => [clusterIP, ...externalIPs, ...loadBalancerIPs]

const isOwn = (address: string, from: NetworkPeer): boolean => address.startsWith('127.') || address === from.podIP

/** What a resolver with the pod's search domains asks for, in its order. */
function fullNames(name: string, namespace: string): string[] {
  const plain = name.replace(/\.$/, '').toLowerCase()
  if (name.endsWith('.')) return [plain]
  return [...[[namespace, ...DOMAIN], DOMAIN, DOMAIN.slice(1)].map((domain) => `${plain}.${domain.join('.')}`), plain]
}
