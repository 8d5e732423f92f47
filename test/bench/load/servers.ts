import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { issueCertificate } from '#electron/pki/certificate.ts'
import { ensureKubernetesPki, readAuthority } from '#electron/pki/kubernetesPki.ts'
import { freePort } from '#test/support/freePort.ts'
import { builtServer } from './builtServer.ts'
import type { TlsTarget } from './http1Connection.ts'

const YEAR_MS = 365 * 24 * 3_600_000

/** An `/etc/kubernetes` both sides use, and a certificate of a master. */
export interface Pki {
  dir: string
  master: { ca: string; cert: string; key: string }
  etcdClient: { ca: string; cert: string; key: string }
}

export function makePki(kubernetesDir: string): Pki {
  const nowMs = Date.now()
  mkdirSync(kubernetesDir, { recursive: true })
  ensureKubernetesPki({
    kubernetesDir,
    nodeName: 'bench',
    advertiseAddress: '127.0.0.1',
    serviceAddress: '10.96.0.1',
    dnsDomain: 'cluster.local',
    clusterName: 'bench',
    apiUrl: 'https://127.0.0.1:6443',
    certSans: ['localhost', '127.0.0.1'],
    algorithm: 'ECDSA-P256',
    nowMs,
    superAdmin: true,
  })
  const client = (authority: 'ca' | 'etcd-ca'): { ca: string; cert: string; key: string } => {
    const ca = readAuthority(kubernetesDir, authority)
    const subject = { commonName: 'bench', organizations: ['system:masters'] }
    const issued = issueCertificate(
      { subject, isCa: false, dnsNames: [], ipAddresses: [], usages: ['clientAuth'], notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + YEAR_MS },
      ca,
      'ECDSA-P256',
    )
    return { ca: ca.certificate, cert: issued.certificate, key: issued.key }
  }
  return { dir: join(kubernetesDir, 'pki'), master: client('ca'), etcdClient: client('etcd-ca') }
}

/** Processes that serve, and where. */
export interface Served {
  etcd: TlsTarget
  api: TlsTarget
  pids: number[]
  /** From the first process's start until /readyz answered 200; of etcd alone, until it answered. */
  readyMs: number
  end(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
}

export async function endAll(children: ChildProcess[], signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  for (const child of children.toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

/** Asks until the answer is 200. @throws Error when a process ends before */
export async function untilReady(target: TlsTarget, path: string, children: ChildProcess[], stderr: () => string): Promise<void> {
  for (;;) {
    const status = await new Promise<number>((resolve) => {
      const asked = request({ host: '127.0.0.1', path, agent: false, ...target }, (answer) => {
        answer.resume()
        resolve(answer.statusCode ?? 0)
      })
      asked.on('error', () => {
        resolve(0)
      })
      asked.end()
    })
    if (status === 200) return
    const dead = children.find((child) => child.exitCode !== null || child.signalCode !== null)
    if (dead !== undefined) throw new Error(`${dead.spawnfile} ended: ${stderr().slice(-2000)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export function collect(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.on('data', (bytes: Buffer) => {
    text = (text + bytes.toString()).slice(-20_000)
  })
  return () => text
}

/** Real etcd with mutual TLS on an empty directory. */
export async function startRealEtcd(program: string, dataDir: string, pki: Pki, { keep = false } = {}): Promise<Served & { child: ChildProcess }> {
  if (!keep) rmSync(dataDir, { recursive: true, force: true })
  const [clientPort, peerPort] = [await freePort(), await freePort()]
  const [client, peer] = [`https://127.0.0.1:${String(clientPort)}`, `https://127.0.0.1:${String(peerPort)}`]
  const startedMs = performance.now()
  const child = spawn(
    program,
    [
      ...['--name', 'bench', '--data-dir', dataDir, '--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `bench=${peer}`],
      ...['--cert-file', join(pki.dir, 'etcd/server.crt'), '--key-file', join(pki.dir, 'etcd/server.key')],
      ...['--client-cert-auth', '--trusted-ca-file', join(pki.dir, 'etcd/ca.crt')],
      ...['--peer-cert-file', join(pki.dir, 'etcd/peer.crt'), '--peer-key-file', join(pki.dir, 'etcd/peer.key')],
      ...['--peer-client-cert-auth', '--peer-trusted-ca-file', join(pki.dir, 'etcd/ca.crt')],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const stderr = collect(child)
  const target = { port: clientPort, ...pki.etcdClient }
  await untilReady(target, '/health', [child], stderr)
  return {
    etcd: target,
    api: target,
    pids: [child.pid ?? 0],
    readyMs: performance.now() - startedMs,
    child,
    end: () => endAll([child]),
    kill: () => endAll([child], 'SIGKILL'),
  }
}

/** Real kube-apiserver over any etcd. */
export async function startRealApiServer(
  bin: string,
  { pki, etcdPort, apiServerArgs = [] }: { pki: Pki; etcdPort: number; apiServerArgs?: string[] },
): Promise<{ api: TlsTarget; child: ChildProcess; readyMs: number; end(): Promise<void> }> {
  const port = await freePort()
  const file = (name: string): string => join(pki.dir, name)
  const startedMs = performance.now()
  const child = spawn(
    join(bin, 'kube-apiserver'),
    [
      ...['--bind-address', '127.0.0.1', '--secure-port', String(port), '--advertise-address', '192.0.2.1', '--allow-privileged=true'],
      ...['--authorization-mode', 'Node,RBAC', '--enable-admission-plugins', 'NodeRestriction', '--client-ca-file', file('ca.crt')],
      ...['--tls-cert-file', file('apiserver.crt'), '--tls-private-key-file', file('apiserver.key')],
      ...['--etcd-servers', `https://127.0.0.1:${String(etcdPort)}`, '--etcd-cafile', file('etcd/ca.crt')],
      ...['--etcd-certfile', file('apiserver-etcd-client.crt'), '--etcd-keyfile', file('apiserver-etcd-client.key')],
      ...['--service-account-issuer', 'https://kubernetes.default.svc.cluster.local', '--service-account-key-file', file('sa.pub')],
      ...['--service-account-signing-key-file', file('sa.key'), '--service-cluster-ip-range', '10.96.0.0/16'],
      ...apiServerArgs,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const stderr = collect(child)
  const api = { port, ...pki.master }
  await untilReady(api, '/readyz', [child], stderr)
  return { api, child, readyMs: performance.now() - startedMs, end: () => endAll([child]) }
}

/** Real kube-apiserver over a real etcd. */
export async function startRealControlPlane(
  { bin, etcd: etcdProgram }: { bin: string; etcd: string },
  dataDir: string,
  pki: Pki,
  { apiServerArgs = [], ...options }: { keep?: boolean; apiServerArgs?: string[] } = {},
): Promise<Served> {
  const etcd = await startRealEtcd(etcdProgram, dataDir, pki, options)
  const { api, child, readyMs } = await startRealApiServer(bin, { pki, etcdPort: etcd.etcd.port, apiServerArgs })
  return {
    etcd: etcd.etcd,
    api,
    pids: [etcd.child.pid ?? 0, child.pid ?? 0],
    readyMs: etcd.readyMs + readyMs,
    end: () => endAll([etcd.child, child]),
    kill: () => endAll([etcd.child, child], 'SIGKILL'),
  }
}

/** Real kube-scheduler, alone; `onLine` is told what it logs. */
export async function startRealScheduler(
  bin: string,
  { kubeconfig, args = [], onLine }: { kubeconfig: string; args?: string[]; onLine?: (line: string) => void },
): Promise<{ pid: number; end(): Promise<void> }> {
  const port = await freePort()
  const child = spawn(
    join(bin, 'kube-scheduler'),
    [
      ...['--kubeconfig', kubeconfig, '--authentication-kubeconfig', kubeconfig, '--authorization-kubeconfig', kubeconfig],
      ...['--leader-elect=false', '--bind-address', '127.0.0.1', '--secure-port', String(port), '--port', '0'],
      ...args,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const stderr = collect(child)
  if (onLine !== undefined) createInterface({ input: child.stderr }).on('line', onLine)
  await untilReady({ port, ca: '', cert: '', key: '', rejectUnauthorized: false } as TlsTarget, '/healthz', [child], stderr)
  return { pid: child.pid ?? 0, end: () => endAll([child]) }
}

/** Drydock's etcd and API server in a process of their own, as kube-apiserver and etcd are without other components. */
export async function startEmbedded(
  dataDir: string,
  pki: Pki,
  { keep = false, etcdOnly = false, scheduler = false, nodeArgs = [] as string[], version = 'v1.20.2' } = {},
): Promise<Served> {
  if (!keep) rmSync(dataDir, { recursive: true, force: true })
  mkdirSync(dataDir, { recursive: true })
  const program = await builtServer()
  const startedMs = performance.now()
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', ...nodeArgs, program, dataDir, pki.dir, etcdOnly ? 'etcd' : scheduler ? 'scheduler' : 'all', version],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const stderr = collect(child)
  const line = await Promise.race([once(createInterface({ input: child.stdout }), 'line').then(([text]) => String(text)), once(child, 'exit').then(() => '')])
  if (line === '') throw new Error(`the embedded server ended: ${stderr()}`)
  const { etcdPort, apiPort } = JSON.parse(line) as { etcdPort: number; apiPort: number }
  const etcd = { port: etcdPort, ...pki.etcdClient }
  const api = { port: apiPort, ...pki.master }
  await (etcdOnly ? untilReady(etcd, '/health', [child], stderr) : untilReady(api, '/readyz', [child], stderr))
  return { etcd, api, pids: [child.pid ?? 0], readyMs: performance.now() - startedMs, end: () => endAll([child]), kill: () => endAll([child], 'SIGKILL') }
}
