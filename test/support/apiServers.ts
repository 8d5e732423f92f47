import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { parse } from 'yaml'
import { afterAll } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import type { TransportRequest, TransportResponse } from '#shared/kubernetes/transport.ts'
import type { ApiServer } from '#electron/controlplane/apiserver/interface.ts'
import { ownApiServer } from './ownApiServer.ts'

/** One API server to compare: requests go to it in order or at once, answers come as JSON. */
export interface Server {
  call(method: TransportRequest['method'], path: string, body?: unknown, contentType?: string): Promise<Answer>
}

export interface Answer {
  status: number
  headers: Record<string, string>
  // Answers are looked into by tests only.
  body: unknown
}

/** The embedded API server over its own store: nothing but requests writes to it. Ends with the suite. */
export async function embeddedApiServer(kubernetesVersion: string): Promise<ApiServer> {
  const clock = new SystemClock(1)
  const { api, etcd } = await ownApiServer({ clock, kubernetesVersion })
  afterAll(async () => {
    await api.close()
    await etcd.close()
  })
  return api
}

const decoder = new TextDecoder()

function answerOf({ status, headers, body }: TransportResponse): Answer {
  const text = decoder.decode(body)
  return { status, headers, body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text }
}

function encode(body: unknown): string | Uint8Array | undefined {
  return body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
}

/** @param userAgent what the server takes the field manager from */
export function embeddedServer(api: ApiServer, userAgent: string): Server {
  const transport = api.transport({ username: 'admin', groups: ['system:masters'] })
  const { signal } = new AbortController()
  return {
    call: async (method, path, body, contentType = 'application/json') => {
      const sent = encode(body)
      const headers = { accept: 'application/json', 'user-agent': userAgent, ...(sent === undefined ? {} : { 'content-type': contentType }) }
      return answerOf(await transport.request({ method, path, headers, signal, ...(sent === undefined ? {} : { body: sent }) }))
    },
  }
}

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data'?: string; 'certificate-authority'?: string } }[]
  users: { user: Record<string, string | undefined> }[]
}

/** A real API server by its kubeconfig (first cluster, first user, client certificate). Connections end with the suite. */
export function remoteServer(kubeconfig: string, userAgent: string): Server {
  const config = parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig
  const [cluster, user] = [config.clusters[0]?.cluster, config.users[0]?.user]
  if (cluster === undefined || user === undefined) throw new Error(`${kubeconfig} names no cluster or no user`)
  const pem = (data: string | undefined, file: string | undefined): string | undefined =>
    data !== undefined ? Buffer.from(data, 'base64').toString('utf8') : file === undefined ? undefined : readFileSync(file, 'utf8')
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 16,
    ca: pem(cluster['certificate-authority-data'], cluster['certificate-authority']),
    cert: pem(user['client-certificate-data'], user['client-certificate']),
    key: pem(user['client-key-data'], user['client-key']),
  })
  afterAll(() => {
    agent.destroy()
  })
  return {
    call: (method, path, body, contentType = 'application/json') =>
      new Promise((resolve, reject) => {
        const sent = encode(body)
        const headers = { accept: 'application/json', 'user-agent': userAgent, ...(sent === undefined ? {} : { 'content-type': contentType }) }
        const outgoing = request(`${cluster.server}${path}`, { method, agent, headers }, (incoming) => {
          const parts: Buffer[] = []
          incoming.on('data', (part: Buffer) => parts.push(part))
          incoming.on('error', reject)
          incoming.on('end', () => {
            const names = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]))
            resolve(answerOf({ status: incoming.statusCode ?? 0, headers: names, body: Buffer.concat(parts) }))
          })
        })
        outgoing.on('error', reject)
        outgoing.end(sent)
      }),
  }
}
