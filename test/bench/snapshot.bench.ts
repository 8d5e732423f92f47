import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { restoreDataDir } from '#electron/snapshot/dataDir/restoreDataDir.ts'
import { hasProgram } from '#test/support/hasProgram.ts'
import { cli, startCluster } from '#test/support/runningCluster.ts'
import type { Benchmark } from './benchmark.ts'
import { forgetCached, measuredRun, type MeasuredRun } from './load/measuredRun.ts'
import { Measures, type Side } from './load/measures.ts'
import { residentBytes } from './load/processUsage.ts'
import { writeObjects } from './load/snapshotObjects.ts'
import { makePki, startRealEtcd } from './load/servers.ts'

const ROUNDS = Number(process.env['DRYDOCK_ROUNDS'] ?? 3)
const SNAPSHOT_BYTES = Number(process.env['DRYDOCK_SNAPSHOT_BYTES'] ?? 1_000_000_000)
const VALUE_BYTES = 3_000
/** What a value takes in the file, its key and the pages' own included. */
const BYTES_PER_OBJECT = 3_400
const COMPARED_OBJECTS = 100_000
const etcd = process.env['DRYDOCK_ETCD'] ?? 'etcd'
const etcdctl = process.env['DRYDOCK_ETCDCTL'] ?? 'etcdctl'
/** etcdctl has the command too up to 3.5. */
const etcdutl = process.env['DRYDOCK_ETCDUTL'] ?? etcdctl
const v3 = { ETCDCTL_API: '3' }
const drydock = (...args: string[]): Promise<MeasuredRun> => measuredRun(process.execPath, ['--disable-warning=ExperimentalWarning', cli, 'snapshot', ...args])

class Run {
  readonly measures = new Measures('snapshot')
  readonly #directory: string
  readonly #file: string

  constructor(directory: string) {
    this.#directory = directory
    this.#file = join(directory, 'large.db')
  }

  async prepare(): Promise<void> {
    await writeObjects(this.#file, { objects: Math.floor(SNAPSHOT_BYTES / BYTES_PER_OBJECT), valueBytes: VALUE_BYTES })
  }

  /** The sides in turn, ours first and second by turns. */
  async #alternately(work: Record<Side['name'], (round: number) => Promise<void>>): Promise<void> {
    for (let round = 0; round < ROUNDS; round++)
      for (const side of round % 2 === 0 ? (['ours', 'peer'] as const) : (['peer', 'ours'] as const)) await work[side](round)
  }

  #note(side: Side['name'], measure: string, { elapsedMs, peakBytes }: MeasuredRun): void {
    this.measures.add(side, measure, 's', elapsedMs / 1000)
    this.measures.add(side, `${measure}: memory`, 'MB', peakBytes / 1e6)
  }

  async save(): Promise<void> {
    const dataDir = join(this.#directory, 'served')
    await restoreDataDir({
      snapshot: this.#file,
      dataDir,
      name: 'bench',
      initialCluster: 'bench=http://localhost:2380',
      initialClusterToken: 'bench',
      initialAdvertisePeerUrls: 'http://localhost:2380',
      signal: new AbortController().signal,
    })
    const pki = makePki(join(this.#directory, 'kubernetes'))
    const served = await startRealEtcd(etcd, dataDir, pki, { keep: true })
    const reached = [
      ...['--endpoints', `https://127.0.0.1:${String(served.etcd.port)}`, '--cacert', join(pki.dir, 'etcd/ca.crt')],
      ...['--cert', join(pki.dir, 'apiserver-etcd-client.crt'), '--key', join(pki.dir, 'apiserver-etcd-client.key')],
    ]
    try {
      const target = join(this.#directory, 'saved.db')
      const saved = async (side: Side['name'], run: () => Promise<MeasuredRun>): Promise<void> => {
        const result = await run()
        const megabytes = statSync(target).size / 1e6
        rmSync(target)
        this.measures.add(side, 'save', 'MB/s', (1000 * megabytes) / result.elapsedMs)
        this.measures.add(side, 'save: memory', 'MB', result.peakBytes / 1e6)
      }
      await this.#alternately({
        ours: () => saved('ours', () => drydock('save', target, ...reached)),
        peer: () => saved('peer', () => measuredRun(etcdctl, [...reached, '--command-timeout=10m', 'snapshot', 'save', target], v3)),
      })
    } finally {
      await served.end()
      rmSync(dataDir, { recursive: true, force: true })
    }
  }

  async read(): Promise<void> {
    const theirs = (): Promise<MeasuredRun> => measuredRun(etcdutl, ['snapshot', 'status', this.#file, '-w', 'json'], v3)
    const warm = async (): Promise<void> => {
      readFileSync(this.#file)
      await Promise.resolve()
    }
    for (const [state, prepare] of [
      ['warm', warm],
      ['cold', () => forgetCached(this.#file)],
    ] as const) {
      const measured = async (side: Side['name'], measure: string, run: () => Promise<MeasuredRun>): Promise<void> => {
        await prepare()
        this.#note(side, `${measure}, ${state}`, await run())
      }
      await this.#alternately({
        ours: async () => {
          await measured('ours', 'status', () => drydock('status', this.#file, '-w', 'json'))
          await measured('ours', 'verify against status', () => drydock('verify', this.#file, '-w', 'json'))
        },
        peer: async () => {
          await measured('peer', 'status', theirs)
          await measured('peer', 'verify against status', theirs)
        },
      })
    }
  }

  /** From the command to the first 500 objects on the wire. */
  async open(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      const dataDir = join(this.#directory, `opened-${String(round)}`)
      const started = performance.now()
      const cluster = await startCluster(dataDir, ['--from-snapshot', this.#file, '--read-only'])
      try {
        await firstPage(cluster.kubeconfig)
        this.measures.add('ours', 'open to the first page', 's', (performance.now() - started) / 1000)
        this.measures.add('ours', 'open to the first page: memory', 'MB', residentBytes([cluster.process.pid ?? 0]) / 1e6)
      } finally {
        await cluster.end()
        rmSync(dataDir, { recursive: true, force: true })
      }
    }
  }

  async diff(): Promise<void> {
    const [before, after] = [join(this.#directory, 'before.db'), join(this.#directory, 'after.db')]
    await writeObjects(before, { objects: COMPARED_OBJECTS, valueBytes: 1_000 })
    await writeObjects(after, { objects: COMPARED_OBJECTS, valueBytes: 1_000, changed: 25 })
    for (let round = 0; round < ROUNDS; round++)
      this.#note('ours', `diff of two with ${String(COMPARED_OBJECTS)} objects`, await drydock('diff', before, after, '-w', 'json'))
  }
}

function firstPage(kubeconfig: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const { server, ca, cert, key } = tlsOf(kubeconfig)
    const call = request(`${server}/api/v1/configmaps?limit=500`, { ca, cert, key }, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => (bytes += chunk.length))
      response.on('end', () => {
        if (response.statusCode === 200 && bytes > 500_000) resolve()
        else reject(new Error(`the first page has status ${String(response.statusCode)} and ${String(bytes)} bytes`))
      })
    })
    call.on('error', reject)
    call.end()
  })
}

function tlsOf(kubeconfig: string): { server: string; ca: Buffer; cert: Buffer; key: Buffer } {
  const text = readFileSync(kubeconfig, 'utf8')
  const field = (name: string): string => new RegExp(`${name}: (\\S+)`).exec(text)?.[1] ?? ''
  const decoded = (name: string): Buffer => Buffer.from(field(name), 'base64')
  return { server: field('server'), ca: decoded('certificate-authority-data'), cert: decoded('client-certificate-data'), key: decoded('client-key-data') }
}

export const benchmark: Benchmark = {
  name: 'snapshot',
  description: `a snapshot of ${String(SNAPSHOT_BYTES / 1e6)} MB, against etcdctl and etcdutl; medians of ${String(ROUNDS)} rounds`,
  missing: () => [etcd, etcdctl, etcdutl].flatMap((program) => (hasProgram(program) ? [] : [`${program} is not installed`]))[0] ?? null,
  run: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'drydock-bench-snapshot-'))
    try {
      const run = new Run(directory)
      await run.prepare()
      await run.read()
      await run.diff()
      await run.save()
      await run.open()
      return run.measures.rows()
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
}
