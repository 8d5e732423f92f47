import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import { ClusterZone, type ZoneOptions } from '#shared/planning/cluster-dns/clusterZone.ts'
import type { DnsAnswer } from '#shared/planning/cluster-dns/records.ts'
import type { RestClient } from '#electron/client/restClient.ts'
import { DnsServer } from './dnsServer.ts'
import { WatchedNames } from './watchedNames.ts'

export interface CoreDnsOptions {
  client: RestClient
  zone: ZoneOptions
  /** Kubernetes' minor release that is served now. */
  servedMinor(): number
  clock: Clock
  random: Random
  logger: Logger
}

/** discovery.k8s.io/v1 came. */
const FIRST_WITH_V1 = 21
/** So long a question waits for the first list of everything. */
const PATIENCE_MS = 5000

interface Watched {
  names: WatchedNames
  slicesVersion: 'v1' | 'v1beta1'
  end: AbortController
  ended: Promise<void>
}

/**
 * The cluster's DNS. Nothing is watched until the first question: many a cluster is never asked one.
 * Answers are of what the watches have told; a Service that was made just now may be a moment late.
 */
export class CoreDns {
  readonly #options: CoreDnsOptions
  readonly #server: DnsServer
  #watched: Watched | null = null
  #closed = false

  constructor(options: CoreDnsOptions) {
    this.#options = options
    this.#server = new DnsServer({ ask: (name, type, signal) => this.ask(name, type, signal), logger: options.logger })
  }

  /** Answers on a loopback port, too. @param port 0 picks one. @returns the port */
  listen(port: number): Promise<number> {
    return this.#server.listen(port)
  }

  /** @throws Error when the API server does not tell what there is */
  async ask(name: string, type: string, signal: AbortSignal): Promise<DnsAnswer> {
    const { names } = this.#watch()
    await names.synced(AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]))
    return new ClusterZone(names, this.#options.zone).answer(name, type)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#server.close()
    await this.#unwatch()
  }

  #watch(): Watched {
    if (this.#closed) throw new Error('the DNS is closed')
    const slicesVersion = this.#options.servedMinor() >= FIRST_WITH_V1 ? 'v1' : 'v1beta1'
    if (this.#watched?.slicesVersion === slicesVersion) return this.#watched
    void this.#unwatch()
    const { client, clock, random, logger } = this.#options
    const names = new WatchedNames({ client, slicesVersion, clock, random, logger })
    const end = new AbortController()
    return (this.#watched = { names, slicesVersion, end, ended: names.run(end.signal).catch(() => undefined) })
  }

  async #unwatch(): Promise<void> {
    const watched = this.#watched
    this.#watched = null
    watched?.end.abort(new Error('the DNS looks elsewhere'))
    await watched?.ended
  }
}
