import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Benchmark } from './benchmark.ts'
import { Http1Connection, http1Request } from './load/http1Connection.ts'
import { LoadProcess } from './load/loadProcess.ts'
import { realisticPod } from './load/pods.ts'
import { alternately, Measures, type Side } from './load/measures.ts'
import { cpuMs, median, residentBytes } from './load/processUsage.ts'
import { customResources } from './load/customResources.ts'
import { hasModernServer, startModernServer } from './load/modernServer.ts'
import { makePki, startEmbedded, startRealControlPlane, type Pki, type Served } from './load/servers.ts'
import type { Done, Requests } from './load/work.ts'

/** More of them cost time and show memory. */
const PODS = Number(process.env['DRYDOCK_PODS'] ?? 10_000)
/** At the end there are so many, for their memory alone; no more than before leaves it out. */
const MANY_PODS = Number(process.env['DRYDOCK_MANY_PODS'] ?? 50_000)
const ROUNDS = Number(process.env['DRYDOCK_ROUNDS'] ?? 3)
/** Of `starts`, `reads`, `watch` and `custom`, those to run; all unless some are named. */
const PARTS = (process.env['DRYDOCK_PARTS'] ?? '').split(',').filter((part) => part !== '')
const wanted = (part: string): boolean => PARTS.length === 0 || PARTS.includes(part)
const PODS_PATH = '/api/v1/namespaces/default/pods'
const JSON_BODY = { 'content-type': 'application/json' }
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
const GZIP = { 'accept-encoding': 'gzip' }
const binaries = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''
const etcdProgram = process.env['DRYDOCK_ETCD'] ?? 'etcd'
const modernBinaries = process.env['DRYDOCK_MODERN_BIN'] ?? ''

class Run {
  readonly rounds = ROUNDS
  readonly #startedMs = performance.now()
  readonly measures = new Measures('apiserver')
  readonly #load = new LoadProcess()
  readonly #writers = new LoadProcess()

  end(): void {
    this.#load.end()
    this.#writers.end()
  }

  /** Says how far it is: a run takes minutes. */
  tell(what: string): void {
    process.stderr.write(`  ${((performance.now() - this.#startedMs) / 1000).toFixed(0).padStart(4)} s  ${what}\n`)
  }

  memory(sides: readonly Side[], pods: number, when = ''): void {
    for (const { name, served } of sides) this.measures.add(name, `memory, ${String(pods)} pods${when}`, 'MB', residentBytes(served.pids) / 1e6)
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
    const events = Math.ceil(updates / ROUNDS)
    const watching = this.#load.watches({ target: api, path: `${PODS_PATH}?watch=true&resourceVersion=${version}`, watchers, events }, () => {
      ready.resolve(undefined)
    })
    await ready.promise
    const before = cpuMs(pids)
    const body = JSON.stringify({ metadata: { annotations: { round: '{i}' } } })
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

const pod = JSON.stringify(realisticPod())
const create = { method: 'POST', path: PODS_PATH, headers: JSON_BODY, body: pod, expect: 201 }

async function writes(run: Run, sides: Side[]): Promise<void> {
  const each = (work: (side: Side, round: number) => Promise<void>): Promise<void> => alternately(sides, ROUNDS, work)
  // Without controllers nobody makes the account that pods run as.
  for (const side of sides) await makeServiceAccount(side)
  // Neither side is measured cold: most pods are there before the clock runs.
  const filled = Math.max(0, PODS - ROUNDS * 600)
  run.tell(`${String(filled)} pods are made on each side`)
  for (const side of sides) await run.requests(side, { ...create, count: filled, connections: 32 })
  run.tell('creates')
  await each((side, round) => run.throughput(side, 'create, 32 clients', { ...create, from: filled + round * 500, count: 500, connections: 32 }))
  await each((side, round) => run.throughput(side, 'create, 1 client', { ...create, from: filled + ROUNDS * 500 + round * 100, count: 100, connections: 1 }))
  run.memory(sides, PODS)
  run.tell('updates')
  const replace = { method: 'PUT', path: `${PODS_PATH}/shop-frontend-7d9c5b8f64-{i}`, headers: JSON_BODY, expect: 200, count: 1000, connections: 32 }
  const changed = (round: string): string => pod.replace('"checksum/config":"', `"round":"${round}","checksum/config":"`)
  for (const side of sides) await run.requests(side, { ...replace, body: changed('before') })
  await each((side, round) => run.throughput(side, 'update, 32 clients', { ...replace, body: changed(String(round)) }))
}

async function reads(run: Run, sides: Side[]): Promise<void> {
  const each = (work: (side: Side, round: number) => Promise<void>): Promise<void> => alternately(sides, ROUNDS, work)
  run.tell('reads')
  const get = { method: 'GET', expect: 200, connections: 1 }
  const one = `${PODS_PATH}/shop-frontend-7d9c5b8f64-7`
  await each((side) => run.latency(side, 'GET, 1 client', { ...get, path: one, count: 1000 }))
  await each((side) => run.throughput(side, 'GET, 32 clients', { ...get, path: one, count: 4000, connections: 32 }))
  const [all, cached, page] = ['/api/v1/pods', '/api/v1/pods?resourceVersion=0', '/api/v1/pods?limit=500']
  await each((side) => run.latency(side, 'LIST', { ...get, path: all, count: 3 }))
  await each((side) => run.latency(side, 'LIST resourceVersion=0', { ...get, path: cached, count: 3 }))
  await each((side) => run.latency(side, 'LIST gzip', { ...get, path: all, headers: GZIP, count: 2 }))
  await each((side) => run.latency(side, 'LIST resourceVersion=0 gzip', { ...get, path: cached, headers: GZIP, count: 2 }))
  await each((side) => run.latency(side, 'LIST limit=500', { ...get, path: page, count: 20 }))
  await each((side) => run.latency(side, 'LIST limit=500 as Table', { ...get, path: page, headers: TABLE, count: 20 }))
}

async function custom(run: Run, sides: Side[], folder: string, pki: Pki): Promise<void> {
  const peer = sides.find(({ name }) => name === 'peer')
  if (!hasModernServer(modernBinaries) || peer === undefined) {
    run.tell('custom resources, against the same servers')
    await customResources(run, sides)
    return
  }
  run.tell('custom resources, against the newer API server')
  const modern: Side[] = []
  try {
    modern.push({ name: 'ours', served: await startEmbedded(join(folder, 'ours-modern'), pki, { version: 'v1.36.0' }) })
    modern.push({ name: 'peer', served: await startModernServer(modernBinaries, join(folder, 'peer-modern'), pki, peer.served) })
    await customResources(run, modern)
  } finally {
    for (const { served } of modern) await served.end()
  }
}

async function measure(run: Run, sides: Side[], folder: string, pki: Pki): Promise<void> {
  await writes(run, sides)
  if (wanted('reads')) await reads(run, sides)
  if (wanted('watch')) {
    run.tell('watches')
    await alternately(sides, ROUNDS, (side) => run.fanOut(side, 50, 2000))
  }
  run.memory(sides, PODS, ' after all this')
  if (wanted('custom')) await custom(run, sides, folder, pki)
  if (MANY_PODS <= PODS) return
  run.tell(`${String(MANY_PODS)} pods are made on each side`)
  for (const side of sides) await run.requests(side, { ...create, from: PODS, count: MANY_PODS - PODS, connections: 32 })
  run.memory(sides, MANY_PODS)
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
        const start = (name: Side['name'], keep: boolean): Promise<Served> =>
          name === 'ours'
            ? startEmbedded(join(folder, 'ours'), pki, { keep })
            : startRealControlPlane({ bin: binaries, etcd: etcdProgram }, join(folder, 'peer'), pki, { keep })
        run.tell('starts')
        // A program that did not run lately has yet to be read from disk, or compiled.
        if (wanted('starts')) for (const name of ['ours', 'peer'] as const) await (await start(name, false)).end()
        for (let round = 0; wanted('starts') && round < ROUNDS; round++)
          for (const name of ['ours', 'peer'] as const) {
            const first = await start(name, false)
            run.measures.add(name, 'first start to /readyz', 'ms', first.readyMs)
            run.measures.add(name, 'first start to /readyz: CPU', 'ms', cpuMs(first.pids))
            await first.end()
          }
        for (const name of ['ours', 'peer'] as const) {
          const served = await start(name, wanted('starts'))
          sides.push({ name, served })
          run.measures.add(name, 'start to /readyz', 'ms', served.readyMs)
          run.measures.add(name, 'memory, no pods', 'MB', residentBytes(served.pids) / 1e6)
        }
        await measure(run, sides, folder, pki)
      } catch (error) {
        // What was measured until then is told.
        process.stderr.write(`apiserver: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
        process.exitCode = 1
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
