import type { Transport, TransportRequest, TransportResponse, TransportStream } from '#shared/kubernetes/transport.ts'

const EVICTION = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/eviction$/

/** Passes everything on, and keeps what a server answered to evictions: by `NAMESPACE/NAME`, in order. */
export class NotedEvictions implements Transport {
  readonly answers = new Map<string, string[]>()
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const response = await this.#transport.request(request)
    const [, namespace, name] = EVICTION.exec(request.path) ?? []
    if (request.method === 'POST' && namespace !== undefined && name !== undefined) {
      const subject = `${namespace}/${name}`
      const { message = '' } = JSON.parse(new TextDecoder().decode(response.body)) as { message?: string }
      this.answers.set(subject, [...(this.answers.get(subject) ?? []), `${String(response.status)} ${message}`.trim()])
    }
    return response
  }

  stream(request: TransportRequest): Promise<TransportStream> {
    return this.#transport.stream(request)
  }

  /** How often an eviction of the pod was asked for. */
  count(subject: string): number {
    return this.answers.get(subject)?.length ?? 0
  }
}
