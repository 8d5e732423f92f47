import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { objectsAt, specOf, textAt } from '#shared/planning/scheduling/pod.ts'
import type { ClusterNames } from '#shared/planning/cluster-dns/clusterZone.ts'
import { Informer } from '#electron/client/informer.ts'
import { ENDPOINT_SLICES, NAMESPACES, SERVICES } from '#electron/client/resources.ts'
import type { RestClient } from '#electron/client/restClient.ts'

export interface WatchedNamesOptions {
  /** May list and watch namespaces, services and endpointslices. */
  client: RestClient
  /** Which of the group's versions is served. */
  slicesVersion: 'v1' | 'v1beta1'
  clock: Clock
  random: Random
  logger: Logger
}

const BY_ADDRESS = 'address'
const BY_SERVICE = 'service'

/** What the API has of Services, kept by watches. */
export class WatchedNames implements ClusterNames {
  serial: number
  readonly #services: Informer
  readonly #slices: Informer
  readonly #namespaces: Informer

  constructor({ slicesVersion, ...options }: WatchedNamesOptions) {
    this.serial = Math.floor(options.clock.now() / 1000)
    this.#namespaces = new Informer({ ...options, gvr: NAMESPACES })
    this.#services = new Informer({ ...options, gvr: SERVICES, indexers: { [BY_ADDRESS]: clusterAddresses } })
    this.#slices = new Informer({
      ...options,
      gvr: { ...ENDPOINT_SLICES, version: slicesVersion },
      indexers: {
        [BY_SERVICE]: ({ metadata }) => [`${metadata.namespace ?? ''}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`],
        [BY_ADDRESS]: (slice) => objectsAt(slice['endpoints']).flatMap(({ addresses }) => (Array.isArray(addresses) ? addresses.map(textAt) : [])),
      },
    })
    for (const informer of this.#all()) informer.onEvent(() => void (this.serial = Math.max(this.serial + 1, Math.floor(options.clock.now() / 1000))))
  }

  /** Watches until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.run(signal)))
  }

  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.synced(signal)))
  }

  service(namespace: string, name: string): KubeObject | undefined {
    return this.#services.get(namespace, name)
  }

  servicesAt(address: string): KubeObject[] {
    return this.#services.byIndex(BY_ADDRESS, address)
  }

  slices(namespace: string, service: string): KubeObject[] {
    return this.#slices.byIndex(BY_SERVICE, `${namespace}/${service}`)
  }

  slicesAt(address: string): KubeObject[] {
    return this.#slices.byIndex(BY_ADDRESS, address)
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.get('', name) !== undefined
  }

  #all(): Informer[] {
    return [this.#namespaces, this.#services, this.#slices]
  }
}

function clusterAddresses(service: KubeObject): string[] {
  const spec = specOf(service)
  const all = Array.isArray(spec['clusterIPs']) ? spec['clusterIPs'].map(textAt) : []
  return all.length > 0 ? all : [textAt(spec['clusterIP'])]
}
