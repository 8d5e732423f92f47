import { EventEmitter } from 'node:events'

interface Reply {
  id?: number
  method?: string
  params?: Record<string, unknown>
  sessionId?: string
  result?: Record<string, unknown>
  error?: { message: string }
}

/** A connection to Chromium's DevTools protocol. Events come out as `<sessionId> <method>`, of the browser itself as ` <method>`. */
export class DevTools extends EventEmitter {
  readonly #socket: WebSocket
  readonly #pending = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void; method: string }>()
  #lastId = 0

  static async connect(url: string): Promise<DevTools> {
    const socket = new WebSocket(url)
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => {
        resolve()
      })
      socket.addEventListener('error', () => {
        reject(new Error(`no connection to ${url}`))
      })
    })
    return new DevTools(socket)
  }

  constructor(socket: WebSocket) {
    super()
    this.setMaxListeners(0)
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => {
      this.#take(JSON.parse(String(data)) as Reply)
    })
    socket.addEventListener('close', () => {
      for (const { reject, method } of this.#pending.values()) reject(new Error(`Chromium ended before it answered ${method}`))
      this.#pending.clear()
      this.emit('close')
    })
  }

  /** @throws Error with Chromium's own words */
  send<T = Record<string, unknown>>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = ++this.#lastId
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, method })
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }))
    })
  }

  close(): void {
    this.#socket.close()
  }

  #take(message: Reply): void {
    if (message.id === undefined) {
      this.emit(`${message.sessionId ?? ''} ${message.method ?? ''}`, message.params ?? {})
      return
    }
    const call = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if (message.error === undefined) call?.resolve(message.result as never)
    else call?.reject(new Error(`${call.method}: ${message.error.message}`))
  }
}
