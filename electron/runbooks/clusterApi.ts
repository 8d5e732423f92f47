import type { KubeList, KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError, type Status } from '#shared/kubernetes/status.ts'
import type { Transport, TransportRequest } from '#shared/kubernetes/transport.ts'

/** The few Kubernetes calls that runbooks make. Every method throws StatusError on an HTTP failure. */
export class ClusterApi {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  get(path: string, signal: AbortSignal): Promise<KubeObject> {
    return this.#call({ method: 'GET', path, signal }) as Promise<KubeObject>
  }

  async list(path: string, signal: AbortSignal): Promise<KubeObject[]> {
    const { items } = (await this.#call({ method: 'GET', path, signal })) as KubeList
    return items
  }

  /** JSON merge patch. */
  patch(path: string, patch: unknown, signal: AbortSignal): Promise<KubeObject> {
    return this.#call({
      method: 'PATCH',
      path,
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify(patch),
      signal,
    }) as Promise<KubeObject>
  }

  post(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    return this.#call({ method: 'POST', path, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal })
  }

  /** Replaces an object; its resourceVersion decides whether it is still the one that was read. */
  put(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    return this.#call({ method: 'PUT', path, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal })
  }

  /** An object, or with a collection's path all of its objects. */
  delete(path: string, options: unknown, signal: AbortSignal): Promise<unknown> {
    return this.#call({ method: 'DELETE', path, headers: { 'content-type': 'application/json' }, body: JSON.stringify(options), signal })
  }

  /** An answer that is no JSON, e.g. `/metrics`. */
  async text(path: string, signal: AbortSignal): Promise<string> {
    const { status, body } = await this.#transport.request({ method: 'GET', path, signal })
    const text = new TextDecoder().decode(body)
    if (status < 400) return text
    throw new StatusError(failure(status, '', `GET ${path}: HTTP ${String(status)} ${text.slice(0, 200)}`))
  }

  async version(signal: AbortSignal): Promise<string> {
    const { gitVersion } = (await this.#call({ method: 'GET', path: '/version', signal })) as { gitVersion?: string }
    return gitVersion ?? ''
  }

  async #call(request: TransportRequest): Promise<unknown> {
    const response = await this.#transport.request({ ...request, headers: { accept: 'application/json', ...request.headers } })
    const text = new TextDecoder().decode(response.body)
    const parsed = parseJson(text)
    if (response.status < 400) return parsed
    const status = parsed as Partial<Status> | null
    if (status?.kind === 'Status') throw new StatusError({ ...failure(response.status, '', ''), ...status })
    throw new StatusError(failure(response.status, '', `${request.method} ${request.path}: HTTP ${String(response.status)} ${text.slice(0, 200)}`))
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
