import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { homedir, hostname, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { Backup } from '#shared/contract/backups.ts'
import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { accessHandlers } from './api/access.ts'
import { backupHandlers } from './api/backups.ts'
import { certificateHandlers } from './api/certificates.ts'
import { following } from './api/changes.ts'
import { clusterHandlers } from './api/clusters.ts'
import { Dispatcher } from './api/dispatcher.ts'
import { compareHandlers } from './api/compare.ts'
import { etcdHandlers } from './api/etcd.ts'
import { instanceHandlers } from './api/instances.ts'
import { metricHandlers, Samplers } from './api/metrics.ts'
import { objectHandlers } from './api/objects.ts'
import { schedulingHandlers } from './api/scheduling.ts'
import { restoreHandlers } from './api/restoreObjects.ts'
import { runbookHandlers } from './api/runbooks.ts'
import { scheduleHandlers } from './api/schedules.ts'
import { connectEtcd } from './client/etcd/connectEtcd.ts'
import { ClusterInstances } from './clusters/clusterInstances.ts'
import { ClusterRegistry } from './clusters/clusterRegistry.ts'
import { EmbeddedCluster, type ClusterCommand, type EmbeddedEndpoints } from './clusters/embeddedCluster.ts'
import { EtcdConnections, type EtcdEndpoint, type ReachedEtcd } from './clusters/etcdConnections.ts'
import { parseKubeconfig, type KubeContext } from './clusters/kubeconfig.ts'
import { testRestore } from './clusters/testRestore.ts'
import { lockDataDir } from './controlplane/dataDirLock.ts'
import { loadStore } from './controlplane/etcd/loadStore.ts'
import { SettingsFile } from './platform/settingsFile.ts'
import { ClusterApi } from './runbooks/clusterApi.ts'
import { holdCluster } from './runbooks/clusterHold.ts'
import { renewalRunbook } from './runbooks/certificates/certificatesRunbook.ts'
import { drainRunbook } from './runbooks/drain/drainRunbook.ts'
import { etcdHashes } from './runbooks/restore/etcdHashes.ts'
import { restoreRunbook } from './runbooks/restore/restoreRunbook.ts'
import { staticPodRunbook } from './runbooks/staticPodEditor/staticPodRunbook.ts'
import { nodeEtcd } from './runbooks/nodeEtcd.ts'
import { RunbookEngine } from './runbooks/engine.ts'
import { pkiArchive } from './runbooks/pkiArchive.ts'
import { rehearsalFinding, rehearsalOf } from './runbooks/rehearsals.ts'
import type { ClusterIdentity } from './runbooks/runbook.ts'
import type { NodeShellFactory } from './runbooks/nodeShell/nodeShell.ts'
import { connectSsh } from './runbooks/nodeShell/ssh.ts'
import { sshTargetOf } from './runbooks/nodeShell/sshConfig.ts'
import { isControlPlane } from './runbooks/upgrade/plan.ts'
import { readPreflight } from './runbooks/upgrade/preflight.ts'
import { upgradeRunbook, type UpgradeDependencies } from './runbooks/upgrade/upgrade.ts'
import { Backups } from './snapshot/backups.ts'
import { Catalogue } from './snapshot/catalogue.ts'
import type { RestoreTarget } from './snapshot/restoreStore.ts'
import { BackupScheduler } from './snapshot/schedules/backupScheduler.ts'
import { ScheduleFile } from './snapshot/schedules/scheduleFile.ts'

export const EMBEDDED = 'embedded'
/** One release below the newest, so that there is an upgrade to walk through. */
const EMBEDDED_VERSION = 'v1.35.8'

export interface ApplicationOptions {
  dataDir: string
  /** Read besides $KUBECONFIG and ~/.kube/config. */
  kubeconfigs: readonly string[]
  /** How nodes of the user's clusters are reached. @default ~/.ssh/config */
  sshConfigFile?: string
  /** Without it no embedded cluster is started: for commands that work on another one. @default true */
  embedded?: boolean
  /** Without it no scheduled backups run. @default true */
  schedules?: boolean
  /** False leaves $KUBECONFIG and ~/.kube/config alone. @default true */
  userKubeconfigs?: boolean
  clusterCommand: ClusterCommand
  shell: 'desktop' | 'browser'
  version: string
  clock: Clock
  random: Random
  logger: Logger
}

/** Everything behind the page, without any window. */
export class Application {
  readonly dispatcher: Dispatcher
  readonly #options: ApplicationOptions
  readonly #unlock: () => void
  readonly #settings: SettingsFile
  readonly #registry: ClusterRegistry
  readonly #embedded: EmbeddedCluster
  readonly #instances: ClusterInstances
  readonly #samplers: Samplers
  readonly #catalogue: Catalogue
  readonly #engine: RunbookEngine
  readonly #etcd: EtcdConnections
  readonly #scheduler: BackupScheduler
  readonly #stop = new AbortController()
  #scheduling: Promise<void> = Promise.resolve()
  #restoreEtcd: EtcdClient | null = null

  /** @throws Error when another Drydock uses the data directory */
  constructor(options: ApplicationOptions) {
    this.#options = options
    const { dataDir, clock, random, logger } = options
    this.#unlock = lockDataDir(dataDir)
    this.#settings = new SettingsFile(
      join(dataDir, 'settings.json'),
      {
        theme: 'system',
        kubeconfigPaths: [],
        backupDirectory: join(dataDir, 'backups'),
        sshConfigFile: '',
        metricsRetentionHours: 6,
        firstRunCardClosed: false,
      },
      logger,
    )
    this.#registry = new ClusterRegistry({ clock, random, logger, protection: (id) => this.#settings.protections[id] })
    this.#embedded = new EmbeddedCluster({
      dataDir: join(dataDir, 'cluster'),
      command: options.clusterCommand,
      args: ['--kubernetes-version', EMBEDDED_VERSION],
      logger,
    })
    this.#instances = new ClusterInstances({
      directory: join(dataDir, 'instances'),
      command: options.clusterCommand,
      clock,
      logger,
      newId: randomUUID,
      onState: (record, cluster) => {
        this.#putLocal(record.id, record.kind, cluster, record.name)
      },
      onGone: (id) => {
        this.#registry.remove(id)
      },
    })
    this.#samplers = new Samplers(this.#registry, clock)
    this.#catalogue = new Catalogue({ directory: this.#settings.value.backupDirectory, logger })
    this.#etcd = new EtcdConnections({
      known: (clusterId) => (this.#local(clusterId) === null ? null : this.#localEtcd(clusterId)),
      remembered: () => this.#settings.etcdEndpoints,
      remember: (clusterId, endpoint) => {
        this.#settings.change({ etcdEndpoints: { ...this.#settings.etcdEndpoints, [clusterId]: endpoint } })
        this.#registry.setEtcdEndpoint(clusterId, endpoint.endpoint)
        return Promise.resolve()
      },
      through: (clusterId, context) => this.#etcdThroughNode(clusterId, context),
    })
    const api = (clusterId: string): Promise<ClusterApi> => Promise.resolve(new ClusterApi(this.#registry.session(clusterId).transport))
    const backups = new Backups({
      catalogue: this.#catalogue,
      clock,
      logger,
      restoreTarget: () => this.#restoreTarget(),
      pki: async (clusterId, context) => pkiArchive({ api: await api(clusterId), shell: this.#nodeShells(clusterId), nowMs: clock.now() }, context),
      isOpen: (id) => this.#instances.openedOf(id) !== null,
      testRestore: (backup, context) =>
        testRestore(backup, { directory: join(dataDir, 'test-restores'), command: options.clusterCommand, clock, logger }, context),
      connect: async ({ clusterId, etcd: given }) => {
        const { etcd, endpoint } = await this.#etcd.connect(clusterId, given)
        return { etcd, endpoint, clusterName: this.#registry.summary(clusterId).name, close: () => etcd.close() }
      },
    })
    this.#scheduler = new BackupScheduler({
      file: new ScheduleFile({ path: join(dataDir, 'schedules.json'), logger }),
      backups,
      clock,
      logger,
      nameOf: (clusterId) => this.#registry.nameOf(clusterId),
      settled: (clusterId, context) => settled(this.#local(clusterId), context),
    })
    const shell = (clusterId: string): Promise<NodeShellFactory> => Promise.resolve(this.#nodeShells(clusterId))
    const preflight: UpgradeDependencies['preflight'] = async (clusterId, versions) => [
      ...(await this.#rehearsalFindings(clusterId, versions)),
      ...(await readPreflight(
        {
          api: await api(clusterId),
          shells: this.#nodeShells(clusterId),
          etcd: async () => (await this.#etcd.connect(clusterId)).etcd,
          backups: await this.#catalogue.list(),
          clusterId,
          nowMs: clock.now(),
        },
        versions,
      )),
    ]
    this.#engine = new RunbookEngine({
      directory: join(dataDir, 'runs'),
      clock,
      logger,
      newId: randomUUID,
      identify: (clusterId, context) => this.#identify(clusterId, context),
      hold: async (clusterId, request) => holdCluster({ api: await api(clusterId), clock, operator: `${userInfo().username}@${hostname()}` }, request),
      runbooks: [
        drainRunbook({ api }),
        renewalRunbook({ api, shell }),
        staticPodRunbook({ api, shell }),
        restoreRunbook({
          api,
          shell,
          save: async (clusterId, context) => {
            const saved = await this.#backupForRun(backups, clusterId, context)
            return { line: backupLine(saved), objectCounts: saved.objectCounts }
          },
          hashes: (clusterId, nodes, context) => etcdHashes(this.#nodeShells(clusterId), nodes, context),
        }),
        upgradeRunbook({
          api,
          shell,
          preflight,
          backup: async (clusterId, context) => backupLine(await this.#backupForRun(backups, clusterId, context)),
        }),
      ] as never,
    })
    const groups = [
      clusterHandlers(this.#registry, {
        rememberKubeconfig: (path) => {
          if (!this.#settings.value.kubeconfigPaths.includes(path)) this.#settings.change({ kubeconfigPaths: [...this.#settings.value.kubeconfigPaths, path] })
          return Promise.resolve()
        },
        restartEmbedded: () => {
          void this.#startEmbedded()
        },
        rememberProtection: (clusterId, protection) => {
          this.#settings.change({ protections: { ...this.#settings.protections, [clusterId]: protection } })
        },
        // Usage is kept from the moment a cluster is looked at.
        opened: (clusterId) => {
          this.#samplers.of(clusterId)
        },
      }),
      objectHandlers(this.#registry, clock),
      metricHandlers(this.#samplers),
      backupHandlers(backups),
      scheduleHandlers(this.#scheduler, clock),
      instanceHandlers(this.#instances, this.#catalogue),
      restoreHandlers(this.#registry),
      runbookHandlers(this.#registry, this.#engine, { shells: (clusterId) => this.#nodeShells(clusterId), catalogue: this.#catalogue, preflight, clock }),
      this.#settingsHandlers(),
    ]
    const requests = Object.assign(
      {},
      ...groups.map((group) => group.requests),
      etcdHandlers(this.#etcd, clock, (id) => {
        this.#registry.requireWritable(id)
      }),
      certificateHandlers(this.#registry, clock, (id) => this.#pki(id)),
      accessHandlers(this.#registry),
      schedulingHandlers(this.#registry, clock),
      compareHandlers(this.#registry),
    ) as RequestHandlers
    const subscriptions = Object.assign({}, ...groups.map((group) => group.subscriptions)) as SubscriptionHandlers
    this.dispatcher = new Dispatcher({ requests, subscriptions, logger })
  }

  /** Opens what is on disk and starts the embedded cluster. Resolves at once for the window; the cluster comes up meanwhile. */
  async start(): Promise<void> {
    await this.#catalogue.open()
    this.#engine.open()
    this.#instances.open()
    if (this.#options.embedded !== false) {
      this.#registry.put(EMBEDDED, 'embedded', brokenContext('it is starting'), '')
      void this.#startEmbedded()
    }
    const own = this.#options.userKubeconfigs === false ? [] : (process.env['KUBECONFIG'] ?? join(homedir(), '.kube/config')).split(delimiter)
    for (const path of new Set([...this.#options.kubeconfigs, ...own, ...this.#settings.value.kubeconfigPaths])) {
      if (path === '') continue
      try {
        for (const id of await this.#registry.addKubeconfig(path)) {
          const etcd = this.#settings.etcdEndpoints[id]
          if (etcd !== undefined) this.#registry.setEtcdEndpoint(id, etcd.endpoint)
        }
      } catch (error) {
        this.#options.logger.info('kubeconfig not read', { path, error: error instanceof Error ? error.message : String(error) })
      }
    }
    await this.#scheduler.open()
    if (this.#options.schedules !== false) this.#scheduling = this.#scheduler.run({ signal: this.#stop.signal })
  }

  async stop(): Promise<void> {
    this.#stop.abort(new DOMException('Drydock ends', 'AbortError'))
    await this.#scheduling
    this.#samplers.stop()
    await this.#engine.close()
    await this.#registry.stop()
    await Promise.all([this.#embedded.stop(), this.#instances.stop()])
    this.#unlock()
  }

  async #startEmbedded(): Promise<void> {
    try {
      const endpoints = await this.#embedded.start()
      this.#registry.put(EMBEDDED, 'embedded', contextOf(endpoints), endpoints.etcdUrl)
      this.#samplers.of(EMBEDDED)
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#registry.put(
        EMBEDDED,
        'embedded',
        brokenContext(`the embedded cluster did not start: ${error instanceof Error ? error.message : String(error)}`),
        '',
      )
    }
  }

  /** The process of a cluster that runs here: the embedded one, a twin or an opened snapshot; null for all others. */
  #local(clusterId: string): EmbeddedCluster | null {
    return clusterId === EMBEDDED ? this.#embedded : this.#instances.find(clusterId)
  }

  #putLocal(id: string, kind: 'embedded' | 'twin' | 'snapshot', cluster: EmbeddedCluster, name: string): void {
    const { state } = cluster
    if (state.state === 'running') this.#registry.put(id, kind, { ...contextOf(state.endpoints), name }, state.endpoints.etcdUrl)
    else this.#registry.put(id, kind, { ...brokenContext(state.state === 'failed' ? `it did not start: ${state.message}` : `it is ${state.state}`), name }, '')
  }

  /** @throws StatusError ServiceUnavailable */
  #running(clusterId: string): { cluster: EmbeddedCluster; endpoints: EmbeddedEndpoints } {
    const cluster = this.#local(clusterId)
    if (cluster === null) throw new StatusError(failure(404, 'NotFound', `cluster "${clusterId}" does not run here`))
    const { state } = cluster
    if (state.state !== 'running')
      throw new StatusError(
        failure(503, 'ServiceUnavailable', state.state === 'failed' ? `the cluster did not start: ${state.message}` : 'the cluster is not running'),
      )
    return { cluster, endpoints: state.endpoints }
  }

  #localEtcd(clusterId: string): EtcdEndpoint {
    const { etcdUrl, pkiDir } = this.#running(clusterId).endpoints
    const file = (name: string): string => join(pkiDir, 'etcd', name)
    return { endpoint: etcdUrl, caFile: file('ca.crt'), certFile: file('healthcheck-client.crt'), keyFile: file('healthcheck-client.key') }
  }

  #pki(clusterId: string): { node: string; pkiDir: string } | null {
    return clusterId === EMBEDDED && this.#embedded.state.state === 'running' ? { node: 'controlplane', pkiDir: this.#embedded.state.endpoints.pkiDir } : null
  }

  async #identify(clusterId: string, { signal }: { signal: AbortSignal }): Promise<ClusterIdentity> {
    const api = new ClusterApi(this.#registry.session(clusterId).transport)
    const namespace = await api.get('/api/v1/namespaces/kube-system', signal).catch(() => null)
    return { clusterUid: namespace?.metadata.uid ?? '', onTwin: this.#registry.summary(clusterId).kind === 'twin' }
  }

  async #rehearsalFindings(clusterId: string, { targetVersion, signal }: { targetVersion: string; signal: AbortSignal }): Promise<UpgradeFinding[]> {
    const { clusterUid, onTwin } = await this.#identify(clusterId, { signal })
    if (onTwin) return []
    const rehearsal = rehearsalOf(this.#engine.list(), { runbook: 'upgrade', clusterUid, subject: targetVersion })
    const isProtected = this.#registry.summary(clusterId).protection === 'protected'
    return [rehearsalFinding(rehearsal, { isProtected, targetVersion, nowMs: this.#options.clock.now() })]
  }

  #nodeShells(clusterId: string): NodeShellFactory {
    if (this.#local(clusterId) === null) return this.#remoteShells(clusterId)
    return (node, context) => {
      const { cluster, endpoints } = this.#running(clusterId)
      return connectSsh(
        {
          host: endpoints.sshHost,
          port: endpoints.sshPort,
          username: node,
          privateKey: readFileSync(endpoints.sshKeyFile, 'utf8'),
          hostKeys: [cluster.hostKey(endpoints)],
          sudo: false,
        },
        context,
      )
    }
  }

  /** What the command line gave, what the settings name, or OpenSSH's own. */
  get #sshConfigFile(): string {
    const { sshConfigFile } = this.#settings.value
    return this.#options.sshConfigFile ?? (sshConfigFile === '' ? join(homedir(), '.ssh/config') : sshConfigFile)
  }

  /** Nodes of a user's own cluster, by the user's own SSH configuration. */
  #remoteShells(clusterId: string): NodeShellFactory {
    const configFile = this.#sshConfigFile
    return async (node, context) =>
      connectSsh(sshTargetOf(node, { configFile, address: context.address ?? (await this.#addressOf(clusterId, node, context)) }), context)
  }

  async #addressOf(clusterId: string, node: string, { signal }: { signal: AbortSignal }): Promise<string> {
    const object = await new ClusterApi(this.#registry.session(clusterId).transport).get(`/api/v1/nodes/${encodeURIComponent(node)}`, signal)
    const addresses = (object['status'] as { addresses?: { type: string; address: string }[] } | undefined)?.addresses ?? []
    return addresses.find(({ type }) => type === 'InternalIP')?.address ?? node
  }

  /** A kubeadm cluster's etcd through its first control-plane node. */
  async #etcdThroughNode(clusterId: string, { signal }: { signal: AbortSignal }): Promise<ReachedEtcd | null> {
    const configFile = this.#sshConfigFile
    if (this.#local(clusterId) !== null || !existsSync(configFile)) return null
    const nodes = await new ClusterApi(this.#registry.session(clusterId).transport).list('/api/v1/nodes', signal)
    const name = nodes.find(isControlPlane)?.metadata.name
    if (name === undefined) return null
    const shell = await this.#remoteShells(clusterId)(name, { signal })
    try {
      const reached = await nodeEtcd(shell, { signal })
      return {
        ...reached,
        close: async () => {
          await reached.close()
          shell.close()
        },
      }
    } catch (error) {
      shell.close()
      throw error
    }
  }

  async #backupForRun(backups: Backups, clusterId: string, { signal, sinceMs }: { signal: AbortSignal; sinceMs: number }): Promise<Backup> {
    // A run that was killed here has saved one already: it is read again, not saved again.
    const saved = (await this.#catalogue.list()).find((each) => each.clusterId === clusterId && each.present && each.createdAtMs >= sinceMs)
    for await (const progress of saved === undefined ? backups.save({ clusterId }, { signal }) : backups.verify({ id: saved.id }, { signal })) {
      if (progress.phase !== 'done') continue
      const { path, verdict } = progress.backup
      if (verdict !== 'good') throw new Error(`the backup ${path} is ${verdict}; nothing was changed`)
      return progress.backup
    }
    throw new Error('the backup did not finish')
  }

  #restoreTarget(): RestoreTarget | null {
    if (this.#embedded.state.state !== 'running') return null
    const embedded = this.#embedded
    const connect = async (): Promise<void> => {
      await this.#restoreEtcd?.close()
      this.#restoreEtcd = await connectEtcd(this.#localEtcd(EMBEDDED))
    }
    return {
      storeDir: embedded.storeDir,
      etcd: () =>
        lazily(async () => {
          await connect()
          return this.#restoreEtcd
        }),
      stop: () => embedded.stop(),
      start: async () => {
        await this.#startEmbedded()
        this.#running(EMBEDDED)
      },
      loadStore,
    }
  }

  #settingsHandlers(): { requests: Pick<RequestHandlers, 'settings.change' | 'app.info'>; subscriptions: Pick<SubscriptionHandlers, 'settings.watch'> } {
    const { version, dataDir, shell } = this.#options
    return {
      requests: {
        'settings.change': (change) => {
          this.#settings.change(change as never)
          return Promise.resolve(null)
        },
        'app.info': () =>
          Promise.resolve({ version, dataDirectory: dataDir, shell, nodeVersion: process.versions.node, platform: `${process.platform} ${process.arch}` }),
      },
      subscriptions: {
        'settings.watch': (_input, { signal }) =>
          following(
            () => this.#settings.value,
            (listener) => this.#settings.changes.subscribe(listener),
            signal,
          ),
      },
    }
  }
}

const backupLine = ({ path, verdict, status }: Backup): string =>
  `backup ${path}: ${verdict}, revision ${String(status?.revision ?? 0)}, ${String(status?.totalKeys ?? 0)} keys`

/** Resolves when a cluster's process has stopped starting. */
function settled(cluster: EmbeddedCluster | null, { signal }: { signal: AbortSignal }): Promise<void> {
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

/** An etcd client that connects at its first call. */
function lazily(connect: () => Promise<EtcdClient | null>): EtcdClient {
  return new Proxy({} as EtcdClient, {
    get:
      (_target, name) =>
      async (...args: unknown[]) => {
        const client = await connect()
        if (client === null) throw new Error('etcd is not connected')
        return (client[name as keyof EtcdClient] as (...given: unknown[]) => unknown).apply(client, args)
      },
  })
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
