import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import { Emitter } from '#shared/base/emitter.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { InstanceView } from '#shared/contract/instances.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { RestClient } from '../client/restClient.ts'
import { ContextTransport } from './contextTransport.ts'
import { parseKubeconfig } from './kubeconfig.ts'
import { EmbeddedCluster, type ClusterCommand } from './embeddedCluster.ts'

/** What is kept of an instance in its `instance.json`. */
type InstanceRecord = Omit<InstanceView, 'state' | 'message' | 'sizeBytes' | 'paused'> & { snapshotPath: string }

const NOTHING_CHOSEN = { revision: null, history: null, encryptionConfig: '' }

interface Instance {
  record: InstanceRecord
  cluster: EmbeddedCluster
  sizeBytes: number
  /** Its clock goes on when its process is started anew. */
  paused: boolean
}

export interface ClusterInstancesOptions {
  /** One folder per instance below it. */
  directory: string
  command: ClusterCommand
  clock: Clock
  logger: Logger
  newId(): string
  /** Told whenever an instance's state changes. */
  onState(record: { id: string; kind: 'twin' | 'snapshot'; name: string }, cluster: EmbeddedCluster): void
  onGone(id: string): void
}

/**
 * Opened snapshots and twins, each a control plane in a process and a folder of its own. They outlive the application: what
 * is on disk is started again with it.
 */
export class ClusterInstances {
  readonly changes = new Emitter<void>()
  readonly #options: ClusterInstancesOptions
  readonly #instances = new Map<string, Instance>()

  constructor(options: ClusterInstancesOptions) {
    this.#options = options
  }

  /** Starts what was there; resolves before they run. A folder without a readable record is logged and left alone. */
  open(): void {
    const { directory, logger } = this.#options
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(directory)) {
      try {
        const stored = JSON.parse(readFileSync(join(directory, name, 'instance.json'), 'utf8')) as InstanceRecord
        // What was opened before these could be chosen has none of them.
        const record: InstanceRecord = { ...NOTHING_CHOSEN, ...stored }
        // Its state says when it does not start.
        this.#add(record).catch(() => undefined)
      } catch (error) {
        logger.warn('an instance cannot be read', { folder: join(directory, name), error: error instanceof Error ? error.message : String(error) })
      }
    }
  }

  list(): InstanceView[] {
    return [...this.#instances.values()]
      .map(({ record: { snapshotPath: _, ...record }, cluster, sizeBytes, paused }): InstanceView => {
        const { state } = cluster
        return { ...record, state: state.state, message: state.state === 'failed' ? state.message : '', sizeBytes, paused }
      })
      .sort((a, b) => b.createdAtMs - a.createdAtMs)
  }

  /** The process behind an id; null when there is no such instance. */
  find(id: string): EmbeddedCluster | null {
    return this.#instances.get(id)?.cluster ?? null
  }

  /** The opened snapshot of a backup, if there is one. */
  openedOf(backupId: string): string | null {
    return [...this.#instances.values()].find(({ record }) => record.kind === 'snapshot' && record.backupId === backupId)?.record.id ?? null
  }

  /**
   * Makes an instance and starts it.
   * @param lay finds out what there is to know of the snapshot, and puts it at `target`, in the instance's own folder, where it cannot be
   *   read where it lies
   * @throws Error with what its process said when it did not start; nothing of it is left
   */
  async create(
    input: Omit<InstanceRecord, 'id' | 'createdAtMs' | 'revision' | 'history' | 'encryptionConfig'>,
    lay: (target: string) => Promise<Pick<InstanceRecord, 'snapshotPath' | 'history'>>,
  ): Promise<string> {
    const { directory, clock, newId } = this.#options
    const id = `${input.kind}:${newId()}`
    const folder = this.#folder(id)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    let laid: Awaited<ReturnType<typeof lay>>
    try {
      laid = await lay(join(folder, 'snapshot.db'))
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      throw error
    }
    const record: InstanceRecord = { ...input, ...laid, id, createdAtMs: clock.now(), revision: null, encryptionConfig: '' }
    this.#write(record)
    try {
      await this.#add(record)
    } catch (error) {
      this.#instances.delete(id)
      rmSync(join(directory, folderName(id)), { recursive: true, force: true })
      this.#options.onGone(id)
      this.changes.emit()
      throw new StatusError(failure(422, 'Invalid', `the ${input.kind} did not start: ${error instanceof Error ? error.message : String(error)}`), {
        cause: error,
      })
    }
    return id
  }

  /**
   * Starts an opened backup anew at another revision, or with other keys. When it does not start so, it is as it was.
   * @throws StatusError NotFound, or Invalid with what its process said
   */
  async view(id: string, { revision, encryptionConfig }: Pick<InstanceRecord, 'revision' | 'encryptionConfig'>): Promise<void> {
    const instance = this.#instances.get(id)
    if (instance?.record.kind !== 'snapshot') throw new StatusError(failure(404, 'NotFound', `there is no opened backup ${id}`))
    await instance.cluster.stop()
    try {
      await this.#add({ ...instance.record, revision, encryptionConfig })
      this.#write({ ...instance.record, revision, encryptionConfig })
    } catch (error) {
      await this.#add(instance.record)
      throw new StatusError(failure(422, 'Invalid', error instanceof Error ? error.message : String(error)), { cause: error })
    }
  }

  /** @throws StatusError NotFound, or Conflict while it does not run */
  async setClock(id: string, { timeScale, paused }: { timeScale: number; paused: boolean }, signal: AbortSignal): Promise<void> {
    const instance = this.#instances.get(id)
    if (instance?.record.kind !== 'twin') throw new StatusError(failure(404, 'NotFound', `there is no twin ${id}`))
    const { state } = instance.cluster
    if (state.state !== 'running') throw new StatusError(failure(409, 'Conflict', `${instance.record.name} does not run`))
    const { kubeconfigPath } = state.endpoints
    const [context] = parseKubeconfig(readFileSync(kubeconfigPath, 'utf8'), kubeconfigPath)
    if (context === undefined) throw new StatusError(failure(500, 'InternalError', `${kubeconfigPath} has no context`))
    const transport = new ContextTransport(context, this.#options.clock)
    try {
      await new RestClient(transport).putRaw(`/debug/clock?scale=${String(timeScale)}&paused=${String(paused)}`, signal)
    } finally {
      transport.close()
    }
    instance.paused = paused
    instance.record = { ...instance.record, timeScale }
    this.#write(instance.record)
    this.changes.emit()
  }

  /** @throws StatusError NotFound */
  async discard(id: string): Promise<void> {
    const instance = this.#instances.get(id)
    if (instance === undefined) throw new StatusError(failure(404, 'NotFound', `there is no instance ${id}`))
    this.#instances.delete(id)
    await instance.cluster.stop()
    await rm(this.#folder(id), { recursive: true, force: true })
    this.#options.onGone(id)
    this.changes.emit()
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#instances.values()].map(({ cluster }) => cluster.stop()))
  }

  async #add(record: InstanceRecord): Promise<void> {
    const { command, logger, onState } = this.#options
    const cluster = new EmbeddedCluster({
      dataDir: join(this.#folder(record.id), 'cluster'),
      command,
      args: ['--from-snapshot', record.snapshotPath, ...(record.kind === 'snapshot' ? viewArgs(record) : ['--time-scale', String(record.timeScale)])],
      logger: logger.with({ instance: record.id }),
    })
    const instance: Instance = { record, cluster, sizeBytes: 0, paused: false }
    this.#instances.set(record.id, instance)
    cluster.changes.subscribe(() => {
      if (this.#instances.get(record.id) !== instance) return
      onState(record, cluster)
      this.changes.emit()
    })
    await cluster.start()
    instance.sizeBytes = await sizeOf(this.#folder(record.id))
    this.changes.emit()
  }

  #write(record: InstanceRecord): void {
    const path = join(this.#folder(record.id), 'instance.json')
    writeFileSync(`${path}.part`, `${JSON.stringify(record, null, 2)}\n`)
    renameSync(`${path}.part`, path)
  }

  #folder(id: string): string {
    return join(this.#options.directory, folderName(id))
  }
}

function viewArgs({ revision, encryptionConfig }: Pick<InstanceRecord, 'revision' | 'encryptionConfig'>): string[] {
  return [
    '--read-only',
    ...(revision === null ? [] : ['--revision', String(revision)]),
    ...(encryptionConfig === '' ? [] : ['--encryption-provider-config', encryptionConfig]),
  ]
}

const folderName = (id: string): string => id.replace(':', '-')

async function sizeOf(path: string): Promise<number> {
  const facts = await stat(path).catch(() => null)
  if (facts === null) return 0
  if (!facts.isDirectory()) return facts.size
  const sizes = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))))
  return sizes.reduce((sum, size) => sum + size, 0)
}
