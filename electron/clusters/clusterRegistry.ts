import { watch, type FSWatcher } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import { Emitter } from '#shared/base/emitter.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { ClusterId, ClusterSummary, ConnectionState } from '#shared/contract/clusters.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { RetryingTransport } from '../client/retryingTransport.ts'
import { ClusterSession } from './clusterSession.ts'
import { ContextTransport } from './contextTransport.ts'
import { parseKubeconfig, type KubeContext } from './kubeconfig.ts'

/** Editors write files in several steps: wait for the last one. */
const SETTLE_MS = 200

interface Entry {
  context: KubeContext
  kind: ClusterSummary['kind']
  isStarting: boolean
  /** The etcd that backups use; '' when not known. */
  etcdEndpoint: string
  session: ClusterSession | null
  /** It had a session before it could not be used for a while: it gets one again with the next context that can. */
  wasOpen: boolean
  stop: AbortController
  ended: Promise<void>
  protection: ClusterSummary['protection']
}

export interface RegistryOptions {
  clock: Clock
  random: Random
  logger: Logger
  /** What the user set for a cluster before; undefined when nothing. */
  protection: (id: ClusterId) => ClusterSummary['protection'] | undefined
}

/** Every cluster Drydock knows: the contexts of its kubeconfig files, followed as the files change. */
export class ClusterRegistry {
  readonly changes = new Emitter<void>()
  readonly #options: RegistryOptions
  readonly #entries = new Map<ClusterId, Entry>()
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #stop = new AbortController()

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  /** Adds a kubeconfig file's contexts and follows the file. @throws StatusError when it cannot be read */
  async addKubeconfig(path: string): Promise<ClusterId[]> {
    const added = await this.#load(path)
    if (!this.#watchers.has(path)) {
      let cancel = (): void => undefined
      // The folder is watched: a file replaced by rename loses a watch on itself.
      const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
        if (name !== basename(path)) return
        cancel()
        cancel = this.#options.clock.schedule(SETTLE_MS, () => {
          this.#load(path).catch((error: unknown) => {
            this.#options.logger.warn('kubeconfig cannot be read', { path, error: (error as Error).message })
          })
        })
      })
      watcher.on('error', () => undefined)
      this.#watchers.set(path, watcher)
    }
    return added
  }

  async #load(path: string): Promise<ClusterId[]> {
    let contexts: KubeContext[]
    try {
      contexts = parseKubeconfig(await readFile(path, 'utf8'), path)
    } catch (error) {
      throw new StatusError(failure(400, 'BadRequest', `${path}: ${error instanceof Error ? error.message : String(error)}`), { cause: error })
    }
    const ids = contexts.map((context) => `context:${path}#${context.name}`)
    for (const [id, entry] of this.#entries) {
      if (entry.kind !== 'remote' || entry.context.path !== path || ids.includes(id)) continue
      entry.stop.abort()
      this.#entries.delete(id)
    }
    for (const [index, context] of contexts.entries()) {
      const id = ids[index] ?? ''
      const before = this.#entries.get(id)
      if (before !== undefined && JSON.stringify(before.context) === JSON.stringify(context)) continue
      const wasOpen = before !== undefined && (before.session !== null || before.wasOpen)
      before?.stop.abort()
      this.#entries.set(id, {
        context,
        kind: 'remote',
        isStarting: false,
        etcdEndpoint: before?.etcdEndpoint ?? '',
        session: null,
        wasOpen,
        stop: new AbortController(),
        ended: Promise.resolve(),
        protection: before?.protection ?? this.#options.protection(id) ?? 'none',
      })
      if (wasOpen && context.problem === '') this.session(id)
    }
    this.changes.emit()
    return ids
  }

  /**
   * Puts in a cluster that is no context of a user's file (the embedded one); a former one of that id is closed. `context.problem` says why it
   * cannot be used, which a cluster that is starting need not be told for.
   */
  put(id: ClusterId, kind: ClusterSummary['kind'], context: KubeContext, etcdEndpoint: string, { isStarting = false } = {}): void {
    const before = this.#entries.get(id)
    const wasOpen = before !== undefined && (before.session !== null || before.wasOpen)
    before?.stop.abort()
    const entry: Entry = {
      context,
      kind,
      isStarting,
      etcdEndpoint,
      session: null,
      wasOpen,
      stop: new AbortController(),
      ended: Promise.resolve(),
      protection: before?.protection ?? this.#options.protection(id) ?? (kind === 'snapshot' ? 'read-only' : 'none'),
    }
    // The embedded cluster stands first.
    const others = [...this.#entries].filter(([each]) => each !== id)
    this.#entries.clear()
    this.#entries.set(id, entry)
    for (const [each, other] of others) this.#entries.set(each, other)
    if (wasOpen && context.problem === '') this.session(id)
    this.changes.emit()
  }

  /** Takes out a cluster that was put in. */
  remove(id: ClusterId): void {
    this.#entries.get(id)?.stop.abort()
    this.#entries.delete(id)
    this.changes.emit()
  }

  /** The connection and credentials of a cluster. @throws StatusError NotFound */
  context(id: ClusterId): KubeContext {
    return this.#entry(id).context
  }

  setEtcdEndpoint(id: ClusterId, endpoint: string): void {
    this.#entry(id).etcdEndpoint = endpoint
    this.changes.emit()
  }

  #entry(id: ClusterId): Entry {
    const entry = this.#entries.get(id)
    if (entry === undefined) throw new StatusError(failure(404, 'NotFound', `cluster "${id}" is not known`))
    return entry
  }

  /** The open session of a cluster; opens it when it is not. @throws StatusError NotFound, or BadRequest for a broken context */
  session(id: ClusterId): ClusterSession {
    const entry = this.#entry(id)
    if (entry.session !== null) return entry.session
    if (entry.context.problem !== '') throw new StatusError(failure(400, 'BadRequest', entry.context.problem))
    const transport = new ContextTransport(entry.context, this.#options.clock)
    const logger = this.#options.logger.with({ cluster: id })
    const session = new ClusterSession({
      transport: new RetryingTransport(transport, this.#options.clock),
      credentialUser: () => transport.certificateUser,
      ...this.#options,
      logger,
    })
    entry.session = session
    session.changes.subscribe(() => {
      this.changes.emit()
    })
    entry.ended = session.run({ signal: AbortSignal.any([entry.stop.signal, this.#stop.signal]) }).finally(() => {
      transport.close()
    })
    this.changes.emit()
    return session
  }

  setProtection(id: ClusterId, protection: ClusterSummary['protection']): void {
    this.#entry(id).protection = protection
    this.changes.emit()
  }

  /** @throws StatusError Forbidden when the cluster is set to read-only here */
  requireWritable(id: ClusterId): void {
    const { protection, context } = this.#entry(id)
    if (protection === 'read-only') throw new StatusError(failure(403, 'Forbidden', `${context.name} is set to read-only in Drydock`))
  }

  /** As a cluster is called; '' when it is not known. */
  nameOf(id: ClusterId): string {
    return this.#entries.has(id) ? this.summary(id).name : ''
  }

  summary(id: ClusterId): ClusterSummary {
    const entry = this.#entry(id)
    const { context, session, protection, kind, etcdEndpoint } = entry
    return {
      id,
      name: kind === 'embedded' ? 'Local cluster' : context.name,
      kind,
      source: context.path,
      server: context.server,
      namespace: context.namespace,
      connection: connectionOf(entry),
      version: session?.version ?? null,
      user: session?.user ?? null,
      protection,
      etcdEndpoint: etcdEndpoint === '' ? null : etcdEndpoint,
      kubectlArgs: kind !== 'remote' ? ['--kubeconfig', context.path] : ['--kubeconfig', context.path, '--context', context.name],
    }
  }

  /** In the order of the files, each file's current context first. */
  list(): ClusterSummary[] {
    return [...this.#entries]
      .sort(([, a], [, b]) => Number(b.kind === 'embedded') - Number(a.kind === 'embedded') || Number(b.context.isCurrent) - Number(a.context.isCurrent))
      .map(([id]) => this.summary(id))
  }

  async stop(): Promise<void> {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
    this.#stop.abort()
    await Promise.all([...this.#entries.values()].map((entry) => entry.ended))
  }
}

function connectionOf({ context, session, isStarting }: Entry): ConnectionState {
  if (isStarting) return { state: 'connecting' }
  return context.problem === '' ? (session?.connection ?? { state: 'idle' }) : { state: 'unusable', message: context.problem }
}
