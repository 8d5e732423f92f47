import { readFileSync } from 'node:fs'
import { setInterval, clearInterval } from 'node:timers'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { ContextTransport } from '#electron/clusters/contextTransport.ts'
import { parseKubeconfig } from '#electron/clusters/kubeconfig.ts'
import { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import { outcomeOf } from '#test/support/killing/clusterOutcome.ts'
import { Drydock } from '#test/support/killing/killedCommand.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

// Three control-plane nodes and four workers go from 1.35 to 1.36, while the pods that are ready are counted every 100 ms.
const CONTROL_PLANE = ['controlplane', 'controlplane02', 'controlplane03']
const WORKERS = ['node01', 'node02', 'node03', 'node04']
const SAMPLE_MS = 100
const APPS = { web: { replicas: 6, minAvailable: 5 }, api: { replicas: 3, minAvailable: 2 } } as const

const WORKLOAD = Object.entries(APPS)
  .map(
    ([name, { replicas, minAvailable }]) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: default}
spec: {replicas: ${String(replicas)}, selector: {matchLabels: {app: ${name}}}, template: {metadata: {labels: {app: ${name}}}, spec: {containers: [{name: main, image: nginx}]}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: ${name}, namespace: default}
spec: {minAvailable: ${String(minAvailable)}, selector: {matchLabels: {app: ${name}}}}
`,
  )
  .join('---\n')

describe.skipIf(!hasProgram('kubectl'))('an upgrade of three control-plane nodes and four workers', () => {
  const directory = temporaryDirectory('control-planes')
  const dataDir = join(directory, 'cluster')
  let cluster: RunningCluster

  beforeAll(async () => {
    const nodes = CONTROL_PLANE.length + WORKERS.length
    cluster = await startCluster(dataDir, [
      '--nodes',
      String(nodes),
      '--control-plane-nodes',
      String(CONTROL_PLANE.length),
      '--kubernetes-version',
      'v1.35.8',
      '--seed',
      '5',
    ])
    expect((await cluster.kubectl(['apply', '-f', '-'], { input: WORKLOAD })).code).toBe(0)
    for (const name of Object.keys(APPS)) expect((await cluster.kubectl(['rollout', 'status', `deployment/${name}`], { timeoutMs: 120_000 })).code).toBe(0)
  })
  afterAll(async () => {
    await cluster.end()
  })

  it('keeps every budget at every moment, and reports each step', async () => {
    const [context] = parseKubeconfig(readFileSync(cluster.kubeconfig, 'utf8'), cluster.kubeconfig)
    if (context === undefined) throw new Error('the kubeconfig has no context')
    const transport = new ContextTransport(context, new SystemClock())
    const api = new ClusterApi(transport)
    const { signal } = new AbortController()
    const lowest = new Map<string, number>()
    let samples = 0
    const sample = async (): Promise<void> => {
      const pods = await api.list('/api/v1/namespaces/default/pods', signal)
      samples += 1
      for (const app of Object.keys(APPS)) {
        const ready = pods.filter(
          ({ metadata, status }) =>
            metadata.labels?.['app'] === app &&
            metadata.deletionTimestamp === undefined &&
            (status as { conditions?: { type: string; status: string }[] }).conditions?.some(
              ({ type, status: value }) => type === 'Ready' && value === 'True',
            ) === true,
        ).length
        lowest.set(app, Math.min(lowest.get(app) ?? Number.POSITIVE_INFINITY, ready))
      }
    }
    // A sample that is not answered is none: the API may stall for a moment while its component restarts.
    const timer = setInterval(() => void sample().catch(() => undefined), SAMPLE_MS)
    const drydock = new Drydock(cluster, join(directory, 'drydock'), { nodes: [...CONTROL_PLANE, ...WORKERS] })
    const report = join(directory, 'report.md')
    const { code, stdout, stderr } = await drydock.run(['upgrade', 'apply', '--to', 'v1.36.4', '--yes', '--report', report])
    clearInterval(timer)
    transport.close()
    expect(code, stdout + stderr).toBe(0)
    process.stdout.write(`drydock: ${String(samples)} samples, fewest ready: ${JSON.stringify(Object.fromEntries(lowest))}\n`)
    for (const [app, { minAvailable }] of Object.entries(APPS)) expect(lowest.get(app)).toBeGreaterThanOrEqual(minAvailable)

    const { nodes, controlPlane, commands } = await outcomeOf(cluster, { dataDir, nodes: [...CONTROL_PLANE, ...WORKERS] })
    expect(nodes).toEqual([...CONTROL_PLANE, ...WORKERS].sort().map((name) => expect.stringMatching(new RegExp(`^${name} +v1\\.36\\.4 +<none>$`)) as string))
    expect(controlPlane).toHaveLength(4 * CONTROL_PLANE.length)
    for (const line of controlPlane.filter((text) => !text.startsWith('etcd'))) expect(line).toMatch(/:v1\.36\.4$/)
    const kubeadm = (node: string): string[] => commands[node]?.filter((line) => line.startsWith('kubeadm upgrade')) ?? []
    expect(kubeadm('controlplane')).toEqual(['kubeadm upgrade apply v1.36.4 -y'])
    for (const node of [...CONTROL_PLANE.slice(1), ...WORKERS]) expect(kubeadm(node)).toEqual(['kubeadm upgrade node'])
    const text = readFileSync(report, 'utf8')
    expect(text).toContain('Outcome: **done**')
    const [run] = await drydock.runs()
    for (const { title } of run?.steps ?? []) expect(text).toContain(`| ${title} | done |`)
  })
})
