import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SystemClock } from '#shared/base/clock.ts'
import type { RunView } from '#shared/contract/runbooks.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { ContextTransport } from '#electron/clusters/contextTransport.ts'
import { parseKubeconfig } from '#electron/clusters/kubeconfig.ts'
import { hasProgram } from '#test/support/hasProgram.ts'
import { cli, startCluster } from '#test/support/runningCluster.ts'
import type { Benchmark, BenchmarkRow } from './benchmark.ts'
import { cpuMs, residentBytes } from './load/processUsage.ts'
import { writeTwinSnapshot } from './load/twinSnapshot.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

const NODES = Number(process.env['DRYDOCK_NODES'] ?? 1_000)
const PODS = Number(process.env['DRYDOCK_PODS'] ?? 30_000)
const WORKERS_AT_A_TIME = process.env['DRYDOCK_PARALLEL_WORKERS'] ?? '48'
/** A rehearsal that takes longer is stopped and told as far as it came. */
const LIMIT_SECONDS = Number(process.env['DRYDOCK_LIMIT_SECONDS'] ?? 1_200)
const [FROM, TO] = ['v1.35.8', 'v1.36.4']
const REST_MS = 30_000
const POLL_MS = 500
const LEASES = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' }
const signal = new AbortController().signal

/** Until every node's Lease was renewed since a moment: its simulated kubelet runs. */
async function untilRunning(client: RestClient, sinceMs: number): Promise<void> {
  for (;;) {
    const { items } = await client.list(LEASES, { namespace: 'kube-node-lease' }, signal).catch(() => ({ items: [] }))
    const renewed = items.filter((lease) => Date.parse(String(objectAt(lease['spec'])['renewTime'])) >= sinceMs)
    if (renewed.length > NODES) return
    await sleep(POLL_MS)
  }
}

export const benchmark: Benchmark = {
  name: 'twin',
  description: `a twin of a snapshot of ${String(NODES)} nodes and ${String(PODS)} pods, and an upgrade rehearsed on it, ${WORKERS_AT_A_TIME} workers at a time`,
  missing: () => (hasProgram('kubectl') ? null : 'kubectl'),
  async run() {
    const dir = mkdtempSync(join(tmpdir(), 'drydock-bench-'))
    const rows: BenchmarkRow[] = []
    const row = (measure: string, unit: string, ours: number): void => {
      rows.push({ benchmark: 'twin', measure, unit, ours, peer: null })
      process.stderr.write(`  ${measure}: ${ours.toFixed(1)} ${unit}\n`)
    }
    try {
      const snapshot = join(dir, 'twin.db')
      await writeTwinSnapshot(snapshot, { nodes: NODES, pods: PODS, scratch: dir, version: FROM })
      row('snapshot', 'MB', statSync(snapshot).size / 1e6)
      await open(snapshot, { dir, row })
      await rehearse(snapshot, { dir, row })
      return rows
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  },
}

interface Measured {
  dir: string
  row(measure: string, unit: string, ours: number): void
}

async function open(snapshot: string, { dir, row }: Measured): Promise<void> {
  const startedMs = performance.now()
  const sinceMs = Date.now()
  const cluster = await startCluster(join(dir, 'opened'), ['--from-snapshot', snapshot])
  const pids = [cluster.process.pid ?? 0]
  const kubeconfig = join(dirname(cluster.kubeconfig), 'super-admin.conf')
  const [context] = parseKubeconfig(readFileSync(kubeconfig, 'utf8'), kubeconfig)
  if (context === undefined) throw new Error(`${kubeconfig} has no context`)
  const transport = new ContextTransport(context, new SystemClock())
  try {
    row('open until the API server is ready', 's', cluster.readyMs / 1000)
    await untilRunning(new RestClient(transport, { userAgent: 'bench' }), sinceMs)
    row('open until every node runs', 's', (performance.now() - startedMs) / 1000)
    row('memory', 'MB', residentBytes(pids) / 1e6)
    await sleep(REST_MS)
    const before = cpuMs(pids)
    await sleep(REST_MS)
    row('CPU at rest', '% of a core', (100 * (cpuMs(pids) - before)) / REST_MS)
    row('memory a minute later', 'MB', residentBytes(pids) / 1e6)
  } finally {
    transport.close()
    await cluster.end()
  }
}

/** `drydock upgrade apply --twin`, from the command to its end. */
async function rehearse(snapshot: string, { dir, row }: Measured): Promise<void> {
  const dataDir = join(dir, 'drydock')
  const args = ['upgrade', 'apply', '--twin', snapshot, '--to', TO, '--yes', '--parallel-workers', WORKERS_AT_A_TIME, '--data-dir', dataDir]
  const startedMs = performance.now()
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      ...(process.env['DRYDOCK_PROFILE'] === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', process.env['DRYDOCK_PROFILE']]),
      cli,
      ...args,
    ],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  const ended = once(child, 'exit')
  const stop = setTimeoutOf(LIMIT_SECONDS * 1000, () => child.kill('SIGINT'))
  const [code] = (await ended) as [number | null]
  stop()
  const seconds = (performance.now() - startedMs) / 1000
  const done = countDone(join(dataDir, 'runs'))
  if (code === 0) row('rehearsal of the upgrade', 's', seconds)
  else {
    process.stderr.write(`  the rehearsal was stopped after ${seconds.toFixed(0)} s with code ${String(code)}\n`)
    row('rehearsal of the upgrade: seconds until it was stopped', 's', seconds)
  }
  row('rehearsal of the upgrade: workers upgraded', '', done)
  row('rehearsal of the upgrade: each worker', 's', seconds / Math.max(1, done))
}

function setTimeoutOf(ms: number, callback: () => void): () => void {
  return new SystemClock().schedule(ms, callback)
}

/** Workers whose last step is done, by the journal. */
function countDone(directory: string): number {
  const [file] = readdirSync(directory)
  if (file === undefined) return 0
  const records = readFileSync(join(directory, file), 'utf8')
    .split('\n')
    .filter((line) => line.includes('"stepDone"'))
  return records.map((line) => (JSON.parse(line) as { step: RunView['id'] }).step).filter((step) => step.endsWith('/uncordon')).length
}
