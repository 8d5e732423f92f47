import type { EtcdError } from '#shared/etcd/rpc.ts'
import type { StoreDatabase } from './database.ts'
import { notWritten } from './errors.ts'

export interface GroupCommitOptions {
  database: Pick<StoreDatabase, 'begin' | 'commit' | 'sync'>
  /** The revision that is reached with all that was written so far. */
  revision: () => number
  /** Everything up to a revision is on disk. Called before whoever waits for it goes on. */
  onDurable: (revision: number) => void
  /** A commit failed: nothing of it is in the database, and memory must forget it too. */
  onUndone: (error: unknown) => void
}

/** Work that shares a transaction. */
interface Batch {
  durable: Promise<void>
  resolve: () => void
  reject: (error: Error) => void
}

/**
 * One transaction for all that is written while the one before goes to disk, so that a slow disk makes batches larger and not
 * every write slower. The event loop has its turns meanwhile.
 *
 *   write a     -> begin, a; end of the turn: commit, sync ...
 *   write b, c  -> begin, b, c                            (a's sync goes on)
 *   a is synced -> a's writers are answered; commit of b and c, sync ...
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  /** Being filled. */
  #open: Batch | null = null
  /** Committed, on its way to disk. */
  #syncing: Batch | null = null
  #failed: EtcdError | null = null
  /** Why what is being filled must be undone whatever the commit would say. */
  #spoiled: { error: unknown } | null = null

  constructor(options: GroupCommitOptions) {
    this.#options = options
  }

  /** Begins a transaction unless one is being filled. @throws EtcdError Unavailable after a disk has failed */
  begin(): void {
    if (this.#failed !== null) throw this.#failed
    if (this.#open !== null) return
    this.#options.database.begin()
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    // Whoever wrote awaits it; nobody else must.
    promise.catch(() => undefined)
    this.#open = {
      durable: promise,
      resolve: () => {
        resolve(undefined)
      },
      reject,
    }
    if (this.#syncing === null)
      setImmediate(() => {
        this.#commit()
      })
  }

  /** Resolves when all that was written so far, which is what can be read, is on disk. @throws EtcdError Unavailable */
  settled(): Promise<void> {
    if (this.#failed !== null) return Promise.reject(this.#failed)
    return (this.#open ?? this.#syncing)?.durable ?? Promise.resolve()
  }

  /** Does something when nothing is being written, whatever came of it. */
  async whenIdle(work: () => void): Promise<void> {
    for (;;) {
      const batch = this.#open ?? this.#syncing
      if (batch === null) break
      await batch.durable.catch(() => undefined)
    }
    work()
  }

  /** What is being filled stands half in memory: it is undone, and whoever waits for it is told why. */
  spoil(error: unknown): void {
    this.#spoiled = { error }
  }

  #commit(): void {
    const batch = this.#open
    if (batch === null || this.#syncing !== null) return
    this.#open = null
    const { database, revision, onDurable, onUndone } = this.#options
    const spoiled = this.#spoiled
    this.#spoiled = null
    try {
      if (spoiled !== null) throw spoiled.error
      database.commit()
    } catch (error) {
      onUndone(error)
      batch.reject(notWritten(error))
      return
    }
    this.#syncing = batch
    const reached = revision()
    database.sync().then(
      () => {
        this.#syncing = null
        // First, so that the disk goes on while those who waited are answered.
        this.#commit()
        onDurable(reached)
        batch.resolve()
      },
      (error: unknown) => {
        this.#fail(batch, notWritten(error))
      },
    )
  }

  /** What a disk could not write may be lost or not, which only reading it anew can tell: nothing more is promised until then. */
  #fail(batch: Batch, error: EtcdError): void {
    this.#failed = error
    this.#syncing = null
    const open = this.#open
    this.#open = null
    this.#options.onUndone(error)
    batch.reject(error)
    open?.reject(error)
  }
}
