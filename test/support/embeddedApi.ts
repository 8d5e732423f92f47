import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger, type Logger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import type { Transport, TransportRequest } from '#shared/kubernetes/transport.ts'
import { createApiServer } from '#electron/controlplane/apiserver/apiServer.ts'
import type { ApiServer } from '#electron/controlplane/apiserver/interface.ts'
import { openEtcdStore } from '#electron/controlplane/etcd/embeddedEtcd.ts'
import { ensureKubernetesPki } from '#electron/pki/kubernetesPki.ts'
import { noNodes } from './noNodes.ts'

export interface Answer {
  status: number
  body: unknown
}

/** An etcd and an API server in this process, without nodes, schedulers and controllers. */
export interface EmbeddedApi {
  api: ApiServer
  etcd: EtcdClient
  port: number
  pkiDir: string
  /** As a member of system:masters. */
  transport: Transport
  call(method: TransportRequest['method'], path: string, body?: object | string, headers?: Record<string, string>): Promise<Answer>
  /** The lines of a watch until it ends or `signal` aborts. @throws Error when it is not answered with 200 */
  watch(path: string, signal: AbortSignal): AsyncIterable<{ type: string; object: Record<string, unknown> }>
  close(): Promise<void>
}

/** Opens or makes the cluster of a directory. */
export async function startEmbeddedApi(dataDir: string, kubernetesVersion: string, logger: Logger = silentLogger): Promise<EmbeddedApi> {
  const clock = new SystemClock()
  const kubernetesDir = join(dataDir, 'kubernetes')
  const pkiDir = join(kubernetesDir, 'pki')
  ensureKubernetesPki({
    kubernetesDir,
    nodeName: 'test',
    advertiseAddress: '127.0.0.1',
    serviceAddress: '10.96.0.1',
    dnsDomain: 'cluster.local',
    clusterName: 'test',
    apiUrl: 'https://127.0.0.1:6443',
    certSans: ['localhost', '127.0.0.1'],
    algorithm: 'ECDSA-P256',
    nowMs: clock.now(),
    superAdmin: false,
  })
  const text = (name: string): string => readFileSync(join(pkiDir, name), 'utf8')
  const etcd = openEtcdStore({ dataDir: join(dataDir, 'etcd'), clock, logger, memberName: 'test' })
  const api = createApiServer({
    etcd,
    nodes: noNodes,
    kubernetesVersion,
    tls: { certificate: text('apiserver.crt'), key: text('apiserver.key'), clientCa: text('ca.crt') },
    serviceAccount: { issuer: 'https://kubernetes.default.svc.cluster.local', privateKey: text('sa.key'), publicKey: text('sa.pub') },
    serviceClusterIpRange: '10.96.0.0/16',
    clock,
    random: new SeededRandom(1),
    logger,
    readOnly: false,
  })
  const port = await api.listen({ host: '127.0.0.1', port: 0 })
  const transport = api.transport({ username: 'test', groups: ['system:masters'] })
  const { signal: never } = new AbortController()
  return {
    api,
    etcd,
    port,
    pkiDir,
    transport,
    call: async (method, path, body, headers = {}) => {
      const sent = typeof body === 'object' ? JSON.stringify(body) : body
      const answer = await transport.request({
        method,
        path,
        headers: { accept: 'application/json', ...(sent === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(sent === undefined ? {} : { body: sent }),
        signal: never,
      })
      const answered = Buffer.from(answer.body).toString('utf8')
      const isJson = answer.headers['content-type']?.startsWith('application/json') === true
      return { status: answer.status, body: isJson ? (JSON.parse(answered) as unknown) : answered }
    },
    watch: (path, signal) => lines(transport, path, signal),
    close: async () => {
      await api.close()
      await etcd.close()
    },
  }
}

async function* lines(transport: Transport, path: string, signal: AbortSignal): AsyncGenerator<{ type: string; object: Record<string, unknown> }> {
  const { status, body } = await transport.stream({ method: 'GET', path, headers: { accept: 'application/json' }, signal })
  if (status !== 200) throw new Error(`the watch of ${path} was answered with ${String(status)}`)
  let rest = ''
  for await (const part of body) {
    rest += Buffer.from(part).toString('utf8')
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      yield JSON.parse(rest.slice(0, end)) as { type: string; object: Record<string, unknown> }
      rest = rest.slice(end + 1)
    }
  }
}
