import { readFileSync } from 'node:fs'
import { Agent, request as httpsRequest } from 'node:https'
import { parse as parseYaml } from 'yaml'

/** Answer of an API server: the JSON where it is JSON, else the text. */
export interface ApiAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  json: Record<string, unknown> | null
}

export interface ApiCall {
  method?: string
  path: string
  /** A list sends the header once per value. */
  headers?: Record<string, string | string[]>
  /** An object is sent as JSON. */
  body?: unknown
  /** In place of the connection's own client certificate; null sends none. */
  certificate?: { certificate: string; key: string } | null
}

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data'?: string } }[]
  users: { user: { 'client-certificate-data'?: string; 'client-key-data'?: string } }[]
}

const decoded = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString('utf8')

/** Raw HTTPS calls to the API server of a kubeconfig, as anybody: what clients hide (headers, certificates, bad bodies) is what tests want. */
export class ApiConnection {
  readonly server: string
  readonly ca: string
  readonly #own: { certificate: string; key: string }
  readonly #agents = new Map<string, Agent>()

  constructor(options: { server: string; ca: string; own: { certificate: string; key: string } }) {
    this.server = options.server
    this.ca = options.ca
    this.#own = options.own
  }

  static of(kubeconfigPath: string): ApiConnection {
    const config = parseYaml(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig
    const user = config.users[0]?.user
    return new ApiConnection({
      server: config.clusters[0]?.cluster.server ?? '',
      ca: decoded(config.clusters[0]?.cluster['certificate-authority-data']),
      own: { certificate: decoded(user?.['client-certificate-data']), key: decoded(user?.['client-key-data']) },
    })
  }

  /** The connection's own client certificate. */
  get credentials(): { certificate: string; key: string } {
    return this.#own
  }

  call({ method, path, headers = {}, body, certificate = this.#own }: ApiCall): Promise<ApiAnswer> {
    const sent = body === undefined ? undefined : typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
    const typed = typeof body === 'object' && !(body instanceof Uint8Array) ? { 'content-type': 'application/json' } : {}
    return new Promise((resolve, reject) => {
      const call = httpsRequest(
        new URL(path, this.server),
        {
          method: method ?? (sent === undefined ? 'GET' : 'POST'),
          agent: this.#agent(certificate),
          headers: { accept: 'application/json', ...typed, ...(sent === undefined ? {} : { 'content-length': Buffer.byteLength(sent) }), ...headers },
        },
        (response) => {
          const parts: Buffer[] = []
          response.on('data', (part: Buffer) => parts.push(part))
          response.on('error', reject)
          response.on('end', () => {
            const text = Buffer.concat(parts).toString('utf8')
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: jsonOf(text) })
          })
        },
      )
      call.on('error', reject)
      call.end(sent)
    })
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
  }

  #agent(certificate: { certificate: string; key: string } | null): Agent {
    const key = certificate?.certificate ?? ''
    let agent = this.#agents.get(key)
    if (agent === undefined) {
      agent = new Agent({
        ca: this.ca,
        keepAlive: true,
        maxSockets: 64,
        ...(certificate === null ? {} : { cert: certificate.certificate, key: certificate.key }),
      })
      this.#agents.set(key, agent)
    }
    return agent
  }
}

function jsonOf(text: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : null
  } catch {
    return null
  }
}
