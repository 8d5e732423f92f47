import { EventEmitter } from 'node:events'
import { randomUUID } from 'node:crypto'

/** Where a port that was given to a page lives: its other end is reached by text. */
export interface RemoteEnd {
  post(data: unknown): void
  close(): void
}

/** A port in the main process. Messages wait until `start`; a port given to a page speaks from there. */
export class MessagePortMain extends EventEmitter {
  readonly id = randomUUID()
  peer: MessagePortMain | null = null
  #remote: RemoteEnd | null = null
  #started = false
  #closed = false
  #queue: unknown[] = []

  postMessage(message: unknown, transfer: MessagePortMain[] = []): void {
    if (transfer.length > 0) throw new Error('the stand-in cannot transfer ports over ports')
    if (!this.#closed) this.peer?.take(structuredClone(message))
  }

  start(): void {
    this.#started = true
    for (const data of this.#queue.splice(0)) this.#deliver(data)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.peer?.ended()
  }

  /** This end is on a page from now on. */
  giveTo(remote: RemoteEnd): void {
    this.#remote = remote
    for (const data of this.#queue.splice(0)) remote.post(data)
    if (this.#closed) remote.close()
  }

  /** What the other end sent. */
  take(data: unknown): void {
    if (this.#remote !== null) this.#remote.post(data)
    else if (this.#started) this.#deliver(data)
    else this.#queue.push(data)
  }

  /** The page that holds this end sent something, or closed it. */
  fromPage(data: unknown): void {
    this.peer?.take(data)
  }

  ended(): void {
    if (this.#closed) return
    this.#closed = true
    this.#remote?.close()
    queueMicrotask(() => this.emit('close'))
  }

  #deliver(data: unknown): void {
    queueMicrotask(() => {
      if (!this.#closed) this.emit('message', { data, ports: [] })
    })
  }
}

export class MessageChannelMain {
  readonly port1 = new MessagePortMain()
  readonly port2 = new MessagePortMain()

  constructor() {
    this.port1.peer = this.port2
    this.port2.peer = this.port1
  }
}
