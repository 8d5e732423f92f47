import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { vi } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { parseKubeconfig } from '#electron/clusters/kubeconfig.ts'
import { ContextTransport } from '#electron/clusters/contextTransport.ts'
import { ensureKubernetesPki } from '#electron/pki/kubernetesPki.ts'
import { freePort } from './peers.ts'
import { startEtcd } from './realEtcd.ts'

/** A real etcd and kube-apiserver with the controllers asked for, on loopback. Nothing else writes to them. */
export interface RealApiServer {
  kubeconfig: string
  transport: ContextTransport
  /** Folder of its authorities and keys. */
  pki: string
  /** Its etcd's client URL. */
  etcd: string
  /** Ends the controllers: from then on nothing writes but its clients. */
  stopControllers(): Promise<void>
  stop(): Promise<void>
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

/**
 * @param bin folder of the programs of one release
 * @param controllers names as `--controllers` takes them; none starts no controller manager
 * @param etcdProgram the etcd to start @default `etcd`
 * @param pki a folder of authorities and keys to go on with, as after a restore @default new ones
 * @param etcdServers client URLs of an etcd that runs already, in place of an own one
 */
export async function startRealApiServer({
  directory,
  bin,
  controllers,
  etcdProgram = 'etcd',
  etcdServers,
  pki: keptPki,
}: {
  directory: string
  bin: string
  controllers: readonly string[]
  etcdProgram?: string
  etcdServers?: readonly string[]
  pki?: string
}): Promise<RealApiServer> {
  const [clientPort, peerPort, apiPort] = [await freePort(), await freePort(), await freePort()]
  const kubernetesDir = join(directory, 'kubernetes')
  if (keptPki !== undefined) cpSync(keptPki, join(kubernetesDir, 'pki'), { recursive: true })
  ensureKubernetesPki({
    kubernetesDir,
    nodeName: 'test',
    advertiseAddress: '127.0.0.1',
    serviceAddress: '10.96.0.1',
    dnsDomain: 'cluster.local',
    clusterName: 'test',
    apiUrl: `https://127.0.0.1:${String(apiPort)}`,
    certSans: ['localhost', '127.0.0.1'],
    algorithm: 'ECDSA-P256',
    nowMs: Date.now(),
    superAdmin: true,
  })
  const pki = (name: string): string => join(kubernetesDir, 'pki', name)
  // Roles are bootstrapped by the server; its members of system:masters need none.
  const kubeconfig = join(kubernetesDir, 'super-admin.conf')
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${String(clientPort)}`, `http://127.0.0.1:${String(peerPort)}`]
  const etcd =
    etcdServers === undefined
      ? startEtcd({ program: etcdProgram, dataDir: join(directory, 'etcd'), place: { name: 'test', client: clientUrl, peer: peerUrl } })
      : null
  const apiServer = spawn(
    join(bin, 'kube-apiserver'),
    [
      ...[
        '--etcd-servers',
        etcdServers?.join(',') ?? clientUrl,
        '--bind-address',
        '127.0.0.1',
        '--secure-port',
        String(apiPort),
        '--advertise-address',
        '192.0.2.1',
      ],
      ...['--endpoint-reconciler-type', 'none', '--service-cluster-ip-range', '10.96.0.0/12', '--authorization-mode', 'RBAC'],
      ...['--tls-cert-file', pki('apiserver.crt'), '--tls-private-key-file', pki('apiserver.key'), '--client-ca-file', pki('ca.crt')],
      ...['--service-account-issuer', 'https://kubernetes.default.svc.cluster.local', '--service-account-key-file', pki('sa.pub')],
      ...['--service-account-signing-key-file', pki('sa.key'), '--disable-admission-plugins', 'ServiceAccount'],
    ],
    { stdio: 'ignore' },
  )
  const [context] = parseKubeconfig(readFileSync(kubeconfig, 'utf8'), kubeconfig)
  if (context === undefined) throw new Error(`${kubeconfig} has no context`)
  const transport = new ContextTransport(context, new SystemClock())
  const { signal } = new AbortController()
  const ready = async (): Promise<void> => {
    const { status } = await transport.request({ method: 'GET', path: '/readyz', signal })
    if (status !== 200) throw new Error(`the API server is not ready: ${String(status)}`)
  }
  try {
    await vi.waitFor(ready, { timeout: 120_000, interval: 500 })
  } catch (error) {
    await end(apiServer)
    await etcd?.stop()
    throw error
  }
  const manager =
    controllers.length === 0
      ? null
      : spawn(
          join(bin, 'kube-controller-manager'),
          [
            '--kubeconfig',
            kubeconfig,
            '--controllers',
            controllers.join(','),
            '--bind-address',
            '127.0.0.1',
            '--secure-port',
            '0',
            '--port',
            '0',
            '--leader-elect=false',
          ],
          { stdio: 'ignore' },
        )
  return {
    kubeconfig,
    transport,
    pki: join(kubernetesDir, 'pki'),
    etcd: etcdServers?.[0] ?? clientUrl,
    stopControllers: async () => {
      if (manager !== null) await end(manager)
    },
    stop: async () => {
      transport.close()
      if (manager !== null) await end(manager)
      await end(apiServer)
      await etcd?.stop()
    },
  }
}
