import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasProgram } from '#test/support/hasProgram.ts'
import type { Benchmark } from './benchmark.ts'
import { EtcdLoadProcess } from './load/loadProcess.ts'
import { alternately, Measures, type Side } from './load/measures.ts'
import { cpuMs, median, residentBytes } from './load/processUsage.ts'
import { makePki, startEmbedded, startRealEtcd } from './load/servers.ts'
import type { Calls } from './load/etcdWork.ts'

const KEYS = 10_000
const VALUE_BYTES = 3_000
const WATCHERS = 20
const WATCHED_PUTS = 5_000
const ROUNDS = Number(process.env['DRYDOCK_ROUNDS'] ?? 5)
const program = process.env['DRYDOCK_ETCD'] ?? 'etcd'
const DEFAULTS = { valueBytes: VALUE_BYTES, keys: KEYS, from: 0, limit: 500 }

class Run {
  readonly measures = new Measures('etcd')
  readonly #load = new EtcdLoadProcess()
  readonly #writer = new EtcdLoadProcess()

  end(): void {
    this.#load.end()
    this.#writer.end()
  }

  fill({ served }: Side, from: number, count: number): Promise<unknown> {
    return this.#load.calls({ ...DEFAULTS, target: served.etcd, operation: 'put', from, count, clients: 32 })
  }

  async calls({ name, served }: Side, measure: string, work: Pick<Calls, 'operation' | 'count' | 'clients'> & Partial<Calls>): Promise<void> {
    const before = cpuMs(served.pids)
    const done = await this.#load.calls({ ...DEFAULTS, target: served.etcd, ...work })
    this.measures.add(name, measure, 'per s', (1000 * work.count) / done.elapsedMs)
    if (work.clients === 1) this.measures.add(name, `${measure}: median`, 'ms', median(done.latenciesMs))
    this.measures.add(name, `${measure}: server CPU`, 'ms each', (cpuMs(served.pids) - before) / work.count)
    this.measures.add(name, `${measure}: client busy`, '%', (100 * done.clientCpuMs) / done.elapsedMs)
  }

  async watches({ name, served }: Side): Promise<void> {
    const ready = Promise.withResolvers<undefined>()
    const watching = this.#load.watches({ target: served.etcd, watchers: WATCHERS, events: WATCHED_PUTS }, () => {
      ready.resolve(undefined)
    })
    await ready.promise
    const before = cpuMs(served.pids)
    const started = performance.now()
    await this.#writer.calls({ ...DEFAULTS, target: served.etcd, operation: 'put', count: WATCHED_PUTS, clients: 32 })
    const { clientCpuMs } = await watching
    const elapsedMs = performance.now() - started
    const measure = `watch, ${String(WATCHERS)} watchers`
    this.measures.add(name, measure, 'events/s', (1000 * WATCHERS * WATCHED_PUTS) / elapsedMs)
    this.measures.add(name, `${measure}: server CPU`, 'us an event', (1000 * (cpuMs(served.pids) - before)) / (WATCHERS * WATCHED_PUTS))
    this.measures.add(name, `${measure}: client busy`, '%', (100 * clientCpuMs) / elapsedMs)
  }
}

async function measure(run: Run, sides: readonly Side[]): Promise<void> {
  const each = (work: (side: Side, round: number) => Promise<void>): Promise<void> => alternately(sides, ROUNDS, work)
  // Neither side is measured cold.
  for (const side of sides) await run.fill(side, KEYS, 1000)
  await each((side, round) => run.calls(side, 'put, 1 client', { operation: 'put', from: round * 300, count: 300, clients: 1 }))
  await each((side, round) => run.calls(side, 'put, 32 clients', { operation: 'put', from: round * 2000, count: 2000, clients: 32 }))
  for (const side of sides) await run.fill(side, ROUNDS * 2000, Math.max(0, KEYS - ROUNDS * 2000))
  await each((side) => run.calls(side, 'txn, 32 clients', { operation: 'txn', count: 2000, clients: 32 }))
  await each((side) => run.calls(side, 'get, 1 client', { operation: 'get', count: 500, clients: 1 }))
  await each((side) => run.calls(side, 'get, 32 clients', { operation: 'get', count: 4000, clients: 32 }))
  await each((side) => run.calls(side, 'range of 500 keys', { operation: 'range', count: 40, clients: 2 }))
  await each((side) => run.calls(side, `range of ${String(KEYS)} keys`, { operation: 'range', limit: 0, count: 4, clients: 1 }))
  await each((side) => run.calls(side, `count of ${String(KEYS)} keys`, { operation: 'count', count: 100, clients: 2 }))
  await each((side) => run.watches(side))
  for (const { name, served } of sides) run.measures.add(name, 'memory after this', 'MB', residentBytes(served.pids) / 1e6)
}

export const benchmark: Benchmark = {
  name: 'etcd',
  description: `values of ${String(VALUE_BYTES)} bytes over gRPC with TLS, every write on disk, against etcd; medians of ${String(ROUNDS)} rounds`,
  missing: () => (hasProgram(program) ? null : `${program} is not on this machine (DRYDOCK_ETCD names another)`),
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'drydock-bench-'))
    const run = new Run()
    try {
      const pki = makePki(join(folder, 'kubernetes'))
      const sides: Side[] = []
      try {
        sides.push({ name: 'ours', served: await startEmbedded(join(folder, 'ours'), pki, { nodeArgs: [], etcdOnly: true }) })
        sides.push({ name: 'peer', served: await startRealEtcd(program, join(folder, 'peer'), pki) })
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
