import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { AffinityTerms } from '#shared/planning/scheduling/affinity.ts'
import { filterNode, prepareCycle, type SchedulingView } from '#shared/planning/scheduling/filters.ts'
import { NodeInfo } from '#shared/planning/scheduling/nodeInfo.ts'
import { choosePreemption, type Preemption } from '#electron/controlplane/scheduler/preemption.ts'

const noLabels = (): Record<string, string> => ({})
const view: SchedulingView = {
  namespaceLabels: noLabels,
  terms: new AffinityTerms(noLabels),
  workloads: () => ({ services: [], replicationControllers: [], replicaSets: [], statefulSets: [] }),
  minor: 20,
  volumes: { claim: () => undefined, volume: () => undefined, volumes: () => [], storageClass: () => undefined },
}

interface Running {
  name: string
  cpu: string
  priority?: number
  app?: string
  /** Seconds after the first. */
  started?: number
}

function pod({ name, cpu, priority = 0, app = 'web', started }: Running): KubeObject {
  const spec = { priority, containers: [{ name: 'main', resources: { requests: { cpu } } }] }
  const status = started === undefined ? {} : { startTime: new Date(Date.UTC(2026, 0, 1) + 1000 * started).toISOString() }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', uid: name, labels: { app } }, spec, status }
}

function node(name: string, pods: readonly Running[]): NodeInfo {
  const info = new NodeInfo({ apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { allocatable: { cpu: '2', memory: '4Gi', pods: '10' } } })
  for (const each of pods) info.add(pod(each))
  return info
}

const budget = (app: string, disruptionsAllowed: number, disruptedPods: object = {}): KubeObject => ({
  metadata: { name: app, namespace: 'default' },
  spec: { selector: { matchLabels: { app } } },
  status: { disruptionsAllowed, disruptedPods },
})

/** Where a pod of priority 100 makes room for itself, and who goes: `n1: a,b`. */
function chosen(
  cpu: string,
  nodes: readonly NodeInfo[],
  { budgets = [], coming = {} }: { budgets?: KubeObject[]; coming?: Record<string, Running[]> } = {},
): string {
  const asking = pod({ name: 'asking', cpu, priority: 100 })
  const state = prepareCycle(asking, nodes, view)
  const refusals = new Map(
    nodes.flatMap((info) => [[info.name, filterNode(state, info)] as const]).flatMap(([name, refusal]) => (refusal === null ? [] : [[name, refusal]])),
  )
  const result: Preemption = choosePreemption(asking, nodes, refusals, { view, budgets, coming: (name) => (coming[name] ?? []).map(pod) })
  return result.kind === 'none' ? result.message : `${result.node}: ${result.victims.map(({ metadata }) => metadata.name).join()}`
}

describe('choosePreemption', () => {
  it('lets the oldest of equal pods stay', () => {
    const nodes = [
      node('n1', [
        { name: 'young', cpu: '1', started: 20 },
        { name: 'old', cpu: '1', started: 10 },
      ]),
    ]
    expect(chosen('1', nodes)).toBe('n1: young')
  })

  it('takes a pod that has not started for the youngest', () => {
    const nodes = [
      node('n1', [
        { name: 'bound', cpu: '1' },
        { name: 'old', cpu: '1', started: 10 },
      ]),
    ]
    expect(chosen('1', nodes)).toBe('n1: bound')
  })

  it('counts a budget as broken by the pod that goes beyond it, though one fewer may go in the end', () => {
    // Of the two that the budget guards one may go: the older one is looked at first and uses the allowance up.
    const guarded = node('n1', [
      { name: 'older', cpu: '500m', app: 'db', started: 1 },
      { name: 'newer', cpu: '1500m', app: 'db', started: 2 },
    ])
    const free = node('n2', [{ name: 'other', cpu: '2', started: 3, priority: 50 }])
    // Only the newer one must go, and it is the one beyond the budget: a more important pod elsewhere goes first.
    expect(chosen('1500m', [guarded, free], { budgets: [budget('db', 1)] })).toBe('n2: other')
    expect(chosen('1500m', [guarded, free], { budgets: [budget('db', 2)] })).toBe('n1: newer')
  })

  it('does not count a pod twice that the budget has let go already', () => {
    const guarded = node('n1', [{ name: 'leaving', cpu: '2', app: 'db', started: 1 }])
    const free = node('n2', [{ name: 'other', cpu: '2', started: 3, priority: 50 }])
    expect(chosen('1', [guarded, free], { budgets: [budget('db', 0)] })).toBe('n2: other')
    expect(chosen('1', [guarded, free], { budgets: [budget('db', 0, { leaving: '2026-01-01T00:00:00Z' })] })).toBe('n1: leaving')
  })

  it('leaves the room of a pod that is to come there to it', () => {
    const nodes = [
      node('n1', [
        { name: 'a', cpu: '1', started: 1 },
        { name: 'b', cpu: '1', started: 2 },
      ]),
    ]
    expect(chosen('1', nodes)).toBe('n1: b')
    expect(chosen('1', nodes, { coming: { n1: [{ name: 'coming', cpu: '1', priority: 200 }] } })).toBe('n1: a,b')
    expect(chosen('1', nodes, { coming: { n1: [{ name: 'coming', cpu: '2', priority: 200 }] } })).toBe(
      '0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    )
  })
})
