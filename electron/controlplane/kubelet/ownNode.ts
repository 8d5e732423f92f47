import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import { untilAborted } from '#shared/base/untilAborted.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists } from '#shared/kubernetes/status.ts'
import { NODES, type ApiClient } from './apiClient.ts'

const RETRY_MS = 250

export interface OwnNodeOptions {
  api: ApiClient
  clock: Clock
  logger: Logger
  name: string
  /** The object to register when there is none. */
  make(): KubeObject
  /** The node is there, or has changed. */
  onChange(node: KubeObject): void
}

/** A kubelet's view of its node's object, kept by a watch of that one object, as upstream's node lister is. Never changed in place. */
export class OwnNode {
  readonly #options: OwnNodeOptions
  #current: KubeObject | null = null
  #listed = Promise.withResolvers<undefined>()

  constructor(options: OwnNodeOptions) {
    this.#options = options
  }

  get current(): KubeObject | null {
    return this.#current
  }

  /** A state that the watch may not have told yet; passed over when it has told a later one. */
  learn(node: KubeObject): void {
    const known = this.#current
    if (known?.metadata.uid === node.metadata.uid && Number(known?.metadata.resourceVersion) > Number(node.metadata.resourceVersion)) return
    this.#current = node
    this.#options.onChange(node)
  }

  /** The node as it was seen last; registered when there is none. */
  async registered(signal: AbortSignal): Promise<KubeObject> {
    const { api, name, make } = this.#options
    await untilAborted(this.#listed.promise, signal)
    if (this.#current !== null) return this.#current
    try {
      this.learn(await api.create({ gvr: NODES }, make(), signal))
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      this.learn(await api.get({ gvr: NODES, name }, signal))
    }
    return this.#current ?? this.registered(signal)
  }

  /** Lists and watches until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { api, clock, logger, name } = this.#options
    const query = `fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`
    this.#listed = Promise.withResolvers()
    for (;;) {
      try {
        const { items, resourceVersion } = await api.list(NODES, query, signal)
        const [found] = items
        if (found === undefined) this.#current = null
        else this.learn(found)
        this.#listed.resolve(undefined)
        for await (const event of api.watch(NODES, query, resourceVersion, signal)) {
          if (event.type === 'ERROR') break
          if (event.type === 'DELETED') this.#current = null
          else if (event.type !== 'BOOKMARK') this.learn(event.object)
        }
      } catch (error) {
        signal.throwIfAborted()
        logger.debug('node watch broke', { node: name, error: String(error) })
      }
      await clock.sleep(RETRY_MS, { signal })
    }
  }
}
