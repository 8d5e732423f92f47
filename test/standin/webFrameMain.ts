import { EventEmitter } from 'node:events'
import type { MessagePortMain } from './messagePorts.ts'
import type { WebContents } from './webContents.ts'

/** The main frame of a window, as long as its document lives. */
export class WebFrameMain extends EventEmitter {
  readonly parent: WebFrameMain | null = null
  readonly routingId = 1
  readonly processId: number
  readonly url: string
  detached = false
  readonly #contents: WebContents

  constructor(contents: WebContents, url: string) {
    super()
    this.#contents = contents
    this.processId = contents.id
    this.url = url
  }

  get origin(): string {
    return /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+/i.exec(this.url)?.[0] ?? 'null'
  }

  get top(): WebFrameMain {
    return this
  }

  isDestroyed(): boolean {
    return this.detached
  }

  send(channel: string, ...args: unknown[]): void {
    if (!this.detached) this.#contents.deliver(channel, args)
  }

  postMessage(channel: string, message: unknown, transfer: MessagePortMain[] = []): void {
    if (!this.detached) this.#contents.deliver(channel, [message], transfer)
  }

  executeJavaScript(code: string): Promise<unknown> {
    return this.#contents.executeJavaScript(code)
  }
}
