import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { parse } from 'yaml'
import { afterAll } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import type { TransportRequest, TransportResponse } from '#shared/kubernetes/transport.ts'
import { createApiServer } from '#electron/controlplane/apiserver/apiServer.ts'
import type { ApiServer, NodeConnection } from '#electron/controlplane/apiserver/interface.ts'
import { openEtcdStore } from '#electron/controlplane/etcd/embeddedEtcd.ts'
import { createAuthority, generateKey, issueCertificate } from '#electron/pki/certificate.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { temporaryDirectory } from './peers.ts'

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

const noNodes: NodeConnection = {
  // eslint-disable-next-line require-yield
  logs: async function* () {
    await Promise.reject(new Error('no nodes'))
  },
  exec: () => Promise.reject(new Error('no nodes')),
  attach: () => Promise.reject(new Error('no nodes')),
  portForward: () => Promise.reject(new Error('no nodes')),
  usage: () => Promise.resolve([]),
}

const DAY_MS = 24 * 3600 * 1000

/** The embedded API server over its own store: nothing but requests writes to it. Ends with the suite. */
export async function embeddedApiServer(kubernetesVersion: string): Promise<ApiServer> {
  const clock = new SystemClock(1)
  const now = clock.now()
  const authority = createAuthority({ commonName: 'test', notBeforeMs: now - DAY_MS, notAfterMs: now + DAY_MS }, 'ECDSA-P256')
  const serving = issueCertificate(
    {
      subject: { commonName: 'test', organizations: [] },
      notBeforeMs: now - DAY_MS,
      notAfterMs: now + DAY_MS,
      isCa: false,
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
      usages: ['serverAuth'],
    },
    authority,
    'ECDSA-P256',
  )
  const privateKey = generateKey('RSA-2048')
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  const etcd = openEtcdStore({ dataDir: join(temporaryDirectory('api'), 'etcd'), clock, logger: silentLogger, memberName: 'test', encodeSnapshot })
  const api = createApiServer({
    etcd,
    nodes: noNodes,
    kubernetesVersion,
    tls: { certificate: serving.certificate, key: serving.key, clientCa: authority.certificate },
    serviceAccount: { issuer: 'https://kubernetes.default.svc', privateKey, publicKey },
    serviceClusterIpRange: '10.96.0.0/12',
    clock,
    random: new SeededRandom(1),
    logger: silentLogger,
    readOnly: false,
  })
  await api.listen({ host: '127.0.0.1', port: 0 })
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
