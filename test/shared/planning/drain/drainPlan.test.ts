import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { planDrain, type DrainFacts, type DrainOptions } from '#shared/planning/drain/drainPlan.ts'

const OPTIONS: DrainOptions = { deleteEmptyDirData: false, overrides: [] }

function node(name: string, spec: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec, status: { allocatable: { cpu: '2', memory: '4Gi', pods: '10' } } }
}

function pod(
  name: string,
  on: string,
  changes: { owner?: string; labels?: Record<string, string>; spec?: object; metadata?: object; phase?: string } = {},
): KubeObject {
  const { owner = 'ReplicaSet/web', labels = { app: 'web' }, phase = 'Running' } = changes
  const [kind = '', ownerName = ''] = owner.split('/')
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: 'default',
      name,
      uid: name,
      labels,
      ...(owner === '' ? {} : { ownerReferences: [{ apiVersion: 'apps/v1', kind, name: ownerName, uid: ownerName, controller: true }] }),
      ...changes.metadata,
    },
    spec: { nodeName: on, containers: [{ name: 'main', resources: { requests: { cpu: '500m' } } }], ...changes.spec },
    status: { phase, conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

function budget(name: string, { allowed, desired, current, expected }: { allowed: number; desired: number; current: number; expected: number }): KubeObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { namespace: 'default', name, generation: 1 },
    spec: { selector: { matchLabels: { app: name } } },
    status: { observedGeneration: 1, disruptionsAllowed: allowed, desiredHealthy: desired, currentHealthy: current, expectedPods: expected },
  }
}

function facts(changes: Partial<DrainFacts>): DrainFacts {
  return {
    nodes: [node('a'), node('b')],
    pods: [],
    budgets: [],
    namespaceLabels: () => ({}),
    volumes: { claim: () => undefined, volume: () => undefined, volumes: () => [], storageClass: () => undefined },
    minor: 36,
    ...changes,
  }
}

const verdicts = (of: DrainFacts, options = OPTIONS, names = ['a']): string[] =>
  planDrain(of, names, options).nodes.flatMap(({ pods }) =>
    pods.map(({ name, verdict, target }) => `${name} ${verdict}${target === '' ? '' : ` to ${target}`}`),
  )

describe('planDrain', () => {
  it('lets pods of a budget wait for the ones before them, where these fit elsewhere', () => {
    const pods = [pod('web-1', 'a'), pod('web-2', 'a'), pod('web-3', 'b')]
    expect(verdicts(facts({ pods, budgets: [budget('web', { allowed: 1, desired: 2, current: 3, expected: 3 })] }))).toEqual([
      'web-1 evicted to b',
      'web-2 waits to b',
    ])
  })

  it('says that a budget that wants all its pods never lets one go', () => {
    const plan = planDrain(facts({ pods: [pod('web-1', 'a')], budgets: [budget('web', { allowed: 0, desired: 1, current: 1, expected: 1 })] }), ['a'], OPTIONS)
    expect(plan.nodes[0]?.pods[0]).toMatchObject({ verdict: 'blocked', budgets: ['web'], target: 'b' })
    expect(plan.nodes[0]?.pods[0]?.reason).toContain('needs 1 healthy pods and has 1 currently. It wants all 1 of them')
  })

  it('finds pods that two budgets guard', () => {
    const two = { ...budget('other', { allowed: 1, desired: 1, current: 2, expected: 2 }), spec: { selector: { matchLabels: { app: 'web' } } } }
    const budgets = [budget('web', { allowed: 1, desired: 1, current: 2, expected: 2 }), two]
    expect(planDrain(facts({ pods: [pod('web-1', 'a')], budgets }), ['a'], OPTIONS).nodes[0]?.pods[0]).toMatchObject({
      verdict: 'blocked',
      budgets: ['web', 'other'],
    })
  })

  it('leaves static and DaemonSet pods, and evicts finished ones whatever owns them', () => {
    const pods = [
      pod('static', 'a', { owner: '', metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } }),
      pod('agent', 'a', { owner: 'DaemonSet/agent' }),
      pod('done', 'a', { owner: '', phase: 'Succeeded' }),
      pod('ending', 'a', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
    ]
    expect(verdicts(facts({ pods }))).toEqual(['agent stays', 'done evicted', 'ending leaves', 'static stays'])
  })

  it('asks about pods that nothing brings back and about emptyDir data, and takes the answer with its reason', () => {
    const pods = [pod('bare', 'a', { owner: '' }), pod('cache', 'a', { spec: { volumes: [{ name: 'scratch', emptyDir: {} }] } })]
    expect(verdicts(facts({ pods }))).toEqual(['bare undecided', 'cache undecided'])
    expect(verdicts(facts({ pods }), { ...OPTIONS, deleteEmptyDirData: true })).toEqual(['bare undecided', 'cache evicted to b'])
    const overrides = [
      { namespace: 'default', name: 'bare', action: 'leave' as const, reason: 'ends tonight' },
      { namespace: 'default', name: 'cache', action: 'evict' as const, reason: 'only a cache' },
    ]
    const plan = planDrain(facts({ pods }), ['a'], { ...OPTIONS, overrides })
    expect(plan.nodes[0]?.pods.map(({ verdict, reason }) => `${verdict}: ${reason}`)).toEqual([
      'stays: left there: ends tonight',
      'evicted: as decided: only a cache',
    ])
  })

  it('says in the scheduler words why a replacement fits nowhere', () => {
    const large = { containers: [{ name: 'main', resources: { requests: { cpu: '1500m' } } }] }
    const pods = [pod('large-1', 'a', { spec: large }), pod('large-2', 'b', { spec: large })]
    expect(planDrain(facts({ pods }), ['a'], OPTIONS).nodes[0]?.pods[0]?.fitProblem).toBe(
      '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.',
    )
  })

  it('gives replacements of several nodes places one after another, none of them on a node that is drained too', () => {
    const nodes = [node('a'), node('b'), node('c'), node('d')]
    const pods = ['a', 'b'].flatMap((on) => [1, 2, 3].map((index) => pod(`${on}-${String(index)}`, on)))
    const targets = planDrain(facts({ nodes, pods }), ['a', 'b'], OPTIONS).nodes.flatMap(({ pods: planned }) => planned.map(({ target }) => target))
    expect(targets.toSorted()).toEqual(['c', 'c', 'c', 'd', 'd', 'd'])
  })

  it('drains a node that waits for an operator last', () => {
    const pods = [pod('web-1', 'a'), pod('api-1', 'b', { labels: { app: 'api' } })]
    const plan = planDrain(
      facts({ nodes: [node('a'), node('b'), node('c')], pods, budgets: [budget('web', { allowed: 0, desired: 1, current: 1, expected: 1 })] }),
      ['a', 'b'],
      OPTIONS,
    )
    expect(plan.nodes.map(({ name }) => name)).toEqual(['b', 'a'])
  })

  it('refuses a node that is not there', () => {
    expect(() => planDrain(facts({}), ['z'], OPTIONS)).toThrow('there is no node z')
  })
})
