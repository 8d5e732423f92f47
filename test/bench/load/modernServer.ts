import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '#test/support/freePort.ts'
import { collect, endAll, startRealEtcd, untilReady, type Pki, type Served } from './servers.ts'

/** What a folder needs for `startModernServer`. */
export function hasModernServer(bin: string): boolean {
  return bin !== '' && existsSync(join(bin, 'apiextensions-apiserver')) && existsSync(join(bin, 'etcd'))
}

/**
 * The API server for custom resources of a newer release, alone, on an etcd of its own (3.5: it asks for progress). Who may do what and
 * which namespaces there are it learns from another API server.
 */
export async function startModernServer(bin: string, dataDir: string, pki: Pki, other: Served): Promise<Served> {
  mkdirSync(dataDir, { recursive: true })
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const kubeconfig = join(dataDir, 'kubeconfig')
  const { ca, cert, key } = pki.master
  const user = { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) }
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'bench', cluster: { server: `https://127.0.0.1:${String(other.api.port)}`, 'certificate-authority-data': base64(ca) } }],
      users: [{ name: 'bench', user }],
      contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
      'current-context': 'bench',
    }),
    { mode: 0o600 },
  )
  const etcd = await startRealEtcd(join(bin, 'etcd'), join(dataDir, 'etcd'), pki)
  const port = await freePort()
  const file = (name: string): string => join(pki.dir, name)
  const startedMs = performance.now()
  const child = spawn(
    join(bin, 'apiextensions-apiserver'),
    [
      ...['--bind-address', '127.0.0.1', '--secure-port', String(port), '--client-ca-file', file('ca.crt')],
      ...['--tls-cert-file', file('apiserver.crt'), '--tls-private-key-file', file('apiserver.key')],
      ...['--etcd-servers', `https://127.0.0.1:${String(etcd.etcd.port)}`, '--etcd-cafile', file('etcd/ca.crt')],
      ...['--etcd-certfile', file('apiserver-etcd-client.crt'), '--etcd-keyfile', file('apiserver-etcd-client.key')],
      ...['--kubeconfig', kubeconfig, '--authentication-kubeconfig', kubeconfig, '--authorization-kubeconfig', kubeconfig],
      // What needs kinds that the other server does not have.
      '--enable-priority-and-fairness=false',
      ...['--disable-admission-plugins', 'ValidatingAdmissionPolicy,MutatingAdmissionPolicy,ValidatingAdmissionWebhook,MutatingAdmissionWebhook'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const api = { port, ...pki.master }
  const children = [etcd.child, child]
  try {
    await untilReady(api, '/readyz', [child], collect(child))
  } catch (error) {
    await endAll(children)
    throw error
  }
  return {
    etcd: etcd.etcd,
    api,
    pids: children.map(({ pid }) => pid ?? 0),
    readyMs: etcd.readyMs + performance.now() - startedMs,
    end: () => endAll(children),
    kill: () => endAll(children, 'SIGKILL'),
  }
}
