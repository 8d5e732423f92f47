import type { Clock } from '#shared/base/clock.ts'
import { Emitter } from '#shared/base/emitter.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import { untilAborted } from '#shared/base/untilAborted.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { isGone } from '#shared/kubernetes/status.ts'
import type { RestClient } from './restClient.ts'

export interface InformerOptions {
  client: RestClient
  gvr: GroupVersionResource
  clock: Clock
  random: Random
  logger: Logger
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
  /** Index name to the values an object is found under. */
  indexers?: Record<string, (object: KubeObject) => string[]>
}

export interface InformerEvent {
  type: 'add' | 'update' | 'delete'
  object: KubeObject
  /** What was known before; for `update` only. */
  old?: KubeObject
}

const FIRST_BACKOFF_MS = 200
const MAX_BACKOFF_MS = 30_000

export const objectKey = (namespace: string | undefined, name: string): string => (namespace === undefined || namespace === '' ? name : `${namespace}/${name}`)
const keyOf = ({ metadata }: KubeObject): string => objectKey(metadata.namespace, metadata.name ?? '')

/**
 * A local copy of one collection, kept by list and watch as client-go's SharedInformer keeps it. Objects are shared:
 * whoever wants to change one copies it first. After a lost watch it resumes from the last resource version, and
 * lists again when the server has forgotten that version; the difference is told as ordinary events.
 */
export class Informer {
  readonly #options: InformerOptions
  readonly #objects = new Map<string, KubeObject>()
  /** Objects by index, value and key: whoever asks for a workload's pods is given them without looking each up. */
  readonly #indexes = new Map<string, Map<string, Map<string, KubeObject>>>()
  readonly #events = new Emitter<InformerEvent>()
  readonly #synced = Promise.withResolvers<undefined>()
  #resourceVersion = ''

  constructor(options: InformerOptions) {
    this.#options = options
    for (const name of Object.keys(options.indexers ?? {})) this.#indexes.set(name, new Map())
  }

  list(): KubeObject[] {
    return [...this.#objects.values()]
  }

  /** `namespace` is '' for objects of the cluster. */
  get(namespace: string, name: string): KubeObject | undefined {
    return this.#objects.get(objectKey(namespace, name))
  }

  byIndex(index: string, value: string): KubeObject[] {
    const found = this.#indexes.get(index)?.get(value)
    return found === undefined ? [] : [...found.values()]
  }

  /** Listeners added later are not told of what is already there; `list()` has it. */
  onEvent(listener: (event: InformerEvent) => void): { dispose(): void } {
    const unsubscribe = this.#events.subscribe(listener)
    return { dispose: unsubscribe }
  }

  /** Settles after the first complete list. @throws the signal's reason when it aborts first */
  async synced(signal: AbortSignal): Promise<void> {
    await untilAborted(this.#synced.promise, signal)
  }

  /** Lists and watches until the signal aborts; failures are logged and retried with back-off. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, logger, gvr } = this.#options
    let backoffMs = FIRST_BACKOFF_MS
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === '') await this.#list(signal)
        const startedMs = clock.now()
        await this.#watch(signal)
        // A server that ends each watch at once must not be asked in a tight loop.
        if (clock.now() - startedMs > MAX_BACKOFF_MS) backoffMs = FIRST_BACKOFF_MS
      } catch (error) {
        if (signal.aborted) return
        if (isGone(error)) this.#resourceVersion = ''
        else logger.warn('watch failed, retrying', { resource: gvr.resource, error: error instanceof Error ? error.message : String(error), backoffMs })
      }
      try {
        await clock.sleep(backoffMs * (1 + random.next() / 5), { signal })
      } catch {
        return
      }
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS)
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, gvr } = this.#options
    const list = await client.list(gvr, this.#query(), signal)
    const seen = new Set<string>()
    for (const item of list.items) {
      // Items of a list carry no apiVersion and kind of their own when the server is a real one.
      const object =
        item.apiVersion === undefined || item.kind === undefined ? { apiVersion: list.apiVersion, kind: list.kind.replace(/List$/, ''), ...item } : item
      seen.add(keyOf(object))
      this.#put(object)
    }
    for (const [key, object] of [...this.#objects]) if (!seen.has(key)) this.#remove(object)
    this.#resourceVersion = list.metadata.resourceVersion ?? ''
    this.#synced.resolve(undefined)
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, gvr } = this.#options
    for await (const { type, object } of client.watch(gvr, { ...this.#query(), resourceVersion: this.#resourceVersion }, signal)) {
      if (type === 'ADDED' || type === 'MODIFIED') this.#put(object)
      else if (type === 'DELETED') this.#remove(object)
      this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion
    }
  }

  #query(): { namespace?: string; labelSelector?: string; fieldSelector?: string; shares: boolean } {
    const { namespace, labelSelector, fieldSelector } = this.#options
    return {
      shares: true,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    }
  }

  #put(object: KubeObject): void {
    const key = keyOf(object)
    const old = this.#objects.get(key)
    if (old !== undefined && old.metadata.resourceVersion === object.metadata.resourceVersion) return
    if (old !== undefined) this.#unindex(key, old)
    this.#objects.set(key, object)
    this.#index(key, object)
    this.#events.emit(old === undefined ? { type: 'add', object } : { type: 'update', object, old })
  }

  #remove(object: KubeObject): void {
    const key = keyOf(object)
    const old = this.#objects.get(key)
    if (old === undefined) return
    this.#unindex(key, old)
    this.#objects.delete(key)
    this.#events.emit({ type: 'delete', object })
  }

  #index(key: string, object: KubeObject): void {
    for (const [name, valuesOf] of Object.entries(this.#options.indexers ?? {})) {
      const index = this.#indexes.get(name)
      for (const value of valuesOf(object)) {
        const found = index?.get(value)
        if (found === undefined) index?.set(value, new Map([[key, object]]))
        else found.set(key, object)
      }
    }
  }

  #unindex(key: string, object: KubeObject): void {
    for (const [name, valuesOf] of Object.entries(this.#options.indexers ?? {})) {
      const index = this.#indexes.get(name)
      for (const value of valuesOf(object)) {
        const found = index?.get(value)
        found?.delete(key)
        if (found?.size === 0) index?.delete(value)
      }
    }
  }
}
