import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { replaceServer } from '#electron/pki/kubeconfig.ts'
import type { Benchmark } from './benchmark.ts'
import { Http1Connection, http1Request } from './load/http1Connection.ts'
import { LoadProcess } from './load/loadProcess.ts'
import { alternately, Measures, type Side } from './load/measures.ts'
import { cpuMs, residentBytes } from './load/processUsage.ts'
import { makePki, startEmbedded, startRealControlPlane, startRealScheduler, type Pki, type Served } from './load/servers.ts'

const NODES = Number(process.env['DRYDOCK_NODES'] ?? 1_000)
const PODS = Number(process.env['DRYDOCK_PODS'] ?? 1_000)
const ROUNDS = Number(process.env['DRYDOCK_ROUNDS'] ?? 3)
const JSON_BODY = { 'content-type': 'application/json' }
const PODS_PATH = '/api/v1/namespaces/default/pods'
const binaries = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''
/** For the embedded server's process, e.g. `--cpu-prof --cpu-prof-dir=DIR`. */
const nodeArgs = (process.env['DRYDOCK_NODE_ARGS'] ?? '').split(' ').filter((each) => each !== '')
const etcdProgram = process.env['DRYDOCK_ETCD'] ?? 'etcd'

/** Ten zones, as large clusters have; room for all the pods of a round. */
function node(zone: number): object {
  const resources = { cpu: '32', memory: '128Gi', pods: '110' }
  const labels = { 'kubernetes.io/hostname': 'n-{i}', 'topology.kubernetes.io/zone': `z${String(zone)}` }
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n-{i}', labels }, status: { capacity: resources, allocatable: resources } }
}

function pod(kind: string, spec: object): string {
  const container = { name: 'main', image: 'main:1', resources: { requests: { cpu: '100m', memory: '200Mi' } } }
  // Nobody makes tokens here.
  const all = { automountServiceAccountToken: false, terminationGracePeriodSeconds: 0, containers: [container], ...spec }
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: `${kind}-{i}`, labels: { app: kind } }, spec: all })
}

const selector = (app: string): object => ({ labelSelector: { matchLabels: { app } } })
const KINDS: Record<string, string> = {
  plain: pod('plain', {}),
  spread: pod('spread', {
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule', ...selector('spread') }],
  }),
  'anti-affinity': pod('anti-affinity', {
    affinity: {
      podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', ...selector('anti-affinity') }] },
    },
  }),
}

async function call(
  { served }: Side,
  method: string,
  path: string,
  body?: object,
  contentType = 'application/json',
): Promise<{ status: number; text: string }> {
  const connection = await Http1Connection.open(served.api)
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': contentType } }
  const answer = await connection.request(http1Request(method, path, sent), true)
  connection.close()
  return { status: answer.status, text: answer.body?.toString() ?? '' }
}

class Run {
  readonly measures = new Measures('scheduler')
  readonly #writers = new LoadProcess()
  readonly #watcher = new LoadProcess()

  end(): void {
    this.#writers.end()
    this.#watcher.end()
  }

  /** Nodes without the taint that a new one gets, which only a controller would take off. */
  async nodes(side: Side): Promise<void> {
    await call(side, 'POST', '/api/v1/namespaces/default/serviceaccounts', { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } })
    const share = Math.ceil(NODES / 10)
    for (let zone = 0; zone < 10; zone++) {
      const work = { target: side.served.api, headers: JSON_BODY, from: zone * share, count: Math.min(share, NODES - zone * share), connections: 8 }
      if (work.count <= 0) return
      await this.#writers.requests({ ...work, method: 'POST', path: '/api/v1/nodes', body: JSON.stringify(node(zone)), expect: 201 })
      const headers = { 'content-type': 'application/merge-patch+json' }
      await this.#writers.requests({ ...work, method: 'PATCH', path: '/api/v1/nodes/n-{i}', headers, body: '{"spec":{"taints":null}}', expect: 200 })
    }
  }

  /** From the first pod's creation until the last is bound, as a watch sees it. */
  async bind(side: Side, kind: string, round: number): Promise<void> {
    const { api, pids } = side.served
    const listed = JSON.parse((await call(side, 'GET', `${PODS_PATH}?limit=1`)).text) as { metadata: { resourceVersion: string } }
    const query = `watch=true&fieldSelector=spec.nodeName!%3D&resourceVersion=${listed.metadata.resourceVersion}`
    const before = cpuMs(pids)
    const startedMs = performance.now()
    const bound = this.#watcher.watches({ target: api, path: `${PODS_PATH}?${query}`, watchers: 1, events: PODS }, () => undefined)
    const create = { method: 'POST', path: PODS_PATH, headers: JSON_BODY, body: KINDS[kind] ?? '', expect: 201 }
    await this.#writers.requests({ target: api, ...create, from: round * PODS, count: PODS, connections: 16 })
    await bound
    const elapsedMs = performance.now() - startedMs
    this.measures.add(side.name, `${kind}: pods bound`, 'per s', (1000 * PODS) / elapsedMs)
    this.measures.add(side.name, `${kind}: all servers' CPU`, 'ms a pod', (cpuMs(pids) - before) / PODS)
    await this.#empty(side)
  }

  async #empty(side: Side): Promise<void> {
    for (;;) {
      await call(side, 'DELETE', `${PODS_PATH}?gracePeriodSeconds=0`)
      const left = JSON.parse((await call(side, 'GET', `${PODS_PATH}?limit=1`)).text) as { items: unknown[] | null }
      if ((left.items ?? []).length === 0) return
    }
  }
}

/** kube-scheduler, kube-apiserver and etcd; null without their programs. */
async function startPeer(dir: string, kubernetesDir: string, pki: Pki): Promise<{ served: Served; end(): Promise<void> } | null> {
  if (!existsSync(join(binaries, 'kube-scheduler'))) return null
  const served = await startRealControlPlane({ bin: binaries, etcd: etcdProgram }, join(dir, 'peer'), pki)
  const kubeconfig = join(kubernetesDir, 'scheduler.conf')
  replaceServer(kubeconfig, `https://127.0.0.1:${String(served.api.port)}`)
  // Its client's own limit, 50 requests a second by default, would be all that is measured.
  const scheduler = await startRealScheduler(binaries, { kubeconfig, args: ['--kube-api-qps', '5000', '--kube-api-burst', '5000'] })
  served.pids.push(scheduler.pid)
  return {
    served,
    end: async () => {
      await scheduler.end()
      await served.end()
    },
  }
}

export const benchmark: Benchmark = {
  name: 'scheduler',
  description: `${String(PODS)} pods made by 16 clients and bound on ${String(NODES)} nodes, against kube-scheduler, kube-apiserver and etcd`,
  missing: () => null,
  async run() {
    const dir = mkdtempSync(join(tmpdir(), 'drydock-bench-'))
    const kubernetesDir = join(dir, 'kubernetes')
    const pki = makePki(kubernetesDir)
    const ours = await startEmbedded(join(dir, 'ours'), pki, { scheduler: true, nodeArgs })
    const peer = await startPeer(dir, kubernetesDir, pki)
    const run = new Run()
    try {
      const sides: Side[] = [{ name: 'ours', served: ours }]
      if (peer === null) process.stdout.write('  no peer: DRYDOCK_KUBERNETES_BIN names no folder with kube-scheduler and kube-apiserver\n')
      else sides.push({ name: 'peer', served: peer.served })
      for (const side of sides) await run.nodes(side)
      for (const kind of Object.keys(KINDS)) await alternately(sides, ROUNDS, (side, round) => run.bind(side, kind, round))
      for (const side of sides) run.measures.add(side.name, 'memory of all servers afterwards', 'MB', residentBytes(side.served.pids) / 1e6)
      return run.measures.rows()
    } finally {
      run.end()
      await ours.end()
      await peer?.end()
      rmSync(dir, { recursive: true, force: true })
    }
  },
}
