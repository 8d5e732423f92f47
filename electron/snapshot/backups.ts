import { copyFile, open, rename, rm } from 'node:fs/promises'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Backup, BackupProgress, RestoreProgress, TestRestore } from '#shared/contract/backups.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { retentionPlan, type Retention } from '#shared/planning/backups/retention.ts'
import type { Catalogue } from './catalogue.ts'
import { progressStream } from './progressStream.ts'
import { restoreStore, type RestoreTarget } from './restoreStore.ts'
import { saveSnapshot } from './save.ts'
import { verifySnapshot } from './verify.ts'

/** How the etcd of one cluster is reached, as the page gives it. */
export interface EtcdEndpoint {
  endpoint: string
  caFile?: string | undefined
  certFile?: string | undefined
  keyFile?: string | undefined
}

/** An etcd to back up. `close` lets go of the connection, not of the etcd. */
export interface BackupTarget {
  etcd: Pick<EtcdClient, 'snapshot'>
  clusterName: string
  endpoint: string
  close(): Promise<void>
}

export interface BackupsOptions {
  catalogue: Catalogue
  clock: Clock
  logger: Logger
  /** @throws StatusError when the cluster or its etcd is not known */
  connect(request: { clusterId: string; etcd?: EtcdEndpoint | undefined }, context: { signal: AbortSignal }): Promise<BackupTarget>
  /** The embedded cluster, once it runs; null without one. */
  restoreTarget(): RestoreTarget | null
  /** Whether a backup is open as a cluster, which reads its file. */
  isOpen(id: string): boolean
  /** Opens a snapshot, reads it through the API and removes what it made. A snapshot that does not open is an answer. */
  testRestore(backup: Backup, context: { signal: AbortSignal; onProgress: (detail: string, ratio: number | null) => void }): Promise<TestRestore>
}

/** What to back up, and on whose behalf. */
export interface SaveInput {
  clusterId: string
  etcd?: EtcdEndpoint | undefined
  /** @default 'manual' */
  origin?: Backup['origin']
}

interface Context {
  signal: AbortSignal
}

/** Backups as the app uses them: taken, verified, listed, restored. One restore at a time. */
export class Backups {
  readonly #options: BackupsOptions
  #restoring = false

  constructor(options: BackupsOptions) {
    this.#options = options
  }

  /** The whole list now and after each change, until the signal aborts. */
  async *watch({ signal }: Context): AsyncGenerator<Backup[]> {
    const { catalogue } = this.#options
    let changed = true
    let wake: () => void = () => undefined
    const note = (): void => {
      changed = true
      wake()
    }
    const unsubscribe = catalogue.onChange(note)
    signal.addEventListener('abort', note, { once: true })
    try {
      while (!signal.aborted) {
        if (changed) {
          changed = false
          yield await catalogue.list()
        } else
          await new Promise<void>((resolve) => {
            wake = resolve
          })
      }
    } finally {
      unsubscribe()
      signal.removeEventListener('abort', note)
    }
  }

  /** Saves, enters the file in the catalogue, then verifies it by reading it back. */
  save(input: SaveInput, { signal }: Context): AsyncGenerator<BackupProgress> {
    return progressStream<BackupProgress>(
      async (report, workSignal) => {
        const { catalogue, clock, logger } = this.#options
        const target = await this.#options.connect(input, { signal: workSignal })
        try {
          const createdAtMs = clock.now()
          const id = await catalogue.newId(target.clusterName, createdAtMs)
          const begun: Backup = {
            id,
            clusterName: target.clusterName,
            clusterId: input.clusterId,
            endpoint: target.endpoint,
            path: catalogue.pathOf(id),
            fileSizeBytes: 0,
            sha256: '',
            createdAtMs,
            durationMs: 0,
            status: null,
            checks: [],
            verifiedAtMs: null,
            verdict: 'saving',
            failure: '',
            present: false,
            objectCounts: {},
            pinned: false,
            origin: input.origin ?? 'manual',
            testRestore: null,
          }
          // Before the first byte: whatever ends this process, the catalogue knows that a backup was tried.
          await catalogue.put(begun)
          const saved = await saveSnapshot({
            etcd: target.etcd,
            path: begun.path,
            clock,
            signal: workSignal,
            onProgress: ({ receivedBytes, totalBytes, bytesPerSecond }) => {
              report({ phase: 'saving', receivedBytes, totalBytes, bytesPerSecond })
            },
          }).catch(async (error: unknown) => {
            await this.#noteInterrupted(begun, error)
            throw error
          })
          logger.info('backup saved', { id, bytes: saved.fileSizeBytes })
          const backup: Backup = { ...begun, ...saved, verdict: 'unverified', present: true }
          await catalogue.put(backup)
          return { phase: 'done', backup: await this.#verify(backup, report, workSignal) }
        } finally {
          await target.close()
        }
      },
      { signal },
    )
  }

  verify({ id }: { id: string }, { signal }: Context): AsyncGenerator<BackupProgress> {
    return progressStream<BackupProgress>(
      async (report, workSignal) => ({ phase: 'done', backup: await this.#verify(await this.#find(id), report, workSignal) }),
      { signal },
    )
  }

  testRestore({ id }: { id: string }, { signal }: Context): AsyncGenerator<BackupProgress> {
    return progressStream<BackupProgress>(
      async (report, workSignal) => {
        const { catalogue, testRestore } = this.#options
        const backup = await this.#find(id)
        const result = await testRestore(backup, { signal: workSignal, onProgress: (detail, ratio) => report({ phase: 'testing', detail, ratio }) })
        // Read again: it may have been pinned or verified meanwhile.
        const tested = { ...(await this.#find(id)), testRestore: result }
        await catalogue.put(tested)
        return { phase: 'done', backup: tested }
      },
      { signal },
    )
  }

  async pin({ id, pinned }: { id: string; pinned: boolean }): Promise<null> {
    await this.#options.catalogue.put({ ...(await this.#find(id)), pinned })
    return null
  }

  /** Removes what a schedule's retention lets go of one cluster. @returns the ids removed */
  async retain({ clusterId, retention, timeZone }: { clusterId: string; retention: Retention; timeZone: string }): Promise<string[]> {
    const { catalogue, logger, isOpen } = this.#options
    const own = (await catalogue.list()).filter((each) => each.clusterId === clusterId)
    const removed: string[] = []
    for (const { id, keep } of retentionPlan(own, retention, timeZone)) {
      const backup = own.find((each) => each.id === id)
      if (keep || backup === undefined || isOpen(id)) continue
      await catalogue.delete(backup)
      logger.info('backup removed by retention', { id })
      removed.push(id)
    }
    return removed
  }

  async delete({ id }: { id: string }): Promise<null> {
    const backup = await this.#find(id)
    if (this.#options.isOpen(id)) throw new StatusError(failure(409, 'Conflict', 'the backup is open as a cluster: discard that first'))
    await this.#options.catalogue.delete(backup)
    return null
  }

  /** Copies a snapshot file from elsewhere into the catalogue, if it can be read. @throws StatusError when it is broken */
  async import({ path }: { path: string }, { signal }: Context): Promise<Backup> {
    const { catalogue, clock } = this.#options
    const startedMs = clock.now()
    const found = await verifySnapshot(path, { signal })
    if (found.verdict === 'broken')
      throw new StatusError(
        failure(
          422,
          'Invalid',
          `${path} is no usable snapshot: ${found.checks
            .filter((check) => check.verdict === 'broken')
            .map((check) => check.detail)
            .join('; ')}`,
        ),
      )
    const id = await catalogue.newId('imported', startedMs)
    const target = catalogue.pathOf(id)
    try {
      await copyFile(path, `${target}.part`)
      const file = await open(`${target}.part`, 'r+')
      await file.chmod(0o600)
      await file.sync().finally(() => file.close())
      await rename(`${target}.part`, target)
    } catch (error) {
      await rm(`${target}.part`, { force: true })
      throw error
    }
    const { verdict, status, checks, sha256, fileSizeBytes, objectCounts } = found
    const backup: Backup = {
      id,
      clusterName: 'imported',
      clusterId: '',
      endpoint: path,
      path: target,
      fileSizeBytes,
      sha256,
      createdAtMs: startedMs,
      durationMs: clock.now() - startedMs,
      status,
      checks,
      verifiedAtMs: clock.now(),
      verdict,
      failure: '',
      present: true,
      objectCounts,
      pinned: false,
      origin: 'manual',
      testRestore: null,
    }
    await catalogue.put(backup)
    return backup
  }

  /** Into the embedded cluster; verified once more before anything is touched. */
  restore({ id }: { id: string }, { signal }: Context): AsyncGenerator<RestoreProgress> {
    return progressStream<RestoreProgress>(
      async (report, workSignal) => {
        const target = this.#options.restoreTarget()
        if (target === null) throw new StatusError(failure(409, 'Conflict', 'there is no embedded cluster running to restore into'))
        if (this.#restoring) throw new StatusError(failure(409, 'Conflict', 'another restore is under way'))
        this.#restoring = true
        try {
          const backup = await this.#find(id)
          report({ phase: 'comparing', detail: 'verifying the snapshot', ratio: 0 })
          const found = await verifySnapshot(backup.path, {
            signal: workSignal,
            onProgress: ({ readBytes, totalBytes }) =>
              report({ phase: 'comparing', detail: 'verifying the snapshot', ratio: totalBytes > 0 ? readBytes / totalBytes : null }),
          })
          if (found.verdict === 'broken')
            throw new StatusError(
              failure(
                422,
                'Invalid',
                `the snapshot is broken and was not restored: ${found.checks
                  .filter((check) => check.verdict === 'broken')
                  .map((check) => check.detail)
                  .join('; ')}`,
              ),
            )
          return await restoreStore(target, { path: backup.path, clock: this.#options.clock, signal: workSignal, onProgress: report })
        } finally {
          this.#restoring = false
        }
      },
      { signal },
    )
  }

  async #find(id: string): Promise<Backup> {
    const backup = await this.#options.catalogue.get(id)
    if (backup === null) throw new StatusError(failure(404, 'NotFound', `there is no backup ${id}`))
    return backup
  }

  /** Says so in the catalogue; that this cannot be written either (a full disk) does not hide the first failure. */
  async #noteInterrupted(begun: Backup, error: unknown): Promise<void> {
    const { catalogue, clock, logger } = this.#options
    const failure = error instanceof Error ? (error.name === 'AbortError' ? 'it was cancelled; nothing was kept' : error.message) : String(error)
    await catalogue.put({ ...begun, verdict: 'interrupted', failure, durationMs: clock.now() - begun.createdAtMs }).catch((problem: unknown) => {
      logger.warn('an interrupted backup could not be noted', { id: begun.id, problem: (problem as Error).message })
    })
  }

  async #verify(backup: Backup, report: (progress: BackupProgress) => void, signal: AbortSignal): Promise<Backup> {
    const { catalogue, clock } = this.#options
    const { status, checks, verdict, sha256, fileSizeBytes, objectCounts } = await verifySnapshot(backup.path, {
      signal,
      onProgress: (progress) => report({ phase: 'verifying', ...progress }),
    })
    // Unknown where Drydock ended between renaming the file and noting it.
    const changed = backup.sha256 !== '' && sha256 !== backup.sha256
    const verified: Backup = {
      ...backup,
      status,
      checks: changed
        ? [
            { name: 'sha256-trailer', verdict: 'broken', detail: `the file is not the one that was saved: its SHA-256 is ${sha256}, it was ${backup.sha256}` },
            ...checks,
          ]
        : checks,
      verdict: changed ? 'broken' : verdict,
      fileSizeBytes,
      sha256: changed ? backup.sha256 : sha256,
      verifiedAtMs: clock.now(),
      objectCounts,
    }
    await catalogue.put(verified)
    return verified
  }
}
