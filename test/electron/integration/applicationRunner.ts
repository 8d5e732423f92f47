// A program of the upgrade test: the application without a window. It starts an upgrade or goes on with the one it finds, and
// writes the run as JSON lines. Its cluster ends with it, also when it is killed.
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import type { ClusterSummary } from '#shared/contract/clusters.ts'
import type { RunView } from '#shared/contract/runbooks.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { Application } from '#electron/application.ts'
import { EMBEDDED } from '#electron/clusters/localClusters.ts'
import { cli } from '#test/support/runningCluster.ts'

const [, , dataDir = ''] = process.argv
const clock = new SystemClock()
const application = new Application({
  dataDir,
  kubeconfigs: [],
  userKubeconfigs: false,
  clusterCommand: { program: process.execPath, args: ['--disable-warning=ExperimentalWarning', cli] },
  shell: 'browser',
  version: 'test',
  clock,
  random: new SeededRandom(3),
  logger: silentLogger,
})
const stop = new AbortController()
const { signal } = stop

async function invoke<T>(name: string, input: unknown): Promise<T> {
  const reply = await application.dispatcher.invoke(name, input, { signal })
  if (!reply.ok) throw new Error(`${name}: ${reply.status.message ?? ''}`)
  return reply.value as T
}

async function first<T>(name: string, input: unknown, wanted: (message: T) => boolean): Promise<T> {
  for await (const message of application.dispatcher.subscribe(name, input, { signal })) if (wanted(message as T)) return message as T
  throw new Error(`${name} ended`)
}

const WORKLOAD = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec: {replicas: 6, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: nginx}]}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: default}
spec: {minAvailable: 5, selector: {matchLabels: {app: web}}}
`
const budget = { clusterId: EMBEDDED, gvr: { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' }, namespace: 'default', name: 'web' }
const healthy = (object: KubeObject | null): number => (object?.['status'] as { currentHealthy?: number } | undefined)?.currentHealthy ?? 0

await application.start()
await first<ClusterSummary[]>('clusters.watch', {}, ([cluster]) => cluster?.connection.state === 'live')
const [known] = await first<RunView[]>('runbooks.watch', {}, () => true)
let runId = known?.id ?? ''
if (known === undefined) {
  await invoke('objects.apply', { clusterId: EMBEDDED, yaml: WORKLOAD, dryRun: false, force: false })
  await first<KubeObject | null>('objects.watch', budget, (object) => healthy(object) === 6)
  runId = (await invoke<{ runId: string }>('upgrade.start', { clusterId: EMBEDDED, targetVersion: 'v1.36.4' })).runId
} else {
  await first<KubeObject | null>('objects.watch', budget, (object) => healthy(object) >= 5)
  await invoke('runbooks.resume', { runId })
}
let lowestHealthy = 6
const watching = (async () => {
  for await (const object of application.dispatcher.subscribe('objects.watch', budget, { signal }))
    lowestHealthy = Math.min(lowestHealthy, healthy(object as KubeObject))
})().catch(() => undefined)
for await (const run of application.dispatcher.subscribe('runbooks.watchOne', { runId }, { signal })) {
  process.stdout.write(`${JSON.stringify({ run, lowestHealthy })}\n`)
  if (['done', 'failed', 'aborted'].includes((run as RunView).state)) break
}
stop.abort()
await watching
await application.stop()
