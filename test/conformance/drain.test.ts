import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { SeededRandom, type Random } from '#shared/base/random.ts'
import type { Blocker } from '#shared/contract/runbooks.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { DrainOptions, PlannedPod } from '#shared/planning/drain/drainPlan.ts'
import { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import { drainInput, drainRunbook, readDrainPlan } from '#electron/runbooks/drain/drainRunbook.ts'
import { RunbookEngine } from '#electron/runbooks/engine.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startRealApiServer, type RealApiServer } from '#test/support/realApiServer.ts'
import { CountedBudgets } from './drain/countedBudgets.ts'
import { NotedEvictions } from './drain/notedEvictions.ts'
import { randomCluster, type RandomCluster } from './drain/randomCluster.ts'
import { freeHold, noCluster } from '#test/support/freeHold.ts'

// Random clusters are drained by the runbook against a real kube-apiserver whose real disruption controller keeps the budgets.
// Its nodes have no kubelet, so what was evicted stays in its ending and nothing comes back: what the plan foresees has to be
// what happens, eviction by eviction, refusal by refusal, in the server's own words.
const BIN = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''
const ROUNDS = Number(process.env['DRYDOCK_ROUNDS'] ?? 200)
const SEED = Number(process.env['DRYDOCK_SEED'] ?? 1)
/** Rounds under way at once. */
const LANES = 4
/** The drain's clock: its pause of 5 s between tries takes half a second. */
const TIME_SCALE = 10
const { signal } = new AbortController()

interface Tally {
  pods: number
  evicted: number
  refused: number
  stayed: number
  undecided: number
  differences: string[]
}

async function create(api: ClusterApi, { cluster, counted }: { cluster: RandomCluster; counted: CountedBudgets }): Promise<void> {
  const { namespace, nodes, replicaSets, pods, budgets } = cluster
  await api.post('/api/v1/namespaces', { metadata: { name: namespace } }, signal)
  for (const { name, unschedulable } of nodes)
    await api.post(
      '/api/v1/nodes',
      {
        metadata: { name },
        spec: { unschedulable },
        status: { allocatable: { cpu: '8', memory: '16Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] },
      },
      signal,
    )
  const uids = new Map<string, string>()
  for (const { name, replicas } of replicaSets) {
    const template = { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'nginx' }] } }
    const created = (await api.post(
      `/apis/apps/v1/namespaces/${namespace}/replicasets`,
      { metadata: { name }, spec: { replicas, selector: { matchLabels: { app: name } }, template } },
      signal,
    )) as KubeObject
    uids.set(name, created.metadata.uid ?? '')
  }
  await Promise.all(
    pods.map(async ({ name, node, owner, labels, emptyDir, phase, ready, mirror }) => {
      const [kind, ownerName = ''] = owner.split('/')
      const ownerReferences =
        owner === ''
          ? []
          : [{ apiVersion: 'apps/v1', kind, name: ownerName, uid: kind === 'ReplicaSet' ? uids.get(ownerName) : randomUUID(), controller: true }]
      await api.post(
        `/api/v1/namespaces/${namespace}/pods`,
        {
          metadata: { name, labels, ownerReferences, ...(mirror ? { annotations: { 'kubernetes.io/config.mirror': 'x' } } : {}) },
          spec: { nodeName: node, containers: [{ name: 'main', image: 'nginx' }], ...(emptyDir ? { volumes: [{ name: 'scratch', emptyDir: {} }] } : {}) },
        },
        signal,
      )
      await api.patch(
        `/api/v1/namespaces/${namespace}/pods/${name}/status`,
        { status: { phase, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] } },
        signal,
      )
    }),
  )
  for (const { name, spec } of budgets) await api.post(counted.path, { metadata: { name }, spec }, signal)
  await counted.create()
}

const label = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`

async function round(
  real: RealApiServer,
  { random, namespace, directory, tally }: { random: Random; namespace: string; directory: string; tally: Tally },
): Promise<void> {
  const noted = new NotedEvictions(real.transport)
  const api = new ClusterApi(noted)
  const cluster = randomCluster(random, namespace)
  const counted = new CountedBudgets(api, namespace)
  await create(api, { cluster, counted })
  await counted.settled()
  const target = cluster.nodes[random.below(cluster.nodes.length)]
  if (target === undefined) throw new Error('a cluster has nodes')
  const onNode = (): Promise<KubeObject[]> => api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${target.name}`, signal)
  const before = await onNode()
  const cautious: DrainOptions = { deleteEmptyDirData: false, overrides: [] }
  const first = (await readDrainPlan(api, [target.name], cautious, { signal })).nodes[0]?.pods ?? []
  const undecided = first.filter(({ verdict }) => verdict === 'undecided')
  // The operator decides by the toss of a coin.
  const options: DrainOptions = {
    deleteEmptyDirData: false,
    overrides: undecided.map(({ namespace: space, name }) => ({
      namespace: space,
      name,
      action: random.below(2) === 0 ? 'evict' : 'leave',
      reason: 'decided in a proof',
    })),
  }
  const plan = await readDrainPlan(api, [target.name], options, { signal })
  const pods = plan.nodes[0]?.pods ?? []
  const input = drainInput(plan, { id: namespace, name: namespace }, options)

  let blockers: Blocker[] = []
  const engine = new RunbookEngine({
    directory: join(directory, namespace),
    runbooks: [drainRunbook({ api: () => Promise.resolve(api) }) as never],
    clock: new SystemClock(TIME_SCALE),
    logger: silentLogger,
    newId: randomUUID,
    hold: freeHold,
    identify: noCluster,
  })
  engine.open()
  const release = engine.onChange(({ steps }) => {
    const step = steps.find(({ state }) => state === 'running')
    blockers = step?.blockers ?? blockers
  })
  const id = await engine.start('drain', input)
  const isGoing = ({ verdict }: PlannedPod): boolean => verdict !== 'stays'
  const isRunning = (): boolean => engine.get(id).state === 'running'
  const waiting = async (): Promise<string[]> => {
    const now = new Map((await onNode()).map((pod) => [pod.metadata.uid ?? '', pod]))
    const there = (uid: string): boolean => now.get(uid) !== undefined && now.get(uid)?.metadata.deletionTimestamp === undefined
    return pods.filter((pod) => isGoing(pod) && there(pod.uid)).map(label)
  }
  // Rest: all that has to go has either gone or been refused; each budget was counted after that and refused again, and nothing went meanwhile.
  for (let before = await waiting(); isRunning();) {
    await counted.settled()
    const asked = new Map(blockers.map(({ subject }) => [subject, noted.count(subject)]))
    const isRefusedAgain = ({ reason }: Blocker): boolean =>
      blockers.some((other) => other.reason === reason && noted.count(other.subject) > (asked.get(other.subject) ?? 0))
    await expect.poll(() => !isRunning() || blockers.every(isRefusedAgain), { timeout: 60_000, interval: 100 }).toBe(true)
    const now = await waiting()
    if (now.join() === before.join() && now.length === blockers.length) break
    before = now
  }
  release()
  const after = new Map((await onNode()).map((pod) => [pod.metadata.uid ?? '', pod]))
  const differ = (text: string): void => void tally.differences.push(`${namespace} ${text}`)
  for (const pod of pods) {
    tally.pods += 1
    const was = before.find(({ metadata }) => metadata.uid === pod.uid)
    const went =
      was?.metadata.deletionTimestamp === undefined && (after.get(pod.uid) === undefined || after.get(pod.uid)?.metadata.deletionTimestamp !== undefined)
    const refusal = blockers.find(({ subject }) => subject === label(pod))
    const happened = went ? 'evicted' : refusal === undefined ? 'stays' : 'refused'
    const foreseen = pod.verdict === 'blocked' || pod.verdict === 'waits' ? 'refused' : pod.verdict
    tally.evicted += Number(happened === 'evicted')
    tally.refused += Number(happened === 'refused')
    tally.stayed += Number(happened === 'stays')
    if (foreseen !== happened)
      differ(
        `${pod.name}: foreseen ${pod.verdict} (${pod.reason}), ${happened} (${refusal?.reason ?? ''}); asked: ${noted.answers.get(label(pod))?.join(', ') ?? 'never'}`,
      )
    if (refusal !== undefined && pod.verdict === 'blocked' && !pod.reason.startsWith(refusal.reason))
      differ(`${pod.name}: foreseen «${pod.reason}», told «${refusal.reason}»`)
    if (refusal !== undefined && !pod.budgets.some((name) => refusal.reason.includes(`budget ${name} `)) && pod.budgets.length === 1)
      differ(`${pod.name}: «${refusal.reason}» is not of ${pod.budgets.join()}`)
  }
  tally.undecided += undecided.length
  if (engine.get(id).state === 'running') await engine.abort(id)
  const node = await api.get(`/api/v1/nodes/${target.name}`, signal)
  const cordoned = (node['spec'] as { unschedulable?: boolean }).unschedulable === true
  const aborted = engine.get(id).state === 'aborted'
  if (aborted ? cordoned !== target.unschedulable : !cordoned)
    differ(`the node is ${cordoned ? '' : 'not '}cordoned after a run that is ${engine.get(id).state}`)
  await engine.close()
  await clear(api, cluster)
}

async function clear(api: ClusterApi, { namespace, nodes }: RandomCluster): Promise<void> {
  const gone = { gracePeriodSeconds: 0 }
  for (const path of [`/api/v1/namespaces/${namespace}/pods`, new CountedBudgets(api, namespace).path, `/apis/apps/v1/namespaces/${namespace}/replicasets`])
    await api.delete(path, gone, signal)
  for (const { name } of nodes) await api.delete(`/api/v1/nodes/${name}`, gone, signal)
}

describe.skipIf(BIN === '' || !hasProgram('etcd'))('drains of random clusters, against a real kube-apiserver', () => {
  const directory = temporaryDirectory('drain-proof')
  let real: RealApiServer

  beforeAll(async () => {
    real = await startRealApiServer({ directory: join(directory, 'real'), bin: BIN, controllers: ['disruption'] })
  })
  afterAll(async () => {
    await real.stop()
  })

  it('evict and are refused as planned', async () => {
    const tally: Tally = { pods: 0, evicted: 0, refused: 0, stayed: 0, undecided: 0, differences: [] }
    const seeds = Array.from({ length: ROUNDS }, (_, index) => index)
    await Promise.all(
      Array.from({ length: LANES }, async () => {
        for (let index = seeds.shift(); index !== undefined; index = seeds.shift())
          await round(real, { random: new SeededRandom(SEED * 100_000 + index), namespace: `drain-${String(SEED)}-${String(index)}`, directory, tally })
      }),
    )
    const { differences, ...counts } = tally
    process.stdout.write(`drydock: ${String(ROUNDS)} clusters: ${JSON.stringify(counts)}, ${String(differences.length)} differences\n`)
    expect(differences).toEqual([])
    expect(counts.evicted).toBeGreaterThan(0)
    expect(counts.refused).toBeGreaterThan(0)
  })
})
