import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const KILLS = Number(process.env['DRYDOCK_ROUNDS'] ?? 200)
const SEED = Number(process.env['DRYDOCK_SEED'] ?? 1)
/** Killed so often during one scene, before it may come to its end. */
const KILLS_A_SCENE = 10
const CONVERGED_MS = 180_000
/** It is up for two seconds at most between two kills. */
const ANSWERED_MS = 300_000
const ARGS = ['--nodes', '3', '--kubernetes-version', 'v1.36.4']

const podTemplate = (app: string, image: string, more = ''): string =>
  `{metadata: {labels: {app: ${app}}}, spec: {${more}containers: [{name: main, image: "${image}"}]}}`

/** What is asked for, step by step; each is as good asked for twice. */
const manifests = (scene: string, round: number): string => `apiVersion: v1
kind: Namespace
metadata: {name: ${scene}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ${scene}}
spec: {replicas: ${String(round === 0 ? 3 : 4)}, revisionHistoryLimit: 2, selector: {matchLabels: {app: web}}, template: ${podTemplate('web', `nginx:1.${String(round)}`)}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: ${scene}}
spec: {replicas: ${String(round === 0 ? 2 : 3)}, serviceName: db, selector: {matchLabels: {app: db}}, template: ${podTemplate('db', `postgres:${String(15 + round)}`)}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: ${scene}}
spec: {selector: {matchLabels: {app: agent}}, template: ${podTemplate('agent', `agent:${String(round)}`)}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: ${scene}}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: work, namespace: ${scene}}
spec: {completions: 6, parallelism: 2, template: {metadata: {labels: {app: work}}, spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: [sh, -c, sleep 1]}]}}}
`

/** A cluster that may be killed at any moment; what is asked of it is asked again until it is answered. */
class Mortal {
  #cluster: RunningCluster
  readonly #dataDir: string
  kills = 0

  private constructor(dataDir: string, cluster: RunningCluster) {
    this.#dataDir = dataDir
    this.#cluster = cluster
  }

  static async start(dataDir: string): Promise<Mortal> {
    return new Mortal(dataDir, await startCluster(dataDir, ARGS))
  }

  async kill(): Promise<void> {
    await this.#cluster.end('SIGKILL')
    this.kills++
    this.#cluster = await startCluster(this.#dataDir, ARGS)
  }

  async ask(args: string[], input?: string): Promise<string> {
    const endMs = performance.now() + ANSWERED_MS
    for (;;) {
      const { code, stdout, stderr } = await this.#cluster.kubectl(args, { timeoutMs: 120_000, ...(input === undefined ? {} : { input }) })
      if (code === 0) return stdout
      if (performance.now() > endMs) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
      await sleep(250)
    }
  }

  end(): Promise<void> {
    return this.#cluster.end()
  }
}

async function play(cluster: Mortal, scene: string): Promise<void> {
  await cluster.ask(['apply', '-f', '-'], manifests(scene, 0))
  await cluster.ask(['-n', scene, 'rollout', 'status', 'deployment/web', '--timeout=60s'])
  await cluster.ask(['apply', '-f', '-'], manifests(scene, 1))
  // A pod of a job that is drained away while it runs counts as failed, with or without a kill.
  await cluster.ask(['-n', scene, 'wait', '--for=condition=complete', 'job/work', '--timeout=90s'])
  await cluster.ask(['drain', 'node02', '--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=60s'])
  await cluster.ask(['uncordon', 'node02'])
}

const COLUMNS: Readonly<Record<string, string>> = {
  deployments:
    'W:.spec.replicas,R:.status.readyReplicas,U:.status.updatedReplicas,X:.status.unavailableReplicas,V:.metadata.annotations.deployment\\.kubernetes\\.io/revision',
  replicasets: 'I:.spec.template.spec.containers[0].image,W:.spec.replicas,R:.status.readyReplicas',
  statefulsets: 'W:.spec.replicas,R:.status.readyReplicas,U:.status.updatedReplicas',
  daemonsets: 'W:.status.desiredNumberScheduled,R:.status.numberReady,U:.status.updatedNumberScheduled',
  jobs: 'S:.status.succeeded,A:.status.active,F:.status.failed,C:.status.conditions[-1:].type',
  poddisruptionbudgets: 'H:.status.currentHealthy,E:.status.expectedPods,A:.status.disruptionsAllowed',
  pods: 'A:.metadata.labels.app,I:.spec.containers[0].image,P:.status.phase,D:.metadata.deletionTimestamp',
  endpointslices: 'N:.metadata.labels.kubernetes\\.io/service-name',
}

/** What it has come to, without names that are made by chance. */
async function outcome(cluster: Mortal, scene: string): Promise<string[]> {
  const lines: string[] = []
  for (const [resource, columns] of Object.entries(COLUMNS)) {
    // Which of a job's pods stood on the drained node is chance.
    const all = resource === 'pods' ? ['-l', 'app!=work'] : []
    const text = await cluster.ask(['-n', scene, 'get', resource, ...all, '-o', `custom-columns=${columns}`, '--no-headers'])
    lines.push(
      ...text
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line) => `${resource} ${line.trim().replace(/ +/g, ' ')}`),
    )
  }
  const nodes = await cluster.ask(['get', 'nodes', '-o', 'custom-columns=N:.metadata.name,U:.spec.unschedulable', '--no-headers'])
  return [
    ...lines.sort(),
    ...nodes
      .trim()
      .split('\n')
      .map((line) => line.replace(/ +/g, ' ')),
  ]
}

describe.skipIf(!hasProgram('kubectl'))(`controllers of a cluster that is killed ${String(KILLS)} times, seed ${String(SEED)}`, () => {
  it('come to the same end as without, through rollouts, a drain and jobs', async () => {
    const calm = await Mortal.start(join(temporaryDirectory('controllers-calm'), 'cluster'))
    await play(calm, 'scene')
    let wanted: string[] = []
    // It is still when it looks the same twice.
    for (
      let look = await outcome(calm, 'scene');
      look.join() !== wanted.join() || look.some((line) => /Pending|jobs .* Failed|Z$/.test(line));
      look = await outcome(calm, 'scene')
    ) {
      wanted = look
      await sleep(5000)
    }
    await calm.end()

    const random = new SeededRandom(SEED)
    const cluster = await Mortal.start(join(temporaryDirectory('controllers-killed'), 'cluster'))
    for (let scene = 0; cluster.kills < KILLS; scene++) {
      const name = `scene-${String(scene)}`
      let playing = true
      const played = play(cluster, name).finally(() => {
        playing = false
      })
      for (let kill = 0; kill < KILLS_A_SCENE && cluster.kills < KILLS; kill++) {
        await sleep(random.below(2000))
        await cluster.kill()
        if (!playing) break
      }
      await played
      const endMs = performance.now() + CONVERGED_MS
      let found = await outcome(cluster, name)
      while (found.join('\n') !== wanted.join('\n') && performance.now() < endMs) {
        await sleep(1000)
        found = await outcome(cluster, name)
      }
      expect(found, `scene ${String(scene)} after ${String(cluster.kills)} kills`).toEqual(wanted)
      await cluster.ask(['delete', 'namespace', name, '--wait=false'])
      process.stdout.write(`scene ${String(scene)}: the same end after ${String(cluster.kills)} kills\n`)
    }
    await cluster.end()
  })
})
