import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SystemClock } from '#shared/base/clock.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { objectsAt } from '#shared/planning/scheduling/pod.ts'
import { DEPLOYMENTS, NODES, PODS } from '#electron/client/resources.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { ContextTransport } from '#electron/clusters/contextTransport.ts'
import { parseKubeconfig } from '#electron/clusters/kubeconfig.ts'
import { startCluster } from '#test/support/runningCluster.ts'
import type { Benchmark, BenchmarkRow } from './benchmark.ts'
import { cpuMs, residentBytes } from './load/processUsage.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

const COUNT = Number(process.env['DRYDOCK_NODES'] ?? 5_000)
const REPLICAS = Number(process.env['DRYDOCK_PODS'] ?? 50_000)
const DRAINED = Math.ceil(COUNT / 10)
const WORKLOADS = 20
const REST_MS = 30_000
const POLL_MS = 500
/** Evictions under way at once. */
const EVICTORS = 16

function deployment(index: number): object {
  const labels = { app: `work-${String(index)}` }
  const container = { name: 'main', image: 'registry.k8s.io/pause:3.9', resources: { requests: { cpu: '10m', memory: '8Mi' } } }
  const spec = { terminationGracePeriodSeconds: 0, containers: [container] }
  const metadata = { name: labels.app }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: { replicas: Math.ceil(REPLICAS / WORKLOADS), selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  }
}

class Watchful {
  readonly #client: RestClient
  readonly signal = new AbortController().signal

  constructor(client: RestClient) {
    this.#client = client
  }

  async until(look: () => Promise<boolean>): Promise<number> {
    const startedMs = performance.now()
    while (!(await look())) await sleep(POLL_MS)
    return (performance.now() - startedMs) / 1000
  }

  async ready(): Promise<boolean> {
    const { items } = await this.#client.list(DEPLOYMENTS, { namespace: 'default' }, this.signal)
    return items.reduce((sum, item) => sum + Number(objectAt(item['status'])['readyReplicas'] ?? 0), 0) >= WORKLOADS * Math.ceil(REPLICAS / WORKLOADS)
  }

  async nodes(): Promise<KubeObject[]> {
    const { items } = await this.#client.list(NODES, {}, this.signal)
    return items.filter((node) => objectsAt(objectAt(node['status'])['conditions']).some(({ type, status }) => type === 'Ready' && status === 'True'))
  }

  /** Cordons nodes and evicts what is on them. */
  async drain(names: readonly string[]): Promise<void> {
    const left = [...names]
    await Promise.all(
      Array.from({ length: EVICTORS }, async () => {
        for (let name = left.pop(); name !== undefined; name = left.pop()) await this.#drainOne(name)
      }),
    )
  }

  async #drainOne(name: string): Promise<void> {
    await this.#client.patch(NODES, { name }, { spec: { unschedulable: true } }, { type: 'merge' }, this.signal)
    const on = async (): Promise<KubeObject[]> =>
      (await this.#client.list(PODS, { namespace: 'default', fieldSelector: `spec.nodeName=${name}` }, this.signal)).items
    for (const { metadata } of await on()) {
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: metadata.name, namespace: 'default' } }
      try {
        await this.#client.create(PODS, { namespace: 'default', name: metadata.name ?? '', subresource: 'eviction' }, eviction, this.signal)
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
    await this.until(async () => (await on()).length === 0)
  }
}

export const benchmark: Benchmark = {
  name: 'cluster',
  description: `the whole embedded cluster with ${String(COUNT)} simulated nodes and ${String(REPLICAS)} pods`,
  missing: () => null,
  async run() {
    const dir = mkdtempSync(join(tmpdir(), 'drydock-bench-'))
    const rows: BenchmarkRow[] = []
    const row = (measure: string, unit: string, ours: number): void => {
      rows.push({ benchmark: 'cluster', measure, unit, ours, peer: null })
      process.stderr.write(`  ${measure}: ${ours.toFixed(1)} ${unit}\n`)
    }
    const cluster = await startCluster(join(dir, 'data'), ['--nodes', String(COUNT), '--etcd-port', '0'])
    const pids = [cluster.process.pid ?? 0]
    // Of system:masters: never asked to come again later while the nodes start.
    const kubeconfig = join(dirname(cluster.kubeconfig), 'super-admin.conf')
    const [context] = parseKubeconfig(readFileSync(kubeconfig, 'utf8'), kubeconfig)
    if (context === undefined) throw new Error(`${kubeconfig} has no context`)
    const transport = new ContextTransport(context, new SystemClock())
    const client = new RestClient(transport, { userAgent: 'bench' })
    const watchful = new Watchful(client)
    try {
      row('start until the API server is ready', 's', cluster.readyMs / 1000)
      row('until all nodes are Ready', 's', await watchful.until(async () => (await watchful.nodes()).length >= COUNT))
      row('memory with all nodes', 'MB', residentBytes(pids) / 1e6)
      const before = cpuMs(pids)
      const startedMs = performance.now()
      for (let index = 0; index < WORKLOADS; index++) await client.create(DEPLOYMENTS, { namespace: 'default' }, deployment(index), watchful.signal)
      await watchful.until(() => watchful.ready())
      const seconds = (performance.now() - startedMs) / 1000
      row('until all pods are Running and Ready', 's', seconds)
      row('pods a second', 'per s', REPLICAS / seconds)
      row('CPU for each pod', 'ms', (cpuMs(pids) - before) / REPLICAS)
      row('memory with all pods', 'MB', residentBytes(pids) / 1e6)
      const restBefore = cpuMs(pids)
      await sleep(REST_MS)
      row('CPU at rest', '% of a core', (100 * (cpuMs(pids) - restBefore)) / REST_MS)
      const names = (await watchful.nodes()).map(({ metadata }) => metadata.name ?? '').filter((name) => name !== 'controlplane')
      const drainMs = performance.now()
      await watchful.drain(names.slice(0, DRAINED))
      row(`drain of ${String(DRAINED)} nodes`, 's', (performance.now() - drainMs) / 1000)
      await watchful.until(() => watchful.ready())
      row('the same until all pods are Ready elsewhere', 's', (performance.now() - drainMs) / 1000)
      return rows
    } finally {
      transport.close()
      await cluster.end()
      rmSync(dir, { recursive: true, force: true })
    }
  },
}
