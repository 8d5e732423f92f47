import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ApiConnection, type ApiAnswer } from '#test/support/apiConnection.ts'
import { freePort, hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster } from '#test/support/runningCluster.ts'

const BIN = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''
const ADMIN = 'admin-token-of-this-proof'
const SECRETS = '/api/v1/namespaces/default/secrets'

const configuration = (provider: string): string =>
  `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - ${provider}: {keys: [{name: key1, secret: ${Buffer.alloc(32, provider).toString('base64')}}]}
`

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

/** A real etcd over a snapshot, and a real kube-apiserver over it. */
async function realServer(options: { directory: string; snapshot: string; pki: string; encryption: string }): Promise<{
  call: (path: string, body?: object) => Promise<ApiAnswer>
  save: (path: string) => Promise<void>
  stop: () => Promise<void>
}> {
  const { directory, snapshot, pki, encryption } = options
  mkdirSync(directory, { recursive: true })
  const [clientPort, peerPort, apiPort] = [await freePort(), await freePort(), await freePort()]
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${String(clientPort)}`, `http://127.0.0.1:${String(peerPort)}`]
  const member = ['--name', 'proof', '--initial-cluster', `proof=${peerUrl}`, '--initial-advertise-peer-urls', peerUrl]
  const dataDir = join(directory, 'etcd')
  const restored = await runProgram('etcdctl', ['snapshot', 'restore', snapshot, '--data-dir', dataDir, ...member], { env: { ETCDCTL_API: '3' } })
  expect(restored.code, restored.stderr).toBe(0)
  const urls = ['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl, '--listen-peer-urls', peerUrl]
  const etcd = spawn('etcd', ['--data-dir', dataDir, ...member, ...urls], { stdio: 'ignore' })
  const tokens = join(directory, 'tokens.csv')
  writeFileSync(tokens, `${ADMIN},admin,u-1,"system:masters"\n`)
  const apiServer = spawn(
    join(BIN, 'kube-apiserver'),
    [
      ...['--etcd-servers', clientUrl, '--bind-address', '127.0.0.1', '--secure-port', String(apiPort), '--advertise-address', '192.0.2.1'],
      ...['--endpoint-reconciler-type', 'none', '--service-cluster-ip-range', '10.96.0.0/12', '--authorization-mode', 'RBAC'],
      ...['--tls-cert-file', join(pki, 'apiserver.crt'), '--tls-private-key-file', join(pki, 'apiserver.key'), '--client-ca-file', join(pki, 'ca.crt')],
      ...['--service-account-issuer', 'https://kubernetes.default.svc.cluster.local', '--service-account-key-file', join(pki, 'sa.pub')],
      ...['--service-account-signing-key-file', join(pki, 'sa.key'), '--token-auth-file', tokens, '--encryption-provider-config', encryption],
    ],
    { stdio: 'ignore' },
  )
  const connection = new ApiConnection({
    server: `https://127.0.0.1:${String(apiPort)}`,
    ca: readFileSync(join(pki, 'ca.crt'), 'utf8'),
    own: { certificate: '', key: '' },
  })
  const call = (path: string, body?: object): Promise<ApiAnswer> =>
    connection.call({ path, body, certificate: null, headers: { authorization: `Bearer ${ADMIN}` } })
  await expect
    .poll(
      () =>
        call('/readyz').then(
          ({ status }) => status,
          () => 0,
        ),
      { timeout: 120_000, interval: 500 },
    )
    .toBe(200)
  return {
    call,
    save: async (path) => {
      const saved = await runProgram('etcdctl', ['--endpoints', clientUrl, 'snapshot', 'save', path], { env: { ETCDCTL_API: '3' } })
      expect(saved.code, saved.stderr).toBe(0)
    },
    stop: async () => {
      connection.close()
      await stop(apiServer)
      await stop(etcd)
    },
  }
}

const dataOf = ({ json }: ApiAnswer): unknown => json?.['data']
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe.skipIf(BIN === '' || !hasProgram('etcd') || !hasProgram('etcdctl'))('secrets encrypted here and by the real kube-apiserver', () => {
  const directory = temporaryDirectory('encryption-proof')

  it.each(['aescbc', 'aesgcm', 'secretbox'])('read each other: %s', async (provider) => {
    const own = join(directory, provider)
    mkdirSync(own, { recursive: true })
    const encryption = join(own, 'encryption.yaml')
    writeFileSync(encryption, configuration(provider))
    const args = ['--nodes', '1', '--kubernetes-version', 'v1.20.2', '--encryption-provider-config', encryption]
    const first = await startCluster(join(own, 'ours'), args)
    const ours = ApiConnection.of(first.kubeconfig)
    expect((await ours.call({ path: SECRETS, body: { metadata: { name: 'from-drydock' }, stringData: { a: 'drydock' } } })).status).toBe(201)
    const kept = await first.etcdctl(['get', '/registry/secrets/default/from-drydock', '--print-value-only'])
    expect(kept.stdout).toContain(`k8s:enc:${provider}:v1:key1:`)
    const snapshot = join(own, 'ours.db')
    expect((await first.etcdctl(['snapshot', 'save', snapshot])).code).toBe(0)
    ours.close()
    await first.end()
    const real = await realServer({ directory: join(own, 'real'), snapshot, pki: first.pki, encryption })
    try {
      expect(dataOf(await real.call(`${SECRETS}/from-drydock`))).toEqual({ a: base64('drydock') })
      expect((await real.call(SECRETS, { metadata: { name: 'from-upstream' }, stringData: { a: 'upstream' } })).status).toBe(201)
      await real.save(join(own, 'real.db'))
    } finally {
      await real.stop()
    }
    const second = await startCluster(join(own, 'again'), [...args, '--from-snapshot', join(own, 'real.db')])
    const again = ApiConnection.of(second.kubeconfig)
    expect(dataOf(await again.call({ path: `${SECRETS}/from-upstream` }))).toEqual({ a: base64('upstream') })
    expect(dataOf(await again.call({ path: `${SECRETS}/from-drydock` }))).toEqual({ a: base64('drydock') })
    again.close()
    await second.end()
  })
})
