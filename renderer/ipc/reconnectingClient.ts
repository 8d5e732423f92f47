import type { Clock } from '#shared/base/clock.ts'
import type { ContractClient, InputOf, MessageOf, OutputOf, RequestName, SubscriptionName } from '#shared/contract/contract.ts'
import type { ClientFrame, ServerFrame } from '#shared/contract/wire.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { Line, OpenLine } from './line.ts'

/** First wait before a new attempt; doubles up to the longest. */
const FIRST_RETRY_MS = 300
const LONGEST_RETRY_MS = 10_000

interface PendingRequest {
  frame: ClientFrame
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

interface Subscription {
  name: string
  input: unknown
  onMessage: (message: unknown) => void
  onEnd: (error: Error | null) => void
}

/**
 * The contract over a line that may break. Subscriptions are made again on the next line, so their first message after a break is
 * a fresh snapshot. Requests are not sent again, since nobody knows whether they were carried out: they fail with
 * ServiceUnavailable. Only requests made before the first line opened wait for it.
 */
export class ReconnectingClient implements ContractClient {
  readonly #open: OpenLine
  readonly #clock: Clock
  readonly #random: () => number
  readonly #requests = new Map<number, PendingRequest>()
  readonly #subscriptions = new Map<number, Subscription>()
  readonly #signedIn: () => Promise<boolean>
  readonly #listeners = new Set<(connected: boolean) => void>()
  readonly #refusals = new Set<(refused: boolean) => void>()
  #line: Line | null = null
  #connected = false
  #everConnected = false
  #attempts = 0
  #nextId = 1
  #cancelRetry: (() => void) | null = null
  #stopped = false

  /**
   * @param random 0 to 1; spreads the attempts of many pages
   * @param signedIn asked after a line could not be opened; attempts go on either way
   */
  constructor(config: { open: OpenLine; clock: Clock; random: () => number; signedIn?: () => Promise<boolean> }) {
    this.#open = config.open
    this.#clock = config.clock
    this.#random = config.random
    this.#signedIn = config.signedIn ?? (() => Promise.resolve(true))
  }

  start(): void {
    if (this.#line !== null || this.#stopped) return
    this.#line = this.#open({
      onOpen: () => {
        this.#opened()
      },
      onFrame: (frame) => {
        this.#receive(frame)
      },
      onClose: (message) => {
        this.#closed(message)
      },
    })
  }

  stop(): void {
    this.#stopped = true
    this.#cancelRetry?.()
    this.#line?.close()
  }

  invoke<N extends RequestName>(name: N, input: InputOf<N>, options: { signal?: AbortSignal } = {}): Promise<OutputOf<N>> {
    return new Promise<OutputOf<N>>((resolve, reject) => {
      const { signal } = options
      if (signal?.aborted === true) {
        reject(signal.reason as Error)
        return
      }
      if (this.#everConnected && !this.#connected) {
        reject(new StatusError(failure(503, 'ServiceUnavailable', 'Drydock is not connected to its main process')))
        return
      }
      const id = this.#nextId++
      const frame: ClientFrame = { t: 'invoke', id, name, input }
      const onAbort = (): void => {
        this.#requests.delete(id)
        this.#send({ t: 'cancel', id })
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#requests.set(id, {
        frame,
        resolve: (value) => {
          signal?.removeEventListener('abort', onAbort)
          resolve(value as OutputOf<N>)
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort)
          reject(error as Error)
        },
      })
      this.#send(frame)
    })
  }

  subscribe<N extends SubscriptionName>(
    name: N,
    input: InputOf<N>,
    listener: { onMessage: (message: MessageOf<N>) => void; onEnd: (error: Error | null) => void },
  ): () => void {
    const subscription: Subscription = { name, input, onMessage: listener.onMessage as (message: unknown) => void, onEnd: listener.onEnd }
    this.#begin(subscription)
    return () => {
      for (const [id, each] of this.#subscriptions) {
        if (each !== subscription) continue
        this.#subscriptions.delete(id)
        this.#send({ t: 'cancel', id })
      }
    }
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener)
    listener(this.#connected)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  onRefusal(listener: (refused: boolean) => void): () => void {
    this.#refusals.add(listener)
    return () => {
      this.#refusals.delete(listener)
    }
  }

  #tellRefusal(refused: boolean): void {
    for (const listener of this.#refusals) listener(refused)
  }

  #begin(subscription: Subscription): void {
    const id = this.#nextId++
    this.#subscriptions.set(id, subscription)
    this.#send({ t: 'subscribe', id, name: subscription.name, input: subscription.input })
  }

  #send(frame: ClientFrame): void {
    if (this.#connected) this.#line?.send(frame)
  }

  #opened(): void {
    this.#connected = true
    this.#everConnected = true
    this.#attempts = 0
    for (const { frame } of this.#requests.values()) this.#send(frame)
    const again = [...this.#subscriptions.values()]
    this.#subscriptions.clear()
    for (const subscription of again) this.#begin(subscription)
    for (const listener of this.#listeners) listener(true)
    this.#tellRefusal(false)
  }

  #receive(frame: ServerFrame): void {
    if (frame.t === 'reply') {
      const request = this.#requests.get(frame.id)
      this.#requests.delete(frame.id)
      if (frame.reply.ok) request?.resolve(frame.reply.value)
      else request?.reject(new StatusError(frame.reply.status))
      return
    }
    const subscription = this.#subscriptions.get(frame.id)
    if (subscription === undefined) return
    if (frame.t === 'message') {
      subscription.onMessage(frame.message)
      return
    }
    this.#subscriptions.delete(frame.id)
    subscription.onEnd(frame.status === null ? null : new StatusError(frame.status))
  }

  #closed(message: string): void {
    this.#line = null
    this.#connected = false
    for (const listener of this.#listeners) listener(false)
    if (this.#everConnected) {
      const error = new StatusError(failure(503, 'ServiceUnavailable', message))
      const lost = [...this.#requests.values()]
      this.#requests.clear()
      for (const request of lost) request.reject(error)
    }
    if (this.#stopped) return
    void this.#signedIn().then((yes) => {
      if (!this.#connected) this.#tellRefusal(!yes)
    })
    const ceilingMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempts++)
    this.#cancelRetry = this.#clock.schedule(ceilingMs * (0.5 + this.#random() / 2), () => {
      this.start()
    })
  }
}
