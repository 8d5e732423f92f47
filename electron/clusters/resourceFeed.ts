import type { Clock } from '#shared/base/clock.ts'
import { Emitter } from '#shared/base/emitter.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { ConnectionState } from '#shared/contract/clusters.ts'
import { encodePackedTable } from '#shared/contract/packedTable.ts'
import type { TableMessage } from '#shared/contract/table.ts'
import { resourcePath, type KubeList, type KubeObject } from '#shared/kubernetes/object.ts'
import { isForbidden, isGone, StatusError } from '#shared/kubernetes/status.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import type { ResourceColumns, RowContext } from '#shared/resources/columns.ts'
import { requestJson, watchEvents } from '#electron/client/apiRequest.ts'
import { Backoff } from './backoff.ts'
import { RowStore, rowKey } from './rowStore.ts'

/** Objects per list page: client-go's default, small enough that parsing one page does not hold up the process. */
const PAGE_SIZE = 500
/** Least time between two messages to one subscriber. */
export const BATCH_MS = 100
/** A watch asks the server to end it after 5 to 10 minutes, so that watches spread over API servers again. */
const WATCH_SECONDS = { least: 300, spread: 300 }

export interface ResourceFeedOptions {
  transport: Transport
  definition: ResourceColumns
  /** '' = all namespaces. */
  namespace: string
  /** The context of a row; asked anew on `refresh`. */
  context: (key: string) => RowContext
  /** Sees each object as it comes and goes (null), for those who sum over them. */
  onObject?: (key: string, object: KubeObject | null) => void
  clock: Clock
  random: Random
  logger: Logger
}

/** What one subscriber has not been told yet. Bounded by the number of rows, however slow it is. */
interface Pending {
  snapshot: boolean
  connection: boolean
  upserted: Set<string>
  removed: Set<string>
  wake: () => void
}

/** One resource of one cluster, kept current by list and watch, given to any number of subscribers as a snapshot and batched deltas. */
export class ResourceFeed {
  readonly #options: ResourceFeedOptions
  readonly #rows: RowStore
  readonly #subscribers = new Set<Pending>()
  readonly #backoff: Backoff
  readonly changes = new Emitter<ConnectionState>()
  #synced = false
  #resourceVersion = ''
  #connection: ConnectionState = { state: 'connecting' }

  constructor(options: ResourceFeedOptions) {
    this.#options = options
    this.#rows = new RowStore(options.definition)
    this.#backoff = new Backoff({ clock: options.clock, random: options.random })
  }

  get connection(): ConnectionState {
    return this.#connection
  }

  get rows(): RowStore {
    return this.#rows
  }

  /** Whether the first list is complete. */
  get synced(): boolean {
    return this.#synced
  }

  /** Ends a wait between attempts. */
  retry(): void {
    this.#backoff.wake()
  }

  /** Lists and watches until the signal aborts; settles after its loops ended. */
  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#list(signal)
        this.#backoff.reset()
        for (;;) await this.#watch(signal)
      } catch (error) {
        if (signal.aborted) return
        if (isGone(error)) continue
        this.#options.logger.warn('feed interrupted', { resource: this.#options.definition.resource, error: (error as Error).message })
        const delayMs = this.#backoff.next()
        this.#setConnection(this.#failureState(error, this.#options.clock.now() + delayMs))
        await this.#backoff.wait(delayMs, { signal })
      }
    }
  }

  #failureState(error: unknown, retryAtMs: number): ConnectionState {
    const message = error instanceof Error ? error.message : String(error)
    if (isForbidden(error) || (error instanceof StatusError && error.code === 401)) return { state: 'denied', message }
    const freshAtMs = this.#connection.state === 'live' || this.#connection.state === 'stale' ? this.#connection.freshAtMs : null
    return freshAtMs === null ? { state: 'unreachable', message, retryAtMs } : { state: 'stale', freshAtMs, message, retryAtMs }
  }

  #setConnection(connection: ConnectionState): void {
    const changed = JSON.stringify({ ...connection, freshAtMs: 0 }) !== JSON.stringify({ ...this.#connection, freshAtMs: 0 })
    this.#connection = connection
    this.changes.emit(connection)
    if (!changed) return
    for (const pending of this.#subscribers) {
      pending.connection = true
      pending.wake()
    }
  }

  #path(query: Record<string, string>): string {
    const { group, version, resource } = this.#options.definition
    return `${resourcePath({ group, version, resource }, { namespace: this.#options.namespace })}?${new URLSearchParams(query).toString()}`
  }

  async #list(signal: AbortSignal): Promise<void> {
    const seen = new Set<string>()
    let next = ''
    let version = ''
    do {
      const query: Record<string, string> = { limit: String(PAGE_SIZE), ...(next === '' ? {} : { continue: next }) }
      const page = await requestJson<KubeList>(this.#options.transport, { method: 'GET', path: this.#path(query), signal })
      for (const object of page.items) {
        const key = rowKey(object)
        seen.add(key)
        this.#upsert(key, object)
      }
      next = page.metadata.continue ?? ''
      version = page.metadata.resourceVersion ?? version
    } while (next !== '')
    for (const key of [...this.#rows.keys()]) if (!seen.has(key)) this.#remove(key)
    this.#resourceVersion = version
    this.#synced = true
    this.#setConnection({ state: 'live', freshAtMs: this.#options.clock.now() })
    for (const pending of this.#subscribers) pending.wake()
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const seconds = WATCH_SECONDS.least + this.#options.random.below(WATCH_SECONDS.spread)
    const path = this.#path({ watch: 'true', resourceVersion: this.#resourceVersion, allowWatchBookmarks: 'true', timeoutSeconds: String(seconds) })
    const startedAtMs = this.#options.clock.now()
    for await (const { type, object } of watchEvents(this.#options.transport, { method: 'GET', path, signal })) {
      this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion
      if (type === 'DELETED') this.#remove(rowKey(object))
      else if (type !== 'BOOKMARK') this.#upsert(rowKey(object), object)
      this.#setConnection({ state: 'live', freshAtMs: this.#options.clock.now() })
    }
    // A server that ends watches at once must not be asked in a tight loop.
    if (this.#options.clock.now() - startedAtMs < 1000) await this.#options.clock.sleep(1000, { signal })
  }

  #upsert(key: string, object: KubeObject): void {
    this.#options.onObject?.(key, object)
    if (this.#rows.set(key, object, this.#options.context(key))) this.#mark(key)
  }

  #mark(key: string): void {
    for (const pending of this.#subscribers) {
      pending.removed.delete(key)
      pending.upserted.add(key)
      pending.wake()
    }
  }

  #remove(key: string): void {
    this.#options.onObject?.(key, null)
    if (!this.#rows.delete(key)) return
    for (const pending of this.#subscribers) {
      pending.upserted.delete(key)
      pending.removed.add(key)
      pending.wake()
    }
  }

  /** The context of rows has changed; without keys, of all. */
  refresh(keys: Iterable<string> = [...this.#rows.keys()]): void {
    for (const key of keys) if (this.#rows.refresh(key, this.#options.context(key))) this.#mark(key)
  }

  /** Messages for one subscriber until the signal aborts. The next one is made only when it is asked for. */
  async *subscribe({ signal }: { signal: AbortSignal }): AsyncIterable<TableMessage> {
    let wake: () => void = () => undefined
    const pending: Pending = {
      snapshot: true,
      connection: true,
      upserted: new Set(),
      removed: new Set(),
      wake: () => {
        wake()
      },
    }
    this.#subscribers.add(pending)
    signal.addEventListener('abort', pending.wake, { once: true })
    try {
      while (!signal.aborted) {
        const message = this.#take(pending)
        if (message === null) {
          await new Promise<void>((resolve) => {
            wake = resolve
            if (signal.aborted) resolve()
          })
          continue
        }
        yield message
        if (message.type !== 'connection') await this.#options.clock.sleep(BATCH_MS, { signal }).catch(() => undefined)
      }
    } finally {
      signal.removeEventListener('abort', pending.wake)
      this.#subscribers.delete(pending)
    }
  }

  #take(pending: Pending): TableMessage | null {
    if (pending.connection) {
      pending.connection = false
      return { type: 'connection', connection: this.#connection }
    }
    if (!this.#synced) return null
    // A subscriber that has most of the rows to catch up with is better served by all of them.
    if (pending.snapshot || pending.upserted.size > Math.max(1000, this.#rows.size / 2)) {
      pending.snapshot = false
      pending.upserted.clear()
      pending.removed.clear()
      return { type: 'snapshot', packed: encodePackedTable(this.#rows.table()), resourceVersion: this.#resourceVersion }
    }
    if (pending.upserted.size === 0 && pending.removed.size === 0) return null
    const message: TableMessage = { type: 'delta', upserted: encodePackedTable(this.#rows.table(pending.upserted)), removed: [...pending.removed] }
    pending.upserted.clear()
    pending.removed.clear()
    return message
  }
}
