import { request as httpsRequest, type Agent } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { Side } from './side.ts'

/** What a watch has said, event by event, without what differs between two servers. */
export class Watched {
  readonly events: unknown[] = []
  readonly #side: Side
  readonly #path: string
  #response: IncomingMessage | null = null
  #wake: (() => void) | null = null
  ended = false

  constructor(side: Side, path: string) {
    this.#side = side
    this.#path = path
  }

  /** Resolves when the server has answered. */
  start(options: { ca: string; cert: string; key: string; agent: Agent }): Promise<void> {
    return new Promise((resolve, reject) => {
      const call = httpsRequest(new URL(this.#path, this.#side.connection.server), { ...options, headers: { accept: 'application/json' } }, (response) => {
        this.#response = response
        let rest = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          const lines = (rest + part).split('\n')
          rest = lines.pop() ?? ''
          for (const line of lines) if (line !== '') this.#take(JSON.parse(line) as JsonObject)
        })
        response.on('close', () => {
          this.ended = true
          this.#wake?.()
        })
        response.on('error', () => undefined)
        resolve()
      })
      call.on('error', reject)
      call.end()
    })
  }

  /** Resolves when there are at least so many events, the watch has ended, or the time is over. */
  async until(count: number, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (this.events.length < count && !this.ended && Date.now() < deadline) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        setTimeout(resolve, 50)
      })
    }
  }

  stop(): void {
    this.#response?.destroy()
  }

  #take(event: JsonObject): void {
    const object = this.#side.normalized(event['object'])
    if (isObject(object) && isObject(object['metadata']) && object['metadata']['resourceVersion'] !== undefined)
      Object.assign(object['metadata'], { resourceVersion: 'R', uid: 'U' })
    // Bookmarks of every minute come when each server likes; only the one that ends the initial events counts.
    const bookmark = event['type'] === 'BOOKMARK'
    const annotations = isObject(object) && isObject(object['metadata']) ? object['metadata']['annotations'] : undefined
    if (!bookmark || annotations !== undefined) this.events.push({ type: event['type'], object: bookmark ? annotations : object })
    this.#wake?.()
  }
}
