import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Benchmark } from './benchmark.ts'
import { Http1Connection, http1Request } from './load/http1Connection.ts'
import { LoadProcess } from './load/loadProcess.ts'
import { realisticPod } from './load/pods.ts'
import { alternately, Measures, type Side } from './load/measures.ts'
import { cpuMs, median, residentBytes } from './load/processUsage.ts'
import { makePki, startEmbedded, startRealControlPlane } from './load/servers.ts'
import type { Done, Requests } from './load/work.ts'

/** More of them cost time and show memory. */
const PODS = Number(process.env['DRYDOCK_PODS'] ?? 10_000)
const CUSTOM = 2_000
const ROUNDS = Number(process.env['DRYDOCK_ROUNDS'] ?? 5)
const PODS_PATH = '/api/v1/namespaces/default/pods'
const JSON_BODY = { 'content-type': 'application/json' }
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
const GZIP = { 'accept-encoding': 'gzip' }
const binaries = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''
const etcdProgram = process.env['DRYDOCK_ETCD'] ?? 'etcd'

class Run {
  readonly measures = new Measures('apiserver')
  readonly #load = new LoadProcess()
  readonly #writers = new LoadProcess()

  end(): void {
    this.#load.end()
    this.#writers.end()
  }

  requests({ served }: Side, work: Omit<Requests, 'type' | 'target'>): Promise<Done> {
    return this.#load.requests({ target: served.api, ...work })
  }

  /** Times requests and the servers' CPU for them. */
  async #timed(side: Side, measure: string, work: Omit<Requests, 'type' | 'target'>): Promise<Done> {
    const before = cpuMs(side.served.pids)
    const done = await this.requests(side, work)
    const cpu = cpuMs(side.served.pids) - before
    this.measures.add(side.name, `${measure}: server CPU`, 'ms each', cpu / work.count)
    this.measures.add(side.name, `${measure}: client busy`, '%', (100 * done.clientCpuMs) / done.elapsedMs)
    return done
  }

  async latency(side: Side, measure: string, work: Omit<Requests, 'type' | 'target'>): Promise<void> {
    const done = await this.#timed(side, measure, work)
    this.measures.add(side.name, `${measure}: median`, 'ms', median(done.latenciesMs))
    if (done.bytes > 1e6) this.measures.add(side.name, `${measure}: rate`, 'MB/s', done.bytes / 1000 / done.elapsedMs)
  }

  async throughput(side: Side, measure: string, work: Omit<Requests, 'type' | 'target'>): Promise<void> {
    const done = await this.#timed(side, measure, work)
    this.measures.add(side.name, measure, 'per s', (1000 * work.count) / done.elapsedMs)
  }

  async fanOut(side: Side, watchers: number, updates: number): Promise<void> {
    const { api, pids } = side.served
    const version = await resourceVersion(side)
    const ready = Promise.withResolvers<undefined>()
    const events = updates / ROUNDS
    const watching = this.#load.watches({ target: api, path: `${PODS_PATH}?watch=true&resourceVersion=${version}`, watchers, events }, () => {
      ready.resolve(undefined)
    })
    const before = cpuMs(pids)
    const body = JSON.stringify({ metadata: { annotations: { round: '{i}' } } })
    // The head of a watch's answer comes at once; its first line only with the first event.
    const started = performance.now()
    await this.#writers.requests({
      target: api,
      method: 'PATCH',
      path: `${PODS_PATH}/shop-frontend-7d9c5b8f64-{i}`,
      headers: { 'content-type': 'application/merge-patch+json' },
      body: body.replace('{i}', `${side.name}-${String(started)}-{i}`),
      count: events,
      connections: 8,
      expect: 200,
    })
    const { clientCpuMs } = await watching
    const elapsedMs = performance.now() - started
    this.measures.add(side.name, `watch, ${String(watchers)} watchers`, 'events/s', (1000 * watchers * events) / elapsedMs)
    this.measures.add(side.name, `watch, ${String(watchers)} watchers: server CPU`, 'us an event', (1000 * (cpuMs(pids) - before)) / (watchers * events))
    this.measures.add(side.name, `watch, ${String(watchers)} watchers: client busy`, '%', (100 * clientCpuMs) / elapsedMs)
  }
}

async function resourceVersion({ served }: Side): Promise<string> {
  const connection = await Http1Connection.open(served.api)
  const { body } = await connection.request(http1Request('GET', `${PODS_PATH}?limit=1`), true)
  connection.close()
  return (JSON.parse(body?.toString('utf8') ?? '') as { metadata: { resourceVersion: string } }).metadata.resourceVersion
}

async function makeServiceAccount({ served }: Side): Promise<void> {
  const connection = await Http1Connection.open(served.api)
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } })
  await connection.request(http1Request('POST', '/api/v1/namespaces/default/serviceaccounts', { headers: JSON_BODY, body }))
  connection.close()
}

const DEFINITION = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'shops.example.org' },
  spec: {
    group: 'example.org',
    scope: 'Namespaced',
    names: { plural: 'shops', singular: 'shop', kind: 'Shop', listKind: 'ShopList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  owner: { type: 'string' },
                  size: { type: 'integer', default: 3 },
                  articles: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, price: { type: 'number' } } } },
                },
              },
            },
          },
        },
      },
    ],
  },
}

/** Custom resources of about 1 kB, where structural schemas are checked and defaulted. */
async function customResources(run: Run, sides: Side[]): Promise<void> {
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const path = '/apis/example.org/v1/namespaces/default/shops'
  for (const { served } of sides) {
    const connection = await Http1Connection.open(served.api)
    await connection.request(http1Request('POST', definitions, { headers: JSON_BODY, body: JSON.stringify(DEFINITION) }))
    while ((await connection.request(http1Request('GET', path))).status !== 200) await new Promise((resolve) => setTimeout(resolve, 50))
    connection.close()
  }
  const articles = Array.from({ length: 12 }, (_, index) => ({ name: `article ${String(index)} of the spring catalogue`, price: index + 0.5 }))
  const shop = JSON.stringify({ apiVersion: 'example.org/v1', kind: 'Shop', metadata: { name: 'shop-{i}' }, spec: { owner: 'nobody in particular', articles } })
  const create = { method: 'POST', path, headers: JSON_BODY, body: shop, expect: 201, connections: 32 }
  const each = (work: (side: Side, round: number) => Promise<void>): Promise<void> => alternately(sides, ROUNDS, work)
  await each((side, round) => run.throughput(side, 'custom: create, 32 clients', { ...create, from: round * 300, count: 300 }))
  for (const side of sides) await run.requests(side, { ...create, from: ROUNDS * 300, count: Math.max(0, CUSTOM - ROUNDS * 300) })
  await each((side) => run.throughput(side, 'custom: GET, 32 clients', { method: 'GET', path: `${path}/shop-7`, expect: 200, connections: 32, count: 1000 }))
  await each((side) => run.latency(side, `custom: LIST of ${String(CUSTOM)}`, { method: 'GET', path, expect: 200, connections: 1, count: 3 }))
}

async function measure(run: Run, sides: Side[]): Promise<void> {
  const each = (work: (side: Side, round: number) => Promise<void>): Promise<void> => alternately(sides, ROUNDS, work)
  const pod = JSON.stringify(realisticPod())
  const create = { method: 'POST', path: PODS_PATH, headers: JSON_BODY, body: pod, expect: 201 }
  // Neither side is measured cold. Without controllers nobody makes the account that pods run as.
  for (const side of sides) await makeServiceAccount(side)
  for (const side of sides) await run.requests(side, { ...create, from: 1_000_000, count: 500, connections: 8 })
  await each((side, round) => run.throughput(side, 'create, 1 client', { ...create, from: round * 100, count: 100, connections: 1 }))
  await each((side, round) => run.throughput(side, 'create, 32 clients', { ...create, from: ROUNDS * 100 + round * 500, count: 500, connections: 32 }))
  const made = ROUNDS * 600
  for (const side of sides) await run.requests(side, { ...create, from: made, count: PODS - made - 500, connections: 16 })
  const replace = { method: 'PUT', path: `${PODS_PATH}/shop-frontend-7d9c5b8f64-{i}`, headers: JSON_BODY, expect: 200 }
  await each((side, round) => {
    const changed = pod.replace('"checksum/config":"', `"round":"${String(round)}","checksum/config":"`)
    return run.throughput(side, 'update, 32 clients', { ...replace, body: changed, count: 500, connections: 32 })
  })
  const get = { method: 'GET', expect: 200, connections: 1 }
  const one = `${PODS_PATH}/shop-frontend-7d9c5b8f64-7`
  await each((side) => run.latency(side, 'GET, 1 client', { ...get, path: one, count: 1000 }))
  await each((side) => run.throughput(side, 'GET, 32 clients', { ...get, path: one, count: 4000, connections: 32 }))
  await each((side) => run.latency(side, 'LIST', { ...get, path: '/api/v1/pods', count: 2 }))
  await each((side) => run.latency(side, 'LIST resourceVersion=0', { ...get, path: '/api/v1/pods?resourceVersion=0', count: 2 }))
  await each((side) => run.latency(side, 'LIST gzip', { ...get, path: '/api/v1/pods', headers: GZIP, count: 2 }))
  await each((side) => run.latency(side, 'LIST resourceVersion=0 gzip', { ...get, path: '/api/v1/pods?resourceVersion=0', headers: GZIP, count: 2 }))
  await each((side) => run.latency(side, 'LIST limit=500', { ...get, path: '/api/v1/pods?limit=500', count: 20 }))
  await each((side) => run.latency(side, 'LIST limit=500 as Table', { ...get, path: '/api/v1/pods?limit=500', headers: TABLE, count: 20 }))
  await each((side) => run.fanOut(side, 50, 2000))
  await customResources(run, sides)
  for (const { name, served } of sides) run.measures.add(name, `memory, ${String(PODS)} pods after this`, 'MB', residentBytes(served.pids) / 1e6)
}

export const benchmark: Benchmark = {
  name: 'apiserver',
  description: `${String(PODS)} pods over HTTP/1.1 with TLS, every write on disk, against kube-apiserver and etcd; medians of ${String(ROUNDS)} rounds`,
  missing: () => (existsSync(join(binaries, 'kube-apiserver')) ? null : 'DRYDOCK_KUBERNETES_BIN names no folder with a kube-apiserver'),
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'drydock-bench-'))
    const run = new Run()
    try {
      const pki = makePki(join(folder, 'kubernetes'))
      const sides: Side[] = []
      try {
        const start = async (name: Side['name'], keep: boolean): Promise<void> => {
          const served =
            name === 'ours'
              ? await startEmbedded(join(folder, 'ours'), pki, { keep })
              : await startRealControlPlane({ bin: binaries, etcd: etcdProgram }, join(folder, 'peer'), pki, { keep })
          sides.push({ name, served })
        }
        for (const name of ['ours', 'peer'] as const) await start(name, false)
        for (const { name, served } of sides) {
          run.measures.add(name, 'first start to /readyz', 'ms', served.readyMs)
          run.measures.add(name, 'memory, no pods', 'MB', residentBytes(served.pids) / 1e6)
        }
        for (let round = 0; round < ROUNDS; round++) {
          for (const { name, served } of sides.splice(0)) {
            await served.end()
            await start(name, true)
          }
          for (const { name, served } of sides) run.measures.add(name, 'start to /readyz', 'ms', served.readyMs)
        }
        await measure(run, sides)
      } finally {
        for (const { served } of sides) await served.end()
      }
      return run.measures.rows()
    } finally {
      run.end()
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
