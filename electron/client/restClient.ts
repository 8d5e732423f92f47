import { resourcePath, type GroupVersionResource, type KubeList, type KubeObject } from '#shared/kubernetes/object.ts'
import type { Transport, TransportRequest } from '#shared/kubernetes/transport.ts'
import { requestJson, watchEvents, type WatchEvent } from './apiRequest.ts'

export type { WatchEvent } from './apiRequest.ts'

/** Which object or collection: without `name` the collection, without `namespace` all namespaces or the cluster. */
export interface Target {
  namespace?: string | undefined
  name?: string | undefined
  subresource?: string | undefined
}

export interface ListOptions {
  namespace?: string | undefined
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
  limit?: number | undefined
  continue?: string | undefined
  resourceVersion?: string | undefined
  /** As in TransportRequest: nothing of the answer is ever changed. */
  shares?: boolean | undefined
}

export interface DeleteOptions {
  uid?: string | undefined
  resourceVersion?: string | undefined
  gracePeriodSeconds?: number | undefined
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined
}

const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

/** The verbs of the Kubernetes API over any transport. Every method throws StatusError for a failure, and the signal's reason when aborted. */
export class RestClient {
  readonly #transport: Transport
  readonly #headers: Record<string, string>
  readonly #shares: boolean

  /** @param options.shares nobody changes what the verbs give, as of `TransportRequest`: a server in this process need not write it out. @default false */
  constructor(transport: Transport, options: { userAgent?: string; shares?: boolean } = {}) {
    this.#transport = transport
    this.#shares = options.shares === true
    this.#headers = { accept: 'application/json', 'user-agent': options.userAgent ?? 'drydock' }
  }

  get(gvr: GroupVersionResource, target: Target & { name: string }, signal: AbortSignal): Promise<KubeObject> {
    return this.#call({ method: 'GET', path: resourcePath(gvr, target), signal })
  }

  async list(gvr: GroupVersionResource, options: ListOptions, signal: AbortSignal): Promise<KubeList> {
    const { namespace, shares = false, ...query } = options
    const list = await this.#call<KubeList>({ method: 'GET', path: `${resourcePath(gvr, { namespace })}${queryText({ ...query })}`, signal, shares })
    // Servers write an empty collection as null, and tell the kind of built-in items once, in the list.
    const items = (list.items as KubeObject[] | null) ?? []
    for (const item of items) {
      item.apiVersion ??= list.apiVersion
      item.kind ??= list.kind.replace(/List$/, '')
    }
    return { ...list, items }
  }

  create(gvr: GroupVersionResource, target: Target, object: object, signal: AbortSignal): Promise<KubeObject> {
    return this.#write('POST', resourcePath(gvr, target), object, 'application/json', signal)
  }

  update(gvr: GroupVersionResource, target: Target & { name: string }, object: object, signal: AbortSignal): Promise<KubeObject> {
    return this.#write('PUT', resourcePath(gvr, target), object, 'application/json', signal)
  }

  patch(
    gvr: GroupVersionResource,
    target: Target & { name: string },
    patch: unknown,
    options: { type: keyof typeof PATCH_TYPES; fieldManager?: string; force?: boolean },
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const query = queryText({ fieldManager: options.fieldManager, force: options.force === true ? 'true' : undefined })
    return this.#write('PATCH', `${resourcePath(gvr, target)}${query}`, patch, PATCH_TYPES[options.type], signal)
  }

  /** @returns the deleted object, or the Status the server sent instead */
  delete(gvr: GroupVersionResource, target: Target & { name: string }, options: DeleteOptions, signal: AbortSignal): Promise<KubeObject> {
    const { uid, resourceVersion, gracePeriodSeconds, propagationPolicy } = options
    const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion }
    return this.#write(
      'DELETE',
      resourcePath(gvr, target),
      { kind: 'DeleteOptions', apiVersion: 'v1', preconditions, gracePeriodSeconds, propagationPolicy },
      'application/json',
      signal,
    )
  }

  /** Events after `resourceVersion` with bookmarks, until the server ends the watch; an ERROR event is thrown. */
  watch(gvr: GroupVersionResource, options: ListOptions, signal: AbortSignal): AsyncIterable<WatchEvent> {
    const { namespace, shares = false, ...query } = options
    const path = `${resourcePath(gvr, { namespace })}${queryText({ ...query, watch: 'true', allowWatchBookmarks: 'true' })}`
    return watchEvents(this.#transport, { method: 'GET', path, headers: this.#headers, signal, shares })
  }

  /** GET of any path that answers JSON, e.g. `/version`. */
  raw(path: string, signal: AbortSignal): Promise<unknown> {
    return this.#call<unknown>({ method: 'GET', path, signal })
  }

  /** Sends a PUT without a body to a path that is no resource. */
  putRaw(path: string, signal: AbortSignal): Promise<unknown> {
    return this.#call<unknown>({ method: 'PUT', path, signal })
  }

  #write(method: TransportRequest['method'], path: string, body: unknown, contentType: string, signal: AbortSignal): Promise<KubeObject> {
    return this.#call({ method, path, body: JSON.stringify(body), headers: { 'content-type': contentType }, signal })
  }

  #call<T = KubeObject>(request: TransportRequest): Promise<T> {
    return requestJson<T>(this.#transport, { shares: this.#shares, ...request, headers: { ...this.#headers, ...request.headers } })
  }
}

function queryText(fields: Record<string, string | number | undefined>): string {
  const parts = Object.entries(fields).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`${name}=${encodeURIComponent(String(value))}`]))
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}
