import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import type { GroupVersionResource } from '#shared/kubernetes/object.ts'
import { proxyRules, restoreText, type ProxyRules } from '#shared/planning/kube-proxy/proxyRules.ts'
import { savedTables, saveText } from '#shared/planning/kube-proxy/savedRules.ts'
import { NODES, SERVICES } from '#electron/client/resources.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { replaceServer } from '#electron/pki/kubeconfig.ts'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { NODE, randomService, type RandomService } from './kubeProxy/randomServices.ts'
import { comparable } from '#test/support/iptablesText.ts'
import { startRealKubeProxy, type RealKubeProxy } from './kubeProxy/realKubeProxy.ts'

// Random Services and EndpointSlices in an embedded API server of 1.20; the real kube-proxy 1.20 watches it in a network namespace of
// its own. The text that it gives to the real iptables-restore must be the one that Drydock makes of the same objects.
const bin = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''
const seed = Number(process.env['DRYDOCK_SEED'] ?? '1')
const rounds = Number(process.env['DRYDOCK_ROUNDS'] ?? '300')
const AT_ONCE = 10
const CLUSTER_CIDR = '10.244.0.0/16'
const PATIENCE_MS = 20_000
const SLICES: GroupVersionResource = { group: 'discovery.k8s.io', version: 'v1beta1', resource: 'endpointslices' }
const report = join('test-results', `kubeProxy-${String(seed)}.txt`)
/** No kubelet runs beside the peer. */
const KUBELETS = /^-A KUBE-MARK-DROP .*\n/m
/** The table and the chains by which it notices that somebody flushed them. */
const NOT_RULES = /^\*mangle\n[^]*?^COMMIT\n|^:KUBE-PROXY-CANARY .*\n/gm
const isRoot = process.getuid?.() === 0

describe.skipIf(bin === '' || !isRoot || !hasProgram('iptables-restore') || !hasProgram('unshare'))('rules and the real kube-proxy 1.20', () => {
  const dir = temporaryDirectory('kube-proxy')
  let api: EmbeddedApi | undefined
  let proxy: RealKubeProxy | undefined
  const { signal } = new AbortController()
  const client = (): RestClient => {
    if (api === undefined) throw new Error('the API server is not there')
    return new RestClient(api.transport, { userAgent: 'test' })
  }

  beforeAll(async () => {
    mkdirSync('test-results', { recursive: true })
    rmSync(report, { force: true })
    api = await startEmbeddedApi(dir, 'v1.20.2')
    await api.call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'admins' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'kubeadm:cluster-admins' }],
    })
    for (const name of ['default', 'shop', 'kube-system']) await api.call('POST', '/api/v1/namespaces', { metadata: { name } })
    await client().create(
      NODES,
      {},
      { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE.name }, status: { addresses: [{ type: 'InternalIP', address: NODE.address }] } },
      signal,
    )
    const kubeconfig = join(dir, 'kubernetes/admin.conf')
    replaceServer(kubeconfig, `https://127.0.0.1:${String(api.port)}`)
    proxy = await startRealKubeProxy({
      directory: dir,
      program: join(bin, 'kube-proxy'),
      kubeconfig,
      apiPort: api.port,
      args: [
        ...['--hostname-override', NODE.name, '--proxy-mode', 'iptables', '--cluster-cidr', CLUSTER_CIDR, '--iptables-min-sync-period', '100ms'],
        ...['--conntrack-max-per-core', '0', '--conntrack-min', '0', '--conntrack-tcp-timeout-established', '0', '--conntrack-tcp-timeout-close-wait', '0'],
      ],
    })
  })
  afterAll(async () => {
    await proxy?.end()
    await api?.close()
  })

  async function create({ service, ingress, slices }: RandomService): Promise<void> {
    const made = await client().create(SERVICES, { namespace: service.metadata.namespace }, service, signal)
    if (ingress.length > 0)
      await client().update(
        SERVICES,
        { namespace: made.metadata.namespace, name: made.metadata.name ?? '', subresource: 'status' },
        { ...made, status: { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } } },
        signal,
      )
    for (const slice of slices) await client().create(SLICES, { namespace: slice.metadata.namespace }, slice, signal)
  }

  async function clear(): Promise<void> {
    for (const gvr of [SERVICES, SLICES])
      await Promise.all(
        (await client().list(gvr, {}, signal)).items.map(({ metadata }) =>
          metadata.name === 'kubernetes' ? undefined : client().delete(gvr, { namespace: metadata.namespace, name: metadata.name ?? '' }, {}, signal),
        ),
      )
  }

  /** @param minor 20 for the peer's */
  async function ours(minor: number): Promise<ProxyRules> {
    const [services, slices] = [await client().list(SERVICES, {}, signal), await client().list(SLICES, {}, signal)]
    return proxyRules({ services: services.items, endpointSlices: slices.items, node: { ...NODE, zone: '' }, clusterCIDR: CLUSTER_CIDR, minor })
  }

  it(`make the same text of ${String(rounds)} Services of seed ${String(seed)}`, async () => {
    if (proxy === undefined) throw new Error('kube-proxy is not there')
    let differences = 0
    let lines = 0
    for (let first = 0; first < rounds; first += AT_ONCE) {
      const services = Array.from({ length: Math.min(AT_ONCE, rounds - first) }, (_, index) =>
        randomService(new SeededRandom(seed * 1_000_003 + first + index), `s${String(seed)}-${String(first + index)}`),
      )
      for (const service of services) await create(service)
      const expected = await ours(20)
      const wanted = comparable(restoreText(expected))
      const endMs = performance.now() + PATIENCE_MS
      while (comparable(proxy.restored()) !== wanted && performance.now() < endMs) await sleep(100)
      lines += wanted.split('\n').length
      if (comparable(proxy.restored()) !== wanted) {
        differences++
        appendFileSync(report, `== from ${String(first)}\n${unlike(wanted, comparable(proxy.restored()))}\n${proxy.log()}\n`)
      }
      const kept = [comparable(saveText(savedTables(expected, 20)).replace(KUBELETS, '')), comparable(proxy.saved().replace(NOT_RULES, ''))]
      if (kept[0] !== kept[1]) {
        differences++
        appendFileSync(report, `== saved, from ${String(first)}\n${unlike(kept[0] ?? '', kept[1] ?? '')}\n`)
      }
      // No peer writes the text of current releases here; the kernel's own iptables at least takes it.
      accepted(restoreText(await ours(36)))
      await clear()
    }
    process.stdout.write(`kube-proxy: ${String(rounds)} Services, ${String(lines)} lines, ${String(differences)} differences\n`)
    expect(differences, `see ${report}`).toBe(0)
  })
})

/** @throws with iptables' message when it refuses the text */
function accepted(text: string): void {
  const { status, stderr } = spawnSync('unshare', ['--net', 'iptables-restore', '--noflush'], { input: text, encoding: 'utf8', timeout: 60_000 })
  if (status !== 0) throw new Error(`iptables-restore refuses the rules of current releases: ${stderr}`)
}

/** Lines that one has and the other has not. */
function unlike(ours: string, theirs: string): string {
  const [own, other] = [ours.split('\n'), theirs.split('\n')]
  return [
    ...own.filter((line) => !other.includes(line)).map((line) => `- ${line}`),
    ...other.filter((line) => !own.includes(line)).map((line) => `+ ${line}`),
  ].join('\n')
}
