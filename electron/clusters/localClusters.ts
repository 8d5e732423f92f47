import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { ClusterInstances } from './clusterInstances.ts'
import type { ClusterRegistry } from './clusterRegistry.ts'
import { EmbeddedCluster, type ClusterCommand, type EmbeddedEndpoints } from './embeddedCluster.ts'
import type { EtcdEndpoint } from './etcdConnections.ts'
import { parseKubeconfig, type KubeContext } from './kubeconfig.ts'

export const EMBEDDED = 'embedded'
/** One release below the newest, so that there is an upgrade to walk through. */
const EMBEDDED_VERSION = 'v1.35.8'

export interface LocalClustersOptions {
  dataDir: string
  command: ClusterCommand
  registry: ClusterRegistry
  /** Told when the embedded cluster has started. */
  onEmbeddedStarted(): void
  clock: Clock
  logger: Logger
}

/** The clusters whose processes run here: the embedded one, twins and opened snapshots. The registry shows each as it stands. */
export class LocalClusters {
  readonly embedded: EmbeddedCluster
  readonly instances: ClusterInstances
  readonly #registry: ClusterRegistry
  readonly #onEmbeddedStarted: () => void
  #stopping = false

  constructor({ dataDir, command, registry, onEmbeddedStarted, clock, logger }: LocalClustersOptions) {
    this.#registry = registry
    this.#onEmbeddedStarted = onEmbeddedStarted
    this.embedded = new EmbeddedCluster({ dataDir: join(dataDir, 'cluster'), command, args: ['--kubernetes-version', EMBEDDED_VERSION], logger })
    this.instances = new ClusterInstances({
      directory: join(dataDir, 'instances'),
      command,
      clock,
      logger,
      newId: randomUUID,
      onState: ({ id, kind, name }, cluster) => {
        const { state } = cluster
        const problem = state.state === 'failed' ? `it did not start: ${state.message}` : `it is ${state.state}`
        if (state.state === 'running') registry.put(id, kind, { ...contextOf(state.endpoints), name }, state.endpoints.etcdUrl)
        else registry.put(id, kind, { ...brokenContext(problem), name }, '', { isStarting: state.state === 'starting' })
      },
      onGone: (id) => {
        registry.remove(id)
      },
    })
  }

  /** Shows the embedded cluster as starting and starts it. Returns before it runs. */
  open(): void {
    this.#registry.put(EMBEDDED, 'embedded', brokenContext('it is starting'), '', { isStarting: true })
    void this.startEmbedded()
  }

  /** Resolves when it runs or has failed, which the registry then says. */
  async startEmbedded(): Promise<void> {
    try {
      const endpoints = await this.embedded.start()
      this.#registry.put(EMBEDDED, 'embedded', contextOf(endpoints), endpoints.etcdUrl)
      this.#onEmbeddedStarted()
    } catch (error) {
      if (this.#stopping) return
      const message = error instanceof Error ? error.message : String(error)
      this.#registry.put(EMBEDDED, 'embedded', brokenContext(`the embedded cluster did not start: ${message}`), '')
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all([this.embedded.stop(), this.instances.stop()])
  }

  /** The process of a cluster that runs here; null for all others. */
  find(clusterId: string): EmbeddedCluster | null {
    return clusterId === EMBEDDED ? this.embedded : this.instances.find(clusterId)
  }

  /** @throws StatusError NotFound for a cluster of elsewhere, ServiceUnavailable for one that does not run */
  running(clusterId: string): { cluster: EmbeddedCluster; endpoints: EmbeddedEndpoints } {
    const cluster = this.find(clusterId)
    if (cluster === null) throw new StatusError(failure(404, 'NotFound', `cluster "${clusterId}" does not run here`))
    const { state } = cluster
    if (state.state === 'running') return { cluster, endpoints: state.endpoints }
    throw new StatusError(
      failure(503, 'ServiceUnavailable', state.state === 'failed' ? `the cluster did not start: ${state.message}` : 'the cluster is not running'),
    )
  }

  /** Where and with which files its etcd is reached. @throws StatusError as {@link running} */
  etcd(clusterId: string): EtcdEndpoint {
    const { etcdUrl, pkiDir } = this.running(clusterId).endpoints
    const file = (name: string): string => join(pkiDir, 'etcd', name)
    return { endpoint: etcdUrl, caFile: file('ca.crt'), certFile: file('healthcheck-client.crt'), keyFile: file('healthcheck-client.key') }
  }

  /** The certificates of a cluster's node that lie on this machine; null where there are none. */
  pki(clusterId: string): { node: string; pkiDir: string } | null {
    const { state } = this.embedded
    return clusterId === EMBEDDED && state.state === 'running' ? { node: 'controlplane', pkiDir: state.endpoints.pkiDir } : null
  }

  /** Resolves when a cluster's process has stopped starting; at once for one of elsewhere. */
  settled(clusterId: string, { signal }: { signal: AbortSignal }): Promise<void> {
    const cluster = this.find(clusterId)
    return new Promise((resolve) => {
      if (cluster?.state.state !== 'starting' || signal.aborted) {
        resolve()
        return
      }
      const done = (): void => {
        if (cluster.state.state === 'starting' && !signal.aborted) return
        unsubscribe()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const unsubscribe = cluster.changes.subscribe(done)
      signal.addEventListener('abort', done)
    })
  }
}

function contextOf(endpoints: EmbeddedEndpoints): KubeContext {
  const [context] = parseKubeconfig(readFileSync(endpoints.kubeconfigPath, 'utf8'), endpoints.kubeconfigPath)
  return context === undefined ? brokenContext('its kubeconfig has no context') : { ...context, clusterName: 'drydock' }
}

function brokenContext(problem: string): KubeContext {
  const none = { data: '', file: '' }
  return {
    path: '',
    name: 'embedded',
    isCurrent: false,
    server: '',
    namespace: 'default',
    clusterName: 'drydock',
    userName: '',
    tlsServerName: '',
    insecureSkipTlsVerify: false,
    proxyUrl: '',
    ca: none,
    clientCertificate: none,
    clientKey: none,
    token: none,
    username: '',
    password: '',
    impersonate: { user: '', groups: [], uid: '', extra: {} },
    exec: null,
    problem,
  }
}
