import { appendFileSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { nodeNameOf, objectsAt, textAt } from '#shared/planning/scheduling/pod.ts'
import {
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  SERVICES,
} from '#electron/client/resources.ts'
import { replaceServer } from '#electron/pki/kubeconfig.ts'
import { makePki, startRealControlPlane, startRealScheduler, type Served } from '#test/bench/load/servers.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { Side } from './scenario/side.ts'
import { decide, narrowed, SettledCluster, type Expected } from './scheduler/mirror.ts'
import { PRIORITIES, randomCluster, type RandomCluster } from './scheduler/randomCluster.ts'
import { SchedulerLog } from './scheduler/schedulerLog.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

// Random clusters in a real kube-apiserver without kubelets and controllers; a real kube-scheduler places pod after pod. For each, the
// nodes that would do, the points every plugin gives them and the message when none would must be what Drydock's plugins say.
const bin = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''
const seed = Number(process.env['DRYDOCK_SEED'] ?? '1')
const rounds = Number(process.env['DRYDOCK_ROUNDS'] ?? '200')
const report = join('test-results', `scheduler-${String(seed)}.txt`)

/** Clusters between two lines of progress. */
const PROGRESS_EVERY = 20
/** Before a pod is tried again. */
const SETTLE_MS = 1_000
const BUDGETS = { ...POD_DISRUPTION_BUDGETS, version: 'v1beta1' }
const PRIORITY_CLASSES = { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' }

/** What the real one did of a pod. */
interface Placed {
  node: string
  message: string
  /** Where others are asked to leave, and who. */
  nominated: string
  victims: string[]
}

const nameOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`

/** How a pod's placing differs, in a few words; null when it does not. */
function difference(all: Expected, theirs: Placed & { log: SchedulerLog; pod: string; isLarge: boolean }): string | null {
  if (theirs.node === '') {
    if (all.message !== theirs.message) return `message: ${all.message} | peer: ${theirs.message}`
    const expected = all.preemption.map(({ node, victims }) => `${node} without ${victims.map(nameOf).sort().join()}`)
    const found = theirs.nominated === '' ? '' : `${theirs.nominated} without ${theirs.victims.sort().join()}`
    if (found === '' ? expected.length === 0 : expected.includes(found)) return null
    return `preemption: ${expected.join(' or ')} | peer: ${found}`
  }
  const searched = theirs.isLarge ? theirs.log.scores(theirs.pod) : null
  const ours = searched === null ? all : narrowed(all, new Set(searched.total.keys()))
  const feasible = ours.scores.map(({ info }) => info.name).sort()
  const logged = theirs.log.scores(theirs.pod)
  const others = logged === null ? [theirs.node] : [...logged.total.keys()].sort()
  if (feasible.join() !== others.join()) return `nodes: ${feasible.join()} | peer: ${others.join()}; ${ours.message}`
  if (logged === null) return null
  for (const { info, byPlugin, total } of ours.scores) {
    for (const [plugin, points] of logged.byPlugin) {
      // The log has points with their weights.
      const weight = plugin === 'PodTopologySpread' ? 2 : plugin === 'NodePreferAvoidPods' ? 10_000 : 1
      if ((byPlugin[plugin] ?? 0) * weight !== points.get(info.name))
        return `${plugin} of ${info.name}: ${String((byPlugin[plugin] ?? 0) * weight)} | peer: ${String(points.get(info.name))}`
    }
    if (total !== logged.total.get(info.name)) return `total of ${info.name}: ${String(total)} | peer: ${String(logged.total.get(info.name))}`
  }
  const best = ours.scores[0]?.total
  return ours.scores.some(({ info, total }) => info.name === theirs.node && total === best) ? null : `chosen: ${theirs.node} is none of the best`
}

describe.skipIf(bin === '')('the plugins and the real kube-scheduler 1.20', () => {
  const dir = temporaryDirectory('scheduler')
  const log = new SchedulerLog()
  let served: Served | undefined
  let scheduler: { end(): Promise<void> } | undefined
  let side: Side | undefined
  let started = 0

  beforeAll(async () => {
    const kubernetesDir = join(dir, 'kubernetes')
    const pki = makePki(kubernetesDir)
    // Without controllers nobody would take off the taint of a new node, nor make service accounts.
    const apiServerArgs = ['--disable-admission-plugins', 'TaintNodesByCondition,ServiceAccount']
    served = await startRealControlPlane({ bin, etcd: process.env['DRYDOCK_ETCD'] ?? 'etcd' }, join(dir, 'etcd'), pki, { apiServerArgs })
    const url = `https://127.0.0.1:${String(served.api.port)}`
    for (const file of ['super-admin.conf', 'scheduler.conf']) replaceServer(join(dirname(pki.dir), file), url)
    scheduler = await startRealScheduler(bin, {
      kubeconfig: join(kubernetesDir, 'scheduler.conf'),
      args: ['--vmodule', 'generic_scheduler=10', '--kube-api-qps', '2000', '--kube-api-burst', '2000'],
      onLine: (line) => {
        log.read(line)
      },
    })
    side = new Side('peer', join(kubernetesDir, 'super-admin.conf'), { workers: 0 })
    await side.open()
    await side.client.create(NAMESPACES, {}, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } }, side.signal)
    for (const { name, ...rest } of PRIORITIES)
      await side.client.create(PRIORITY_CLASSES, {}, { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, ...rest }, side.signal)
    mkdirSync(dirname(report), { recursive: true })
    rmSync(report, { force: true })
  })
  afterAll(async () => {
    side?.close()
    await scheduler?.end()
    await served?.end()
  })

  async function build(peer: Side, { nodes, workloads, claims, placed, budgets }: RandomCluster): Promise<void> {
    const { client, signal } = peer
    await Promise.all(nodes.map((node) => client.create(NODES, {}, node, signal)))
    // For each node 1.20 remembers how many had its images when that node changed last: now all of them have come.
    const seenAll = { metadata: { annotations: { 'example.com/all-nodes': 'seen' } } }
    await Promise.all(nodes.map(({ metadata }) => client.patch(NODES, { name: metadata.name ?? '' }, seenAll, { type: 'merge' }, signal)))
    for (const { kind, object } of workloads)
      await client.create(kind === 'Service' ? SERVICES : REPLICA_SETS, { namespace: object.metadata.namespace }, object, signal)
    for (const { volume, claim } of claims) {
      await client.create(PERSISTENT_VOLUMES, {}, volume, signal)
      const made = await client.create(PERSISTENT_VOLUME_CLAIMS, { namespace: 'default' }, claim, signal)
      await client.update(
        PERSISTENT_VOLUME_CLAIMS,
        { namespace: 'default', name: claim.metadata.name ?? '', subresource: 'status' },
        { ...made, status: { phase: 'Bound' } },
        signal,
      )
    }
    for (const budget of budgets) {
      const { namespace, name = '' } = budget.metadata
      const made = await client.create(BUDGETS, { namespace }, budget, signal)
      await client.update(BUDGETS, { namespace, name, subresource: 'status' }, { ...made, status: budget['status'] }, signal)
    }
    await Promise.all(placed.map((pod) => client.create(PODS, { namespace: pod.metadata.namespace }, pod, signal)))
    for (const pod of placed) await start(peer, pod)
  }

  /** As a kubelet tells: which of two pods is the older one counts when one must go. */
  async function start(peer: Side, { metadata: { namespace, name = '' } }: KubeObject): Promise<void> {
    const startTime = `${new Date(Date.UTC(2026, 0, 1) + 1_000 * started++).toISOString().slice(0, 19)}Z`
    await peer.client.patch(PODS, { namespace, name, subresource: 'status' }, { status: { phase: 'Running', startTime } }, { type: 'merge' }, peer.signal)
  }

  async function remove(peer: Side, pod: string): Promise<void> {
    const [namespace = '', name = ''] = pod.split('/')
    await peer.client.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0 }, peer.signal)
  }

  async function clear(peer: Side): Promise<void> {
    const { client, signal } = peer
    for (const gvr of [PODS, BUDGETS, SERVICES, REPLICA_SETS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, NODES])
      await Promise.all(
        (await client.list(gvr, {}, signal)).items.map(async ({ metadata }) => {
          if (gvr === SERVICES && metadata.name === 'kubernetes') return
          const target = { namespace: metadata.namespace, name: metadata.name ?? '' }
          if (metadata.finalizers !== undefined) await client.patch(gvr, target, { metadata: { finalizers: null } }, { type: 'merge' }, signal)
          await client.delete(gvr, target, { gracePeriodSeconds: 0 }, signal)
        }),
      )
  }

  /** Until the scheduler has bound the pod or said why not. Before it says so, it has asked others to leave. */
  async function placed(peer: Side, pod: KubeObject): Promise<Placed> {
    const { namespace, name = '' } = pod.metadata
    const endMs = performance.now() + 60_000
    while (performance.now() < endMs) {
      const seen = await peer.client.get(PODS, { namespace, name }, peer.signal)
      const condition = objectsAt(objectAt(seen['status'])['conditions']).find(({ type }) => type === 'PodScheduled')
      if (nodeNameOf(seen) !== '') return { node: nodeNameOf(seen), message: '', nominated: '', victims: [] }
      if (condition?.['status'] === 'False') {
        const nominated = textAt(objectAt(seen['status'])['nominatedNodeName'])
        const leaving = nominated === '' ? [] : (await peer.client.list(PODS, { fieldSelector: `spec.nodeName=${nominated}` }, peer.signal)).items
        const victims = leaving.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).map(nameOf)
        return { node: '', message: textAt(condition['message']), nominated, victims }
      }
      await sleep(5)
    }
    throw new Error(`kube-scheduler neither placed ${name} nor said why not within a minute`)
  }

  /** A pod that fits nowhere is answered once the scheduler has seen every node; what was made before the nodes' pods it has seen then, too. */
  async function seen(peer: Side, cluster: RandomCluster, name: string): Promise<void> {
    const probe = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: { nodeSelector: { nowhere: 'yes' }, containers: [{ name: 'main', image: 'main:1' }] },
    }
    const count = String(cluster.nodes.length)
    for (let tries = 0; ; tries++) {
      const made = await peer.client.create(
        PODS,
        { namespace: 'default' },
        { ...probe, metadata: { ...probe.metadata, name: `${name}-${String(tries)}` } },
        peer.signal,
      )
      const { message } = await placed(peer, made)
      await peer.client.delete(PODS, { namespace: 'default', name: made.metadata.name ?? '' }, { gracePeriodSeconds: 0 }, peer.signal)
      if (message.startsWith(`0/${count} `)) break
      if (tries > 50) throw new Error(`the scheduler does not see ${count} nodes: ${message}`)
    }
    // Watches of other kinds are separate streams: they are given the time of a few events.
    await sleep(30)
  }

  /** Both about one pod, which stays where it was placed; one that found no node is gone afterwards, and so is who left for it. */
  async function attempt(
    peer: Side,
    { isLarge, settled }: RandomCluster & { settled: SettledCluster },
    pod: KubeObject,
  ): Promise<{ made: KubeObject; theirs: Placed; differs: string | null }> {
    const { namespace } = pod.metadata
    // As admission completes it, before anything happens because of it.
    const asked = await peer.tried(PODS, namespace, pod)
    const ours = await decide(settled, asked, peer.signal)
    const made = await peer.client.create(PODS, { namespace }, pod, peer.signal)
    const theirs = await placed(peer, made)
    const differs = difference(ours, { ...theirs, log, pod: nameOf(made), isLarge })
    if (theirs.node === '') {
      // Gone before room is made, so that it is not tried again between two others.
      await remove(peer, nameOf(made))
      for (const victim of theirs.victims) await remove(peer, victim)
    } else await start(peer, made)
    return { made, theirs, differs }
  }

  it(`agree on ${String(rounds)} clusters of seed ${String(seed)}`, async () => {
    if (side === undefined) throw new Error('the peer is not there')
    const differences: string[] = []
    let pods = 0
    let without = 0
    let scored = 0
    let preempted = 0
    let again = 0
    let large = 0
    for (let round = 0; round < rounds; round++) {
      const name = `s${String(seed)}-${String(round)}`
      const cluster = { ...randomCluster(new SeededRandom(seed * 1_000_003 + round), name), settled: new SettledCluster(side.client) }
      if (cluster.isLarge) large++
      await build(side, cluster)
      await seen(side, cluster, `${name}-probe`)
      for (const pod of cluster.pods) {
        let tried = await attempt(side, cluster, pod)
        // It hears of bound pods and of new ones by two threads: on a busy machine it may not know yet who has gone. What is a difference stays one.
        if (tried.differs !== null && tried.theirs.victims.length === 0) {
          const first = tried.differs
          if (tried.theirs.node !== '') await remove(side, nameOf(tried.made))
          await sleep(SETTLE_MS)
          tried = await attempt(side, cluster, { ...pod, metadata: { ...pod.metadata, name: `${pod.metadata.name ?? ''}-again` } })
          if (tried.differs === null) appendFileSync(report, `${nameOf(tried.made)}: only at first: ${first}\n`)
          again++
        }
        const { made, theirs, differs } = tried
        pods++
        if (theirs.node === '') without++
        if (theirs.nominated !== '') preempted++
        if (log.scores(nameOf(made)) !== null) scored++
        if (differs === null) continue
        differences.push(differs)
        appendFileSync(report, `${made.metadata.name ?? ''}: ${differs}\n${JSON.stringify([made.metadata.labels, made['spec']])}\n`)
      }
      await clear(side)
      if (round % PROGRESS_EVERY === PROGRESS_EVERY - 1)
        process.stdout.write(`scheduler: ${String(round + 1)} clusters, ${String(pods)} pods, ${String(differences.length)} differences so far\n`)
    }
    process.stdout.write(
      `scheduler: ${String(rounds)} clusters (${String(large)} large), ${String(pods)} pods, ${String(without)} without a node, ${String(preempted)} preempting, ${String(scored)} with scores, ${String(again)} tried again, ${String(differences.length)} differences\n`,
    )
    expect(differences).toEqual([])
  })
})
