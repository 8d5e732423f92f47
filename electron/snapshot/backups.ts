import { copyFile, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type {
  Backup,
  BackupProgress,
  DataDirsInput,
  MadeDataDir,
  RestoreProgress,
  SealingInput,
  SnapshotCheck,
  TestRestore,
  UnlockInput,
} from '#shared/contract/backups.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { retentionPlan, type Retention } from '#shared/planning/backups/retention.ts'
import { writeFully } from './bbolt/pageWriter.ts'
import type { Catalogue } from './catalogue.ts'
import { checkSealing, isEncrypted, layersOf, seal, suffixOf, type Sealing, type Unlock } from './envelope/envelope.ts'
import { sealingOf, unlockOf } from './envelope/keys.ts'
import { withPlain } from './envelope/plainFile.ts'
import { verifyFile, type FileVerification } from './envelope/verifyFile.ts'
import { restoreDataDirs } from './dataDir/restoreDataDirs.ts'
import { progressStream } from './progressStream.ts'
import { restoreStore, type RestoreTarget } from './restoreStore.ts'
import { saveSnapshot } from './save.ts'
import { SnapshotError } from './snapshotError.ts'
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
  /** PKI and kubeadm's configuration of a cluster as an archive (tar). @throws Error that says what to do when no node is reached */
  pki(clusterId: string, context: { signal: AbortSignal }): Promise<Uint8Array>
  /** Whether a backup is open as a cluster, which reads its file. */
  isOpen(id: string): boolean
  /** Opens a snapshot, reads it through the API and removes what it made. A snapshot that does not open is an answer. */
  testRestore(
    backup: Pick<Backup, 'path' | 'objectCounts'>,
    context: { signal: AbortSignal; onProgress: (detail: string, ratio: number | null) => void },
  ): Promise<TestRestore>
}

/** What to back up, and on whose behalf. */
export interface SaveInput {
  clusterId: string
  etcd?: EtcdEndpoint | undefined
  /** @default as etcd sends it */
  sealing?: SealingInput | undefined
  /** @default 'manual' */
  origin?: Backup['origin']
  /** Opens it afterwards, while what was unpacked for verifying is still there. @default false */
  thenTest?: boolean
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
          const { sealing, unlock } = await sealingOf(input.sealing)
          await spoken(Promise.resolve().then(() => checkSealing(sealing)))
          if (input.sealing?.pki === true && !isEncrypted(sealing))
            throw new StatusError(failure(422, 'Invalid', 'PKI is saved encrypted only: give a passphrase or recipients'))
          const begun = await this.#begin(input, target)
          const saved = await saveSnapshot({
            etcd: target.etcd,
            path: begun.path,
            clock,
            sealing,
            signal: workSignal,
            onProgress: ({ receivedBytes, totalBytes, bytesPerSecond }) => {
              report({ phase: 'saving', receivedBytes, totalBytes, bytesPerSecond })
            },
          }).catch(async (error: unknown) => {
            await this.#noteInterrupted(begun, error)
            throw error
          })
          logger.info('backup saved', { id: begun.id, bytes: saved.fileSizeBytes })
          const pkiPath = input.sealing?.pki === true ? await this.#savePki(begun, sealing, workSignal) : ''
          const backup: Backup = { ...begun, ...saved, pkiPath, verdict: 'unverified', present: true }
          await catalogue.put(backup)
          return {
            phase: 'done',
            backup: await this.#verify(backup, { unlock, report, signal: workSignal, thenTest: input.thenTest ?? false }),
          }
        } finally {
          await target.close()
        }
      },
      { signal },
    )
  }

  verify({ id, unlock }: Chosen, { signal }: Context): AsyncGenerator<BackupProgress> {
    return progressStream<BackupProgress>(
      async (report, workSignal) => ({
        phase: 'done',
        backup: await this.#verify(await this.#find(id), { unlock: await unlockOf(unlock), report, signal: workSignal, thenTest: false }),
      }),
      { signal },
    )
  }

  testRestore({ id, unlock }: Chosen, { signal }: Context): AsyncGenerator<BackupProgress> {
    return progressStream<BackupProgress>(
      async (report, workSignal) => {
        const backup = await this.#find(id)
        const tested = await this.unpacked(backup, { unlock: await unlockOf(unlock), signal: workSignal }, (path) =>
          this.#test({ ...backup, path }, { report, signal: workSignal }),
        )
        return { phase: 'done', backup: tested }
      },
      { signal },
    )
  }

  /** Gives a backup's snapshot to `use` as a file of pages, unpacked where it is compressed or encrypted. @throws StatusError when it stays locked */
  unpacked<T>({ path }: Pick<Backup, 'path'>, { unlock, signal }: { unlock: Unlock; signal: AbortSignal }, use: (path: string) => Promise<T>): Promise<T> {
    return spoken(withPlain(path, { unlock, signal, directory: this.#options.catalogue.unpackDirectory }, (file) => use(file.path)))
  }

  async restoreDataDirs({ id, unlock, ...input }: Chosen & DataDirsInput, { signal }: Context): Promise<MadeDataDir[]> {
    return this.unpacked(await this.#find(id), { unlock: await unlockOf(unlock), signal }, (path) => restoreDataDirs(path, input, signal))
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

  /** Copies a snapshot file from elsewhere into the catalogue, as it is, if it can be read. @throws StatusError when it is broken or locked */
  async import({ path, unlock }: { path: string; unlock?: UnlockInput | undefined }, { signal }: Context): Promise<Backup> {
    const { catalogue, clock } = this.#options
    const startedMs = clock.now()
    const found = await spoken(verifyFile(path, { unlock: await unlockOf(unlock), directory: catalogue.unpackDirectory, signal }))
    refuseBroken(found.checks, `${path} is no usable snapshot`)
    const id = await catalogue.newId('imported', startedMs)
    const { layers, needs } = await layersOf(path)
    const inner = found.layers
    const target = catalogue.pathOf(id, `${inner.includes('zstd') ? '.zst' : inner.includes('zip') ? '.zip' : ''}${layers.includes('age') ? '.age' : ''}`)
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
      ...EMPTY,
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
      present: true,
      objectCounts,
      encryption: needs === null ? 'none' : needs === 'passphrase' ? 'passphrase' : 'recipients',
      compression: inner.includes('zstd') ? 'zstd' : inner.includes('zip') ? 'zip' : 'none',
      origin: 'manual',
    }
    await catalogue.put(backup)
    return backup
  }

  /** Into the embedded cluster; verified once more before anything is touched. */
  restore({ id, unlock }: Chosen, { signal }: Context): AsyncGenerator<RestoreProgress> {
    return progressStream<RestoreProgress>(
      async (report, workSignal) => {
        const target = this.#options.restoreTarget()
        if (target === null) throw new StatusError(failure(409, 'Conflict', 'there is no embedded cluster running to restore into'))
        if (this.#restoring) throw new StatusError(failure(409, 'Conflict', 'another restore is under way'))
        this.#restoring = true
        try {
          const backup = await this.#find(id)
          report({ phase: 'comparing', detail: 'verifying the snapshot', ratio: 0 })
          return await this.unpacked(backup, { unlock: await unlockOf(unlock), signal: workSignal }, async (path) => {
            const found = await verifySnapshot(path, {
              signal: workSignal,
              onProgress: ({ readBytes, totalBytes }) =>
                report({ phase: 'comparing', detail: 'verifying the snapshot', ratio: totalBytes > 0 ? readBytes / totalBytes : null }),
            })
            refuseBroken(found.checks, 'the snapshot is broken and was not restored')
            return restoreStore(target, { path, clock: this.#options.clock, signal: workSignal, onProgress: report })
          })
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

  /** Before the first byte: whatever ends this process, the catalogue knows that a backup was tried. */
  async #begin(input: SaveInput, target: BackupTarget): Promise<Backup> {
    const { catalogue, clock } = this.#options
    const createdAtMs = clock.now()
    const id = await catalogue.newId(target.clusterName, createdAtMs)
    const sealing = input.sealing ?? { compress: false }
    const begun: Backup = {
      ...EMPTY,
      id,
      clusterName: target.clusterName,
      clusterId: input.clusterId,
      endpoint: target.endpoint,
      path: catalogue.pathOf(id, suffixOf(sealing)),
      createdAtMs,
      encryption: sealing.passphrase !== undefined ? 'passphrase' : isEncrypted(sealing) ? 'recipients' : 'none',
      compression: sealing.compress ? 'zstd' : 'none',
      origin: input.origin ?? 'manual',
    }
    await catalogue.put(begun)
    return begun
  }

  /** Beside the snapshot, sealed as it is. That it fails takes nothing from the snapshot: it is logged, and there is no archive. */
  async #savePki({ id, clusterId, path }: Backup, sealing: Sealing, signal: AbortSignal): Promise<string> {
    const target = join(dirname(path), `${id}.pki.tar${suffixOf(sealing)}`)
    const file = await open(`${target}.part`, 'w', 0o600)
    try {
      const archive = await this.#options.pki(clusterId, { signal })
      let position = 0
      await seal(Readable.from([archive]), sealing, async (bytes) => {
        await writeFully(file, bytes, position)
        position += bytes.length
      })
      await file.sync()
      await file.close()
      await rename(`${target}.part`, target)
      return target
    } catch (error) {
      await file.close().catch(() => undefined)
      await rm(`${target}.part`, { force: true })
      signal.throwIfAborted()
      this.#options.logger.warn('PKI was not saved', { id, problem: error instanceof Error ? error.message : String(error) })
      return ''
    }
  }

  async #verify(
    backup: Backup,
    { unlock, report, signal, thenTest }: { unlock: Unlock; report: (progress: BackupProgress) => void; signal: AbortSignal; thenTest: boolean },
  ): Promise<Backup> {
    const { catalogue, clock } = this.#options
    const onProgress = (progress: { readBytes: number; totalBytes: number }): void => report({ phase: 'verifying', ...progress })
    let tested: Backup | null = null
    const found = await spoken(
      verifyFile(backup.path, { unlock, directory: catalogue.unpackDirectory, signal, onProgress }, async (verification, path) => {
        const verified = verifiedBackup(backup, verification, clock.now())
        await catalogue.put(verified)
        tested = thenTest && verified.verdict === 'good' ? await this.#test({ ...verified, path }, { report, signal }) : verified
      }),
    )
    if (tested !== null) return tested
    const verified = verifiedBackup(backup, found, clock.now())
    await catalogue.put(verified)
    return verified
  }

  /** @param backup its path is where its snapshot lies unpacked */
  async #test({ id, path, objectCounts }: Backup, { report, signal }: { report: (progress: BackupProgress) => void; signal: AbortSignal }): Promise<Backup> {
    const { catalogue, testRestore } = this.#options
    const onProgress = (detail: string, ratio: number | null): void => report({ phase: 'testing', detail, ratio })
    const result = await testRestore({ path, objectCounts }, { signal, onProgress })
    // Read again: it may have been pinned or verified meanwhile.
    const tested = { ...(await this.#find(id)), testRestore: result }
    await catalogue.put(tested)
    return tested
  }
}

interface Chosen {
  id: string
  unlock?: UnlockInput | undefined
}

/** What a backup has before anything is known of it. */
const EMPTY = {
  fileSizeBytes: 0,
  sha256: '',
  durationMs: 0,
  status: null,
  checks: [],
  verifiedAtMs: null,
  verdict: 'saving',
  failure: '',
  present: false,
  objectCounts: {},
  encryption: 'none',
  compression: 'none',
  pkiPath: '',
  pinned: false,
  testRestore: null,
} satisfies Partial<Backup>

function verifiedBackup(backup: Backup, { status, checks, verdict, sha256, fileSizeBytes, objectCounts }: FileVerification, nowMs: number): Backup {
  // Unknown where Drydock ended between renaming the file and noting it.
  const changed = backup.sha256 !== '' && sha256 !== backup.sha256
  const detail = `the file is not the one that was saved: its SHA-256 is ${sha256}, it was ${backup.sha256}`
  return {
    ...backup,
    status,
    checks: changed ? [{ name: 'sha256-trailer', verdict: 'broken', detail }, ...checks] : checks,
    verdict: changed ? 'broken' : verdict,
    fileSizeBytes,
    sha256: changed ? backup.sha256 : sha256,
    verifiedAtMs: nowMs,
    objectCounts,
  }
}

/** @throws StatusError Invalid, with what is broken */
function refuseBroken(checks: readonly SnapshotCheck[], what: string): void {
  const broken = checks.filter((check) => check.verdict === 'broken').map((check) => check.detail)
  if (broken.length > 0) throw new StatusError(failure(422, 'Invalid', `${what}: ${broken.join('; ')}`))
}

/** That a file stays locked is an answer for whoever asked. */
async function spoken<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof SnapshotError && error.code === 'locked') throw new StatusError(failure(403, 'Forbidden', error.message), { cause: error })
    throw error
  }
}
