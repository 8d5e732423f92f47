import { resourcePath, type GroupVersionResource, type KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError, type Status } from '#shared/kubernetes/status.ts'
import { watchEvents } from '#electron/client/apiRequest.ts'
import type { Transport, TransportRequest } from '#shared/kubernetes/transport.ts'

export type WatchEvent = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: KubeObject } | { type: 'ERROR'; object: Status }

export type Target = { gvr: GroupVersionResource; namespace?: string | undefined; name?: string | undefined; subresource?: string }

export const PODS: GroupVersionResource = { group: '', version: 'v1', resource: 'pods' }
export const NODES: GroupVersionResource = { group: '', version: 'v1', resource: 'nodes' }
export const CONFIG_MAPS: GroupVersionResource = { group: '', version: 'v1', resource: 'configmaps' }
export const SECRETS: GroupVersionResource = { group: '', version: 'v1', resource: 'secrets' }
export const SERVICE_ACCOUNTS: GroupVersionResource = { group: '', version: 'v1', resource: 'serviceaccounts' }
export const PERSISTENT_VOLUME_CLAIMS: GroupVersionResource = { group: '', version: 'v1', resource: 'persistentvolumeclaims' }
export const PERSISTENT_VOLUMES: GroupVersionResource = { group: '', version: 'v1', resource: 'persistentvolumes' }
export const EVENTS: GroupVersionResource = { group: '', version: 'v1', resource: 'events' }
export const LEASES: GroupVersionResource = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' }

/**
 * The few verbs a kubelet speaks. Each throws StatusError for an HTTP failure and the transport's own error when no answer came. What they
 * give may be the server's own objects where it is in this process: thousands of kubelets that keep their pods keep no copies. None is ever changed.
 */
export class ApiClient {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  get(target: Target, signal: AbortSignal): Promise<KubeObject> {
    return this.#call({ method: 'GET', path: pathOf(target), signal })
  }

  create(target: Target, object: object, signal: AbortSignal): Promise<KubeObject> {
    return this.#call({ method: 'POST', path: pathOf(target), body: JSON.stringify(object), headers: { 'content-type': 'application/json' }, signal })
  }

  update(target: Target, object: object, signal: AbortSignal): Promise<KubeObject> {
    return this.#call({ method: 'PUT', path: pathOf(target), body: JSON.stringify(object), headers: { 'content-type': 'application/json' }, signal })
  }

  /** JSON merge patch: arrays are replaced whole. */
  patch(target: Target, patch: object, signal: AbortSignal): Promise<KubeObject> {
    return this.#call({
      method: 'PATCH',
      path: pathOf(target),
      body: JSON.stringify(patch),
      headers: { 'content-type': 'application/merge-patch+json' },
      signal,
    })
  }

  /** Deletes at once (grace period 0), and only the object with that uid. */
  remove(target: Target, uid: string | undefined, signal: AbortSignal): Promise<KubeObject> {
    const options = { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0, ...(uid === undefined ? {} : { preconditions: { uid } }) }
    return this.#call({ method: 'DELETE', path: pathOf(target), body: JSON.stringify(options), headers: { 'content-type': 'application/json' }, signal })
  }

  async list(gvr: GroupVersionResource, query: string, signal: AbortSignal): Promise<{ items: KubeObject[]; resourceVersion: string }> {
    const list = await this.#call({ method: 'GET', path: `${resourcePath(gvr)}?${query}`, signal })
    return { items: (list['items'] ?? []) as KubeObject[], resourceVersion: list.metadata.resourceVersion ?? '' }
  }

  /** Events after `resourceVersion`, until the server ends the watch. Bookmarks are not asked for: in this process nothing is saved by them. */
  async *watch(gvr: GroupVersionResource, query: string, resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const path = `${resourcePath(gvr)}?${query}&watch=true&resourceVersion=${encodeURIComponent(resourceVersion)}`
    yield* watchEvents(this.#transport, { method: 'GET', path, headers: { accept: 'application/json' }, signal, shares: true }) as AsyncGenerator<WatchEvent>
  }

  async #call(request: TransportRequest): Promise<KubeObject> {
    const headers = { accept: 'application/json', 'user-agent': 'kubelet', ...request.headers }
    const response = await this.#transport.request({ ...request, headers, shares: true })
    if (response.object !== undefined && response.status < 300) return response.object as KubeObject
    const text = new TextDecoder().decode(response.body)
    if (response.status >= 300) throw new StatusError(parseStatus(response.status, text))
    return JSON.parse(text) as KubeObject
  }
}

function pathOf(target: Target): string {
  return resourcePath(target.gvr, { namespace: target.namespace, name: target.name, subresource: target.subresource })
}

function parseStatus(code: number, text: string): Status {
  try {
    const parsed = JSON.parse(text) as Status
    if (parsed.kind === 'Status') return parsed
  } catch {
    // No Status in the body: the code alone has to do.
  }
  return failure(code, code === 404 ? 'NotFound' : code === 409 ? 'Conflict' : 'InternalError', text.slice(0, 200) || `HTTP ${String(code)}`)
}
