import { randomUUID } from 'node:crypto'
import { homedir, hostname, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { Backup } from '#shared/contract/backups.ts'
import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
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
import { exportHandlers } from './api/exportObjects.ts'
import { restoreHandlers } from './api/restoreObjects.ts'
import { runbookHandlers } from './api/runbooks.ts'
import { scheduleHandlers } from './api/schedules.ts'
import { connectEtcd } from './client/etcd/connectEtcd.ts'
import { ClusterRegistry } from './clusters/clusterRegistry.ts'
import type { ClusterCommand } from './clusters/embeddedCluster.ts'
import { EtcdConnections } from './clusters/etcdConnections.ts'
import { EMBEDDED, LocalClusters } from './clusters/localClusters.ts'
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
import { NodeAccess } from './runbooks/nodeAccess.ts'
import { RunbookEngine } from './runbooks/engine.ts'
import { pkiArchive } from './runbooks/pkiArchive.ts'
import { rehearsalFinding, rehearsalOf } from './runbooks/rehearsals.ts'
import type { ClusterIdentity } from './runbooks/runbook.ts'
import type { NodeShellFactory } from './runbooks/nodeShell/nodeShell.ts'
import { readPreflight } from './runbooks/upgrade/preflight.ts'
import { upgradeRunbook, type UpgradeDependencies } from './runbooks/upgrade/upgrade.ts'
import { Backups } from './snapshot/backups.ts'
import { Catalogue } from './snapshot/catalogue.ts'
import type { RestoreTarget } from './snapshot/restoreStore.ts'
import { BackupScheduler } from './snapshot/schedules/backupScheduler.ts'
import { ScheduleFile } from './snapshot/schedules/scheduleFile.ts'

export interface ApplicationOptions {
  dataDir: string
  /** Read besides $KUBECONFIG and ~/.kube/config. */
  kubeconfigs: readonly string[]
  /** How nodes of the user's clusters are reached. @default ~/.ssh/config */
  sshConfigFile?: string
  /** What sudo asks for on the nodes of the user's clusters; those given later, by cluster, go before it. */
  sudoPassword?: string
  /** Without it no embedded cluster is started: for commands that work on another one. @default true */
  embedded?: boolean
  /** Without it no scheduled backups run. @default true */
  schedules?: boolean
  /** Without it usage is sampled only of clusters whose usage somebody asks for: for commands, which show none. @default true */
  keepsUsage?: boolean
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
  readonly #local: LocalClusters
  readonly #nodes: NodeAccess
  readonly #samplers: Samplers
  readonly #catalogue: Catalogue
  readonly #engine: RunbookEngine
  readonly #etcd: EtcdConnections
  readonly #scheduler: BackupScheduler
  readonly #stop = new AbortController()
  #scheduling: Promise<void> = Promise.resolve()
  #restoreEtcd: EtcdClient | null = null
  /** By cluster; kept nowhere else, and gone with the process. */
  readonly #sudoPasswords = new Map<string, string>()

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
    this.#local = new LocalClusters({
      dataDir,
      command: options.clusterCommand,
      registry: this.#registry,
      onEmbeddedStarted: () => {
        if (options.keepsUsage !== false) this.#samplers.of(EMBEDDED)
      },
      clock,
      logger,
    })
    this.#nodes = new NodeAccess({
      registry: this.#registry,
      local: this.#local,
      sshConfigFile: () => this.#sshConfigFile,
      sudoPassword: (clusterId) => this.#sudoPasswords.get(clusterId) ?? options.sudoPassword ?? null,
    })
    this.#samplers = new Samplers(this.#registry, clock)
    this.#catalogue = new Catalogue({ directory: this.#settings.value.backupDirectory, logger })
    this.#etcd = new EtcdConnections({
      known: (clusterId) => (this.#local.find(clusterId) === null ? null : this.#local.etcd(clusterId)),
      remembered: () => this.#settings.etcdEndpoints,
      remember: (clusterId, endpoint) => {
        this.#settings.change({ etcdEndpoints: { ...this.#settings.etcdEndpoints, [clusterId]: endpoint } })
        this.#registry.setEtcdEndpoint(clusterId, endpoint.endpoint)
        return Promise.resolve()
      },
      through: (clusterId, context) => this.#nodes.etcd(clusterId, context),
    })
    const api = (clusterId: string): Promise<ClusterApi> => Promise.resolve(new ClusterApi(this.#registry.session(clusterId).transport))
    const backups = new Backups({
      catalogue: this.#catalogue,
      clock,
      logger,
      restoreTarget: () => this.#restoreTarget(),
      pki: async (clusterId, context) => pkiArchive({ api: await api(clusterId), shell: this.#nodes.shells(clusterId), nowMs: clock.now() }, context),
      isOpen: (id) => this.#local.instances.openedOf(id) !== null,
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
      settled: (clusterId, context) => this.#local.settled(clusterId, context),
    })
    const shell = (clusterId: string): Promise<NodeShellFactory> => Promise.resolve(this.#nodes.shells(clusterId))
    const preflight: UpgradeDependencies['preflight'] = async (clusterId, versions) => [
      ...(await this.#rehearsalFindings(clusterId, versions)),
      ...(await readPreflight(
        {
          api: await api(clusterId),
          shells: this.#nodes.shells(clusterId),
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
          hashes: (clusterId, nodes, context) => etcdHashes(this.#nodes.shells(clusterId), nodes, context),
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
          void this.#local.startEmbedded()
        },
        rememberProtection: (clusterId, protection) => {
          this.#settings.change({ protections: { ...this.#settings.protections, [clusterId]: protection } })
        },
        // Usage is kept from the moment a cluster is looked at.
        opened: (clusterId) => {
          if (options.keepsUsage !== false) this.#samplers.of(clusterId)
        },
      }),
      objectHandlers(this.#registry, clock),
      metricHandlers(this.#samplers),
      backupHandlers(backups),
      scheduleHandlers(this.#scheduler, clock),
      instanceHandlers(this.#local.instances, this.#catalogue),
      restoreHandlers(this.#registry),
      runbookHandlers(this.#registry, this.#engine, { shells: (clusterId) => this.#nodes.shells(clusterId), catalogue: this.#catalogue, preflight, clock }),
      this.#settingsHandlers(),
    ]
    const requests = Object.assign(
      {},
      ...groups.map((group) => group.requests),
      etcdHandlers(this.#etcd, clock, (id) => {
        this.#registry.requireWritable(id)
      }),
      certificateHandlers(this.#registry, clock, (id) => this.#local.pki(id)),
      accessHandlers(this.#registry),
      schedulingHandlers(this.#registry, clock),
      compareHandlers(this.#registry),
      exportHandlers(this.#registry),
    ) as RequestHandlers
    const subscriptions = Object.assign({}, ...groups.map((group) => group.subscriptions)) as SubscriptionHandlers
    this.dispatcher = new Dispatcher({ requests, subscriptions, logger })
  }

  /** Opens what is on disk and starts the embedded cluster. Resolves at once for the window; the cluster comes up meanwhile. */
  async start(): Promise<void> {
    await this.#catalogue.open()
    this.#engine.open()
    this.#local.instances.open()
    if (this.#options.embedded !== false) this.#local.open()
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
    await this.#local.stop()
    this.#unlock()
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

  /** What the command line gave, what the settings name, or OpenSSH's own. */
  get #sshConfigFile(): string {
    const { sshConfigFile } = this.#settings.value
    return this.#options.sshConfigFile ?? (sshConfigFile === '' ? join(homedir(), '.ssh/config') : sshConfigFile)
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
    const { embedded } = this.#local
    if (embedded.state.state !== 'running') return null
    const connect = async (): Promise<void> => {
      await this.#restoreEtcd?.close()
      this.#restoreEtcd = await connectEtcd(this.#local.etcd(EMBEDDED))
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
        await this.#local.startEmbedded()
        this.#local.running(EMBEDDED)
      },
      loadStore,
    }
  }

  #settingsHandlers(): {
    requests: Pick<RequestHandlers, 'settings.change' | 'settings.giveSudoPassword' | 'app.info'>
    subscriptions: Pick<SubscriptionHandlers, 'settings.watch'>
  } {
    const { version, dataDir, shell } = this.#options
    return {
      requests: {
        'settings.giveSudoPassword': ({ clusterId, password }) => {
          if (password === '') this.#sudoPasswords.delete(clusterId)
          else this.#sudoPasswords.set(clusterId, password)
          return Promise.resolve(null)
        },
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
