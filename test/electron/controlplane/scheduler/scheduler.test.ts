import { afterAll, describe, expect, it } from 'vitest'
import { silentLogger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { nodeNameOf, objectsAt } from '#shared/planning/scheduling/pod.ts'
import { NODES, PODS } from '#electron/client/resources.ts'
import { explainScheduling } from '#electron/clusters/schedulingExplanation.ts'
import { DecisionLog } from '#electron/controlplane/scheduler/decisionLog.ts'
import { runScheduler } from '#electron/controlplane/scheduler/scheduler.ts'
import { controllerFixture } from '../controllerFixture.ts'

const decisions = new DecisionLog()
const at = await controllerFixture('v1.20.2', undefined, {
  '/debug/scheduler/decision': (query) => decisions.find(query.get('namespace') ?? '', query.get('name') ?? ''),
})
await at.namespace('placing')

const node = (name: string, spec: JsonObject = {}, labels: Record<string, string> = {}): object => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
  spec,
  status: { allocatable: { cpu: '2', memory: '4Gi', pods: '10' }, capacity: { cpu: '2', memory: '4Gi', pods: '10' } },
})
const pod = (name: string, cpu: string, spec: JsonObject = {}, labels: Record<string, string> = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: { containers: [{ name: 'main', image: 'main:1', resources: { requests: { cpu } } }], ...spec },
})
/** The node it was bound to. */
const bound = (name: string): Promise<string> => at.until(`${name} is bound`, async () => nodeNameOf(await at.get(PODS, name)) || null)
const refused = (name: string): Promise<string> =>
  at.until(`${name} is refused`, async () => {
    const condition = objectsAt(objectAt((await at.get(PODS, name))['status'])['conditions']).find(({ type }) => type === 'PodScheduled')
    return condition?.['status'] === 'False' ? String(condition['message']) : null
  })
const priorityClass = (name: string, value: number): object => ({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value })

for (const name of ['a', 'b']) {
  await at.create(NODES, node(name, name === 'b' ? { taints: [{ key: 'team', value: 'red', effect: 'NoSchedule' }] } : {}))
  // Nobody lifts the taint that a new node gets here.
  await at.client.patch(
    NODES,
    { name },
    { spec: { taints: name === 'b' ? [{ key: 'team', value: 'red', effect: 'NoSchedule' }] : null } },
    { type: 'merge' },
    at.signal,
  )
}
const stopper = new AbortController()
const running = runScheduler({
  transport: at.transport,
  clock: at.clock,
  random: new SeededRandom(5),
  logger: silentLogger,
  signal: stopper.signal,
  kubernetesVersion: 'v1.20.2',
  decisions,
})
afterAll(async () => {
  stopper.abort()
  await running
})

describe('scheduler', () => {
  it('writes down for each node which plugin refused it, and says so in the event', async () => {
    await at.create(PODS, pod('large', '3'))
    const message = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had taint {team: red}, that the pod didn't tolerate."
    expect(await refused('large')).toBe(message)
    await at.until('told', async () => (await at.events('large')).includes(`FailedScheduling: ${message}`))
    const { recorded, decision } = await explainScheduling(at.client, { namespace: 'placing', name: 'large', nowMs: at.clock.now() }, at.signal)
    expect(recorded).toBe(true)
    expect(decision).toMatchObject({ attempt: 1, node: null, message, preemption: null, nodeCount: 2 })
    expect(decision.verdicts.map(({ node: name, plugin, reasons }) => [name, plugin, reasons])).toEqual([
      ['a', 'NodeResourcesFit', ['Insufficient cpu']],
      ['b', 'TaintToleration', ["node(s) had taint {team: red}, that the pod didn't tolerate"]],
    ])
    await at.removePod('large')
  })

  it('writes down the points of nodes that would do, and binds to one of the best', async () => {
    await at.create(
      PODS,
      pod('tolerant', '500m', {
        tolerations: [{ operator: 'Exists' }],
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 5, preference: { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['b'] }] } },
            ],
          },
        },
      }),
    )
    expect(await bound('tolerant')).toBe('b')
    const { decision } = await explainScheduling(at.client, { namespace: 'placing', name: 'tolerant', nowMs: at.clock.now() }, at.signal)
    expect(decision.node).toBe('b')
    expect(decision.verdicts[0]).toMatchObject({ node: 'b', plugin: null, scores: { NodeAffinity: 100, NodeResourcesLeastAllocated: 85 } })
    expect(decision.verdicts[1]).toMatchObject({ node: 'a', plugin: null, scores: { NodeAffinity: 0 } })
  })

  it('applies the same rules to a cluster whose scheduler keeps no record', async () => {
    await at.create(PODS, pod('elsewhere', '3', { schedulerName: 'another' }))
    const { recorded, decision } = await explainScheduling(at.client, { namespace: 'placing', name: 'elsewhere', nowMs: at.clock.now() }, at.signal)
    expect(recorded).toBe(false)
    expect(decision.message).toBe("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had taint {team: red}, that the pod didn't tolerate.")
    await at.removePod('elsewhere')
  })

  it('keeps the room that was made for an important pod from pods that are less so', async () => {
    const classes = { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' }
    for (const [name, value] of [
      ['low', 1],
      ['high', 100],
    ] as const)
      await at.client.create(classes, {}, priorityClass(name, value), at.signal)
    await at.create(PODS, pod('low', '1500m', { priorityClassName: 'low' }))
    expect(await bound('low')).toBe('a')
    await at.create(PODS, pod('high', '1500m', { priorityClassName: 'high' }))
    const nominated = await at.until('nominated', async () => objectAt((await at.get(PODS, 'high'))['status'])['nominatedNodeName'])
    expect(nominated).toBe('a')
    await at.until('low is asked to leave', async () => (await at.get(PODS, 'low')).metadata.deletionTimestamp !== undefined)
    const { decision } = await explainScheduling(at.client, { namespace: 'placing', name: 'high', nowMs: at.clock.now() }, at.signal)
    expect(decision.preemption).toEqual({ node: 'a', victims: ['placing/low'] })
    // It would fit beside what is leaving, but the room is taken.
    await at.create(PODS, pod('small', '800m', { priorityClassName: 'low' }))
    await at.removePod('low')
    expect(await refused('small')).toMatch(/1 Insufficient cpu/)
    await at.clock.advance(2_000)
    expect(await bound('high')).toBe('a')
    for (const name of ['small', 'high']) await at.removePod(name)
  })

  it('tries a pod again once what it asks for has changed', async () => {
    await at.create(PODS, pod('changing', '100m', { nodeSelector: { disk: 'ssd' } }))
    expect(await refused('changing')).toMatch(/didn't match Pod's node affinity/)
    await at.client.patch(NODES, { name: 'a' }, { metadata: { labels: { disk: 'ssd' } } }, { type: 'merge' }, at.signal)
    await at.clock.advance(2_000)
    expect(await bound('changing')).toBe('a')
  })

  it('spreads a workload over zones by default, and counts what comes', async () => {
    const labels: Record<string, string> = { zone: 'topology.kubernetes.io/zone' }
    for (const [name, zone] of [
      ['z1', 'one'],
      ['z2', 'two'],
    ] as const) {
      await at.create(NODES, node(name, {}, { [labels['zone'] ?? '']: zone, pool: 'spread' }))
      await at.client.patch(NODES, { name }, { spec: { taints: null } }, { type: 'merge' }, at.signal)
    }
    await at.create(
      { group: '', version: 'v1', resource: 'services' },
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } },
    )
    const nodes: string[] = []
    for (const name of ['w1', 'w2', 'w3', 'w4']) {
      await at.create(PODS, pod(name, '10m', { nodeSelector: { pool: 'spread' } }, { app: 'web' }) as KubeObject)
      nodes.push(await bound(name))
    }
    expect(nodes.toSorted()).toEqual(['z1', 'z1', 'z2', 'z2'])
  })
})
