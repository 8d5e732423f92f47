import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '#shared/base/clock.ts'
import { Emitter } from '#shared/base/emitter.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'

/** How a part of the cluster is doing, as `/debug/parts` tells. */
export interface PartState {
  /** `kube-scheduler`, `kubelet node01`. */
  part: string
  state: 'running' | 'waiting' | 'ended'
  /** How often it was started again. */
  restarts: number
  lastFailure: { at: string; error: string } | null
}

export interface SupervisorOptions {
  clock: Clock
  logger: Logger
}

export interface PartFailure {
  part: string
  error: string
  restartInMs: number
}

/** A part that fails is started again after this, then after twice as long, as a kubelet starts containers again. */
const FIRST_BACKOFF_MS = 1_000
const MAX_BACKOFF_MS = 60_000
/** A part that ran so long is taken for mended: its back-off begins anew. */
const HEALTHY_AFTER_MS = 600_000
/** So long a failed part may take to end what it had under way. */
const STOP_MS = 5_000

interface Round {
  fail(error: unknown): void
}

/**
 * Runs the simulated parts of a cluster, each in an asynchronous context of its own, so that an error that nobody awaited can be told to
 * the part it came from. A part that fails is ended, told of and started again; the others and the process go on, as a node
 * outlives a component of it that crashed.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #rounds = new AsyncLocalStorage<Round | undefined>()
  readonly #states = new Map<string, PartState>()
  readonly #failures = new Emitter<PartFailure>()

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** Told of each failure before the part waits to be started again. @returns what ends that */
  onFailure(listener: (failure: PartFailure) => void): () => void {
    return this.#failures.subscribe(listener)
  }

  /** Of every part, in the order in which they were started first. */
  states(): PartState[] {
    return [...this.#states.values()].map((state) => ({ ...state }))
  }

  /** Runs a part until the signal aborts or it ends by itself. `start` is called anew after each failure, with a signal for that run. */
  async run(part: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { clock } = this.#options
    const state: PartState = { part, state: 'running', restarts: 0, lastFailure: null }
    this.#states.set(part, state)
    let backoffMs = FIRST_BACKOFF_MS
    while (!signal.aborted) {
      const startedMs = clock.now()
      state.state = 'running'
      const failure = await this.#round(part, signal, start)
      if (failure === null) break
      if (clock.now() - startedMs >= HEALTHY_AFTER_MS) backoffMs = FIRST_BACKOFF_MS
      state.lastFailure = { at: new Date(clock.now()).toISOString(), error: failure.text }
      state.state = 'waiting'
      this.#tell(part, failure, backoffMs)
      await clock.sleep(backoffMs, { signal }).catch(() => undefined)
      backoffMs = Math.min(2 * backoffMs, MAX_BACKOFF_MS)
      state.restarts++
    }
    state.state = 'ended'
  }

  /** Calls something that is no part, such as the API server that a part asks, outside of the part's context. */
  outside<T>(call: () => T): T {
    return this.#rounds.run(undefined, call)
  }

  /** A transport whose server's errors are not taken for the asking part's. */
  through(inner: Transport): Transport {
    return {
      request: (request) => this.outside(() => inner.request(request)),
      stream: (request) => this.outside(() => inner.stream(request)),
    }
  }

  /** Tells the part in whose context it is called of an error. @returns false outside of every part */
  claim(error: unknown): boolean {
    const round = this.#rounds.getStore()
    round?.fail(error)
    return round !== undefined
  }

  /** @returns what the part failed of; null when it ended or the signal aborted */
  async #round(part: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<void>): Promise<Failure | null> {
    const { clock } = this.#options
    const controller = new AbortController()
    const own = AbortSignal.any([signal, controller.signal])
    let failure: Failure | null = null
    const fail = (error: unknown): void => {
      // What a part leaves behind when it ends fails too, of that end.
      if (own.aborted) return
      failure = failureOf(error)
      controller.abort(new Error(`${part} failed: ${failure.text}`))
    }
    const running = this.#rounds.run({ fail }, async () => {
      try {
        await start(own)
      } catch (error) {
        fail(error)
      }
    })
    await Promise.race([running, new Promise((resolve) => own.addEventListener('abort', resolve, { once: true }))])
    // Who stops the cluster waits for it; who starts a failed part again does not wait for ever.
    if (signal.aborted) await running
    else if (own.aborted) {
      const ended = new AbortController()
      await Promise.race([running, clock.sleep(STOP_MS, { signal: AbortSignal.any([signal, ended.signal]) }).catch(() => undefined)])
      ended.abort()
      if (signal.aborted) await running
    }
    return failure
  }

  #tell(part: string, { text, stack }: Failure, restartInMs: number): void {
    this.#options.logger.error('a part of the cluster failed and is started again', { part, error: text, stack, restartInMs })
    this.#failures.emit({ part, error: text, restartInMs })
  }
}

interface Failure {
  text: string
  stack: string
}

function failureOf(error: unknown): Failure {
  return error instanceof Error ? { text: error.message, stack: error.stack ?? '' } : { text: String(error), stack: '' }
}

/** The part of a process that tells of errors nobody handled. */
interface UnhandledErrors {
  on(event: 'unhandledRejection' | 'uncaughtException', listener: (error: unknown) => void): unknown
  off(event: 'unhandledRejection' | 'uncaughtException', listener: (error: unknown) => void): unknown
}

/**
 * Hands errors that nobody handled to the part they came from. What came from none (the API server, the store) is given to `otherwise`, which
 * ends the process: what is written could not be trusted.
 *
 * @returns what ends it
 */
export function superviseProcess(process: UnhandledErrors, supervisor: Supervisor, otherwise: (error: unknown) => void): () => void {
  const handle = (error: unknown): void => {
    if (!supervisor.claim(error)) otherwise(error)
  }
  process.on('unhandledRejection', handle)
  process.on('uncaughtException', handle)
  return () => {
    process.off('unhandledRejection', handle)
    process.off('uncaughtException', handle)
  }
}
