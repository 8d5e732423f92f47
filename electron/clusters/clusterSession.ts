import type { Clock } from '#shared/base/clock.ts'
import { Emitter } from '#shared/base/emitter.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { ConnectionState } from '#shared/contract/clusters.ts'
import type { ResourceName } from '#shared/contract/table.ts'
import { isNotFound, StatusError } from '#shared/kubernetes/status.ts'
import type { Transport, UserInfo } from '#shared/kubernetes/transport.ts'
import type { RowContext } from '#shared/resources/columns.ts'
import { listAt, textAt } from '#shared/resources/fields.ts'
import { resourceColumns } from '#shared/resources/registry.ts'
import { requestJson } from '#electron/client/apiRequest.ts'
import { Backoff } from './backoff.ts'
import { NodeTotalsIndex } from './nodeTotals.ts'
import { ResourceFeed } from './resourceFeed.ts'

/** Time between two looks at /version: how soon an idle cluster's loss is noticed. */
const PROBE_MS = 10_000
/** Longest a probe may take before the cluster counts as unreachable. */
const PROBE_TIMEOUT_MS = 8000
/** How long a feed lives on after its last subscriber: going back to a page should not list again. */
const FEED_LINGER_MS = 60_000

export interface ClusterSessionOptions {
  transport: Transport
  /** Who the credentials themselves say we are, asked when the server cannot tell. */
  credentialUser: () => UserInfo | null
  clock: Clock
  random: Random
  logger: Logger
}

interface RunningFeed {
  feed: ResourceFeed
  users: number
  stop: AbortController
  /** Cancels the linger timer. */
  cancelLinger: () => void
  ended: Promise<void>
}

/** An open cluster: its connection's state, its version, who we are there, and the feeds that pages look at. */
export class ClusterSession {
  readonly transport: Transport
  readonly changes = new Emitter<void>()
  readonly #options: ClusterSessionOptions
  readonly #feeds = new Map<string, RunningFeed>()
  readonly #backoff: Backoff
  readonly #totals = new NodeTotalsIndex()
  readonly #usage = new Map<string, { cpuCores: number; memoryBytes: number }>()
  #connection: ConnectionState = { state: 'connecting' }
  #version: string | null = null
  #user: UserInfo | null = null

  constructor(options: ClusterSessionOptions) {
    this.#options = options
    this.transport = options.transport
    this.#backoff = new Backoff({ clock: options.clock, random: options.random })
  }

  get connection(): ConnectionState {
    return this.#connection
  }

  get version(): string | null {
    return this.#version
  }

  get user(): UserInfo | null {
    return this.#user
  }

  /** Tries at once what waits for its next attempt. */
  retry(): void {
    this.#backoff.wake()
    for (const { feed } of this.#feeds.values()) feed.retry()
  }

  /** Keeps the connection's state until the signal aborts, then ends every feed. */
  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    while (!signal.aborted) {
      try {
        const probe = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)])
        const version = await requestJson<{ gitVersion?: string }>(this.transport, { method: 'GET', path: '/version', signal: probe })
        this.#version = version.gitVersion ?? null
        this.#user ??= await this.#whoAmI(probe)
        const wasDown = this.#connection.state !== 'live'
        this.#set({ state: 'live', freshAtMs: this.#options.clock.now() })
        this.#backoff.reset()
        if (wasDown) for (const { feed } of this.#feeds.values()) feed.retry()
        await this.#backoff.wait(PROBE_MS, { signal })
      } catch (error) {
        if (signal.aborted) break
        await this.#failed(error, signal)
      }
    }
    await Promise.all(
      [...this.#feeds.values()].map(({ stop, ended, cancelLinger }) => {
        cancelLinger()
        stop.abort()
        return ended
      }),
    )
    this.#feeds.clear()
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    const delayMs = this.#backoff.next()
    const retryAtMs = this.#options.clock.now() + delayMs
    const message = isTimeout(error) ? `no answer within ${String(PROBE_TIMEOUT_MS / 1000)} s` : error instanceof Error ? error.message : String(error)
    const before = this.#connection
    if (error instanceof StatusError && (error.code === 401 || error.code === 403)) this.#set({ state: 'denied', message })
    else if (before.state === 'live' || before.state === 'stale') this.#set({ state: 'stale', freshAtMs: before.freshAtMs, message, retryAtMs })
    else this.#set({ state: 'unreachable', message, retryAtMs })
    await this.#backoff.wait(delayMs, { signal })
  }

  #set(connection: ConnectionState): void {
    this.#connection = connection
    this.changes.emit()
  }

  /** Asks the server, in the versions it may know; older servers than 1.26 cannot tell, then the credentials are asked. */
  async #whoAmI(signal: AbortSignal): Promise<UserInfo | null> {
    for (const version of ['v1', 'v1beta1']) {
      try {
        const body = JSON.stringify({ apiVersion: `authentication.k8s.io/${version}`, kind: 'SelfSubjectReview' })
        const review = await requestJson(this.transport, {
          method: 'POST',
          path: `/apis/authentication.k8s.io/${version}/selfsubjectreviews`,
          headers: { 'content-type': 'application/json' },
          body,
          signal,
        })
        const username = textAt(review, 'status', 'userInfo', 'username')
        if (username !== '') return { username, groups: listAt(review, 'status', 'userInfo', 'groups').map(String) }
      } catch (error) {
        if (!(error instanceof StatusError) || (!isNotFound(error) && error.code !== 403 && error.code !== 405)) throw error
      }
    }
    return this.#options.credentialUser()
  }

  /** Usage as a metrics source last said, by `namespace/name` for pods and name for nodes; feeds show it at once. */
  setUsage(usage: ReadonlyMap<string, { cpuCores: number; memoryBytes: number }>): void {
    this.#usage.clear()
    for (const [key, value] of usage) this.#usage.set(key, value)
    for (const [id, { feed }] of this.#feeds) if (id.startsWith('pods/') || id.startsWith('nodes/')) feed.refresh()
  }

  #context(resource: ResourceName, key: string): RowContext {
    const usage = resource === 'pods' || resource === 'nodes' ? (this.#usage.get(key) ?? null) : null
    return { usage, nodeTotals: resource === 'nodes' ? this.#totals.of(key) : null }
  }

  /**
   * The feed of a resource, started when nobody uses it yet. The nodes' feed brings the pods' feed along, which it sums over.
   * The returned `release` must be called once.
   */
  acquire(resource: ResourceName, namespace: string): { feed: ResourceFeed; release: () => void } {
    const id = `${resource}/${namespace}`
    let running = this.#feeds.get(id)
    if (running === undefined) {
      running = this.#start(resource, namespace)
      this.#feeds.set(id, running)
    }
    const kept = running
    kept.users++
    kept.cancelLinger()
    const pods = resource === 'nodes' ? this.acquire('pods', '') : null
    return {
      feed: kept.feed,
      release: () => {
        pods?.release()
        kept.users--
        // A page that goes away with the session releases its feeds after they have ended; a timer would hold the whole program for a minute.
        if (kept.users > 0 || this.#feeds.get(id) !== kept) return
        kept.cancelLinger = this.#options.clock.schedule(FEED_LINGER_MS, () => {
          this.#feeds.delete(id)
          kept.stop.abort()
        })
      },
    }
  }

  #start(resource: ResourceName, namespace: string): RunningFeed {
    const stop = new AbortController()
    const sums = resource === 'pods' && namespace === ''
    if (sums) this.#totals.clear()
    const feed = new ResourceFeed({
      ...this.#options,
      definition: resourceColumns(resource),
      namespace,
      context: (key) => this.#context(resource, key),
      ...(sums
        ? {
            onObject: (key, pod) => {
              this.#feeds.get('nodes/')?.feed.refresh(this.#totals.set(key, pod))
            },
          }
        : {}),
    })
    return { feed, users: 0, stop, cancelLinger: () => undefined, ended: feed.run({ signal: stop.signal }) }
  }
}

/** A request under way that is ended for it says so only as its cause. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && (error.name === 'TimeoutError' || (error.name === 'AbortError' && isTimeout(error.cause)))
}
