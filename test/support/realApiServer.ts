import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { vi } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { parseKubeconfig } from '#electron/clusters/kubeconfig.ts'
import { ContextTransport } from '#electron/clusters/contextTransport.ts'
import { ensureKubernetesPki } from '#electron/pki/kubernetesPki.ts'
import { freePort } from './peers.ts'

/** A real etcd and kube-apiserver with the controllers asked for, on loopback. Nothing else writes to them. */
export interface RealApiServer {
  kubeconfig: string
  transport: ContextTransport
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
 */
export async function startRealApiServer({
  directory,
  bin,
  controllers,
}: {
  directory: string
  bin: string
  controllers: readonly string[]
}): Promise<RealApiServer> {
  const [clientPort, peerPort, apiPort] = [await freePort(), await freePort(), await freePort()]
  const kubernetesDir = join(directory, 'kubernetes')
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
  const etcd = spawn(
    'etcd',
    [
      ...['--data-dir', join(directory, 'etcd'), '--name', 'test', '--initial-cluster', `test=${peerUrl}`, '--initial-advertise-peer-urls', peerUrl],
      ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl, '--listen-peer-urls', peerUrl],
    ],
    { stdio: 'ignore' },
  )
  const apiServer = spawn(
    join(bin, 'kube-apiserver'),
    [
      ...['--etcd-servers', clientUrl, '--bind-address', '127.0.0.1', '--secure-port', String(apiPort), '--advertise-address', '192.0.2.1'],
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
    await end(etcd)
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
    stop: async () => {
      transport.close()
      if (manager !== null) await end(manager)
      await end(apiServer)
      await end(etcd)
    },
  }
}
