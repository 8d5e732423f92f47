import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const failingCluster = fileURLToPath(new URL('../../support/failingCluster.ts', import.meta.url))
const container = { name: 'main', image: 'registry.k8s.io/pause:3.9' }
const workload = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'everywhere' },
  spec: { selector: { matchLabels: { app: 'everywhere' } }, template: { metadata: { labels: { app: 'everywhere' } }, spec: { containers: [container] } } },
}

describe('a cluster whose parts leave errors behind that nobody awaits', () => {
  let cluster: RunningCluster | undefined
  beforeAll(async () => {
    cluster = await startCluster(temporaryDirectory('failing-parts'), ['--nodes', '3'], { program: failingCluster })
  }, 60_000)
  afterAll(() => cluster?.end())

  it('starts them again, finishes their work, and says so', { timeout: 120_000 }, async () => {
    if (cluster === undefined) throw new Error('the cluster is not there')
    const { kubectl } = cluster
    const created = await kubectl(['create', '-f', '-'], { input: JSON.stringify(workload) })
    expect(created.stderr).toBe('')
    const rolledOut = await kubectl(['rollout', 'status', 'daemonset/everywhere', '--timeout=80s'], { timeoutMs: 90_000 })
    expect(rolledOut.stdout).toContain('successfully rolled out')
    const parts = async (): Promise<{ part: string; state: string; restarts: number; lastFailure: { error: string } | null }[]> =>
      (JSON.parse((await kubectl(['get', '--raw', '/debug/parts'])).stdout) as { parts: Awaited<ReturnType<typeof parts>> }).parts
    await expect.poll(async () => (await parts()).filter(({ state }) => state !== 'running'), { timeout: 20_000 }).toEqual([])
    expect((await parts()).flatMap(({ part, restarts, lastFailure }) => (restarts > 0 ? [[part, restarts, lastFailure?.error]] : []))).toEqual([
      ['kube-scheduler', 1, 'injected into the scheduler'],
      ['kubelet node02', 1, 'injected into a kubelet'],
    ])
    // A kubelet that was started again is ready once it has seen its containers.
    const ready = await kubectl(['wait', 'nodes', '--all', '--for=condition=Ready', '--timeout=20s'])
    expect(ready.stdout.trim().split('\n')).toHaveLength(3)
    const events = await kubectl([
      'get',
      'events',
      '-o',
      'jsonpath={range .items[?(@.reason=="ComponentFailed")]}{.involvedObject.name}: {.message}{"\\n"}{end}',
    ])
    expect(events.stdout.trim().split('\n').sort()).toEqual([
      'controlplane: kube-scheduler failed and is started again in 1 s: injected into the scheduler',
      'node02: kubelet failed and is started again in 1 s: injected into a kubelet',
    ])
    expect(cluster.process.exitCode).toBeNull()
  })
})
