import { readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { SystemClock } from '#shared/base/clock.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { stderrLogger } from '#electron/commands/stderrLogger.ts'
import { noNodes } from '#test/support/noNodes.ts'

// As electron/cli.ts does, which is how the same modules are started otherwise.
enableCompileCache(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'drydock', 'node'))
const { createApiServer } = await import('#electron/controlplane/apiserver/apiServer.ts')
const { openEtcdStore } = await import('#electron/controlplane/etcd/embeddedEtcd.ts')
const { serveEtcd } = await import('#electron/controlplane/etcd/server.ts')
const { runScheduler } = await import('#electron/controlplane/scheduler/scheduler.ts')

const [dataDir = '', pkiDir = '', parts = 'all', kubernetesVersion = 'v1.20.2'] = process.argv.slice(2)
const text = (name: string): string => readFileSync(join(pkiDir, name), 'utf8')
const clock = new SystemClock()
const logger = stderrLogger('warn')
const etcd = openEtcdStore({ dataDir: join(dataDir, 'etcd'), clock, logger, memberName: 'bench' })
const etcdServer = await serveEtcd({
  etcd,
  port: 0,
  tls: { certificate: text('etcd/server.crt'), key: text('etcd/server.key'), clientCa: text('etcd/ca.crt') },
  logger,
})
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
// Of etcd alone, nobody writes but the load.
const apiPort = parts === 'etcd' ? 0 : await api.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${JSON.stringify({ etcdPort: etcdServer.port, apiPort })}\n`)
const stopping = new AbortController()
const scheduling =
  parts === 'scheduler'
    ? runScheduler({
        transport: api.transport({ username: 'system:kube-scheduler', groups: ['system:masters'] }),
        clock,
        random: new SeededRandom(2),
        logger,
        signal: stopping.signal,
        kubernetesVersion,
      })
    : Promise.resolve()
process.once('SIGTERM', () => {
  stopping.abort(new Error('the server is stopping'))
  void scheduling
    .then(() => api.close())
    .then(() => etcdServer.close())
    .then(() => etcd.close())
})
