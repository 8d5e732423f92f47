import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import type { Clock } from '#shared/base/clock.ts'
import type { Transport, TransportRequest, TransportResponse, TransportStream, UserInfo } from '#shared/kubernetes/transport.ts'
import { ExecCredentialSource } from './execCredential.ts'
import { readFileOrData, type KubeContext } from './kubeconfig.ts'

interface Connection {
  agent: HttpAgent | HttpsAgent
  headers: Record<string, string | string[]>
  /** From the client certificate, when there is one. */
  user: UserInfo | null
}

/** The user a client certificate stands for: CN is the name, each O a group. Null when it cannot be read. */
export function certificateUser(pem: string): UserInfo | null {
  try {
    const subject = new X509Certificate(pem).subject.split('\n')
    const values = (type: string): string[] => subject.filter((line) => line.startsWith(`${type}=`)).map((line) => line.slice(type.length + 1))
    const username = values('CN')[0]
    return username === undefined ? null : { username, groups: values('O') }
  } catch {
    return null
  }
}

/** Reaches one context's API server over HTTPS with its credentials, keeping connections open between requests. */
export class ContextTransport implements Transport {
  readonly #context: KubeContext
  readonly #exec: ExecCredentialSource | null
  #connection: Connection | null = null
  #credentialKey = ''

  constructor(context: KubeContext, clock: Clock) {
    this.#context = context
    this.#exec = context.exec === null ? null : new ExecCredentialSource(context, clock)
  }

  /** Closes idle connections; running requests end by their own signals. */
  close(): void {
    this.#connection?.agent.destroy()
    this.#connection = null
  }

  /** Who the client certificate says we are; null with other credentials or before the first request. */
  get certificateUser(): UserInfo | null {
    return this.#connection?.user ?? null
  }

  async #connect(): Promise<Connection> {
    const context = this.#context
    const credential = await this.#exec?.get()
    // Token files are rotated by whoever mounts them, so they are read again for each connection check.
    const token = credential?.token !== undefined && credential.token !== '' ? credential.token : await readFileOrData(context.token)
    const certificate =
      credential?.clientCertificate !== undefined && credential.clientCertificate !== ''
        ? credential.clientCertificate
        : await readFileOrData(context.clientCertificate)
    const key = credential?.clientKey !== undefined && credential.clientKey !== '' ? credential.clientKey : await readFileOrData(context.clientKey)
    const credentialKey = JSON.stringify([token, certificate])
    if (this.#connection !== null && this.#credentialKey === credentialKey) return this.#connection
    this.close()
    const headers: Record<string, string | string[]> = {}
    if (token !== '') headers['authorization'] = `Bearer ${token}`
    else if (context.username !== '') headers['authorization'] = `Basic ${Buffer.from(`${context.username}:${context.password}`).toString('base64')}`
    Object.assign(headers, impersonationHeaders(context.impersonate))
    const authority = await readFileOrData(context.ca)
    const agent = context.server.startsWith('https:')
      ? new HttpsAgent({
          keepAlive: true,
          rejectUnauthorized: !context.insecureSkipTlsVerify,
          ...(authority === '' ? {} : { ca: authority }),
          ...(certificate === '' ? {} : { cert: certificate, key }),
          ...(context.tlsServerName === '' ? {} : expectedName(context.tlsServerName)),
        })
      : new HttpAgent({ keepAlive: true })
    this.#connection = { agent, headers, user: certificate === '' ? null : certificateUser(certificate) }
    this.#credentialKey = credentialKey
    return this.#connection
  }

  async #send(request: TransportRequest): Promise<IncomingMessage> {
    const { agent, headers } = await this.#connect()
    const url = new URL(this.#context.server + request.path)
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const options: RequestOptions = {
      method: request.method,
      agent,
      signal: request.signal,
      headers: {
        accept: 'application/json',
        'user-agent': 'drydock',
        ...headers,
        ...request.headers,
        // Node gives a DELETE's body no length of its own; the server would take it for the next request.
        ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
      },
    }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = send(url, options, resolve)
      outgoing.on('error', reject)
      outgoing.end(request.body)
    })
    if (response.statusCode === 401) this.#exec?.invalidate()
    return response
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const response = await this.#send(request)
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return { status: response.statusCode ?? 0, headers: plainHeaders(response), body: Buffer.concat(chunks) }
  }

  async stream(request: TransportRequest): Promise<TransportStream> {
    const response = await this.#send(request)
    return { status: response.statusCode ?? 0, headers: plainHeaders(response), body: response as AsyncIterable<Uint8Array> }
  }
}

/** The certificate is held against `name`. RFC 6066 allows no address as the name asked for, so one is only compared. */
function expectedName(name: string): Pick<ConnectionOptions, 'servername' | 'checkServerIdentity'> {
  return isIP(name) === 0 ? { servername: name } : { checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate) }
}

/** As client-go sends them: keys of extra are escaped, for a header's name cannot hold all that a key can, such as a slash. */
function impersonationHeaders({ user, groups, uid, extra }: KubeContext['impersonate']): Record<string, string | string[]> {
  if (user === '') return {}
  return {
    'impersonate-user': user,
    ...(groups.length === 0 ? {} : { 'impersonate-group': groups }),
    ...(uid === '' ? {} : { 'impersonate-uid': uid }),
    ...Object.fromEntries(Object.entries(extra).map(([key, values]) => [`impersonate-extra-${encodeURIComponent(key)}`, values])),
  }
}

function plainHeaders(response: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]))
}
