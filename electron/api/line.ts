import { decodeClientFrame, type ServerFrame } from '#shared/contract/wire.ts'
import { statusOfError, type Dispatcher } from './dispatcher.ts'

/** Most requests and subscriptions that one page may have open: far above what the app uses, low enough to stop a runaway. */
const MAX_OPEN = 1000

interface Opened {
  id: number
  name: string
  input: unknown
  signal: AbortSignal
}

/**
 * One page's line to the application, whatever carries it: keeps what is open, ends it when the page lets go or goes away.
 */
export class Line {
  readonly #dispatcher: Dispatcher
  readonly #send: (frame: ServerFrame) => Promise<void>
  readonly #open = new Map<number, AbortController>()

  /** @param send resolves when the carrier can take more: a subscription's next message is made only then */
  constructor(dispatcher: Dispatcher, send: (frame: ServerFrame) => Promise<void>) {
    this.#dispatcher = dispatcher
    this.#send = send
  }

  /** Takes what the page sent. @throws Error when it is no frame: the carrier should hang up */
  receive(data: unknown): void {
    const frame = decodeClientFrame(data)
    if (frame.t === 'cancel') {
      this.#open.get(frame.id)?.abort()
      this.#open.delete(frame.id)
      return
    }
    if (this.#open.has(frame.id) || this.#open.size >= MAX_OPEN) throw new RangeError('frame: id is in use, or too many are open')
    const controller = new AbortController()
    this.#open.set(frame.id, controller)
    const { id, name, input } = frame
    const opened: Opened = { id, name, input, signal: controller.signal }
    void (frame.t === 'invoke' ? this.#invoke(opened) : this.#subscribe(opened)).finally(() => {
      if (this.#open.get(id) === controller) this.#open.delete(id)
    })
  }

  /** Ends everything that is open. */
  close(): void {
    for (const controller of this.#open.values()) controller.abort()
    this.#open.clear()
  }

  async #invoke({ id, name, input, signal }: Opened): Promise<void> {
    const reply = await this.#dispatcher.invoke(name, input, { signal })
    if (!signal.aborted) await this.#send({ t: 'reply', id, reply })
  }

  async #subscribe({ id, name, input, signal }: Opened): Promise<void> {
    try {
      for await (const message of this.#dispatcher.subscribe(name, input, { signal })) {
        if (signal.aborted) return
        await this.#send({ t: 'message', id, message })
      }
      if (!signal.aborted) await this.#send({ t: 'end', id, status: null })
    } catch (error) {
      if (!signal.aborted) await this.#send({ t: 'end', id, status: statusOfError(error) })
    }
  }
}
