import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { makePlan, offersFor, type ClusterFacts } from '#electron/runbooks/upgrade/plan.ts'

const releases = [
  { version: 'v1.34.2', etcd: '3.6.5-0', coredns: 'v1.12.1' },
  { version: 'v1.35.8', etcd: '3.6.6-0', coredns: 'v1.13.1' },
  { version: 'v1.36.4', etcd: '3.6.8-0', coredns: 'v1.14.2' },
]

function node(name: string, changes: { ready?: boolean; kubelet?: string; controlPlane?: boolean } = {}): KubeObject {
  return {
    metadata: { name, labels: changes.controlPlane === true ? { 'node-role.kubernetes.io/control-plane': '' } : {} },
    spec: {},
    status: { nodeInfo: { kubeletVersion: changes.kubelet ?? 'v1.35.8' }, conditions: [{ type: 'Ready', status: changes.ready === false ? 'False' : 'True' }] },
  }
}

function component(name: string, tag: string): KubeObject {
  return {
    metadata: { name: `${name}-cp1` },
    spec: { containers: [{ image: `registry.k8s.io/${name}:${tag}` }] },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

function facts(changes: Partial<ClusterFacts> = {}): ClusterFacts {
  return {
    serverVersion: 'v1.35.8',
    nodes: [node('cp1', { controlPlane: true }), node('w1')],
    systemPods: [
      component('kube-apiserver', 'v1.35.8'),
      component('kube-controller-manager', 'v1.35.8'),
      component('kube-scheduler', 'v1.35.8'),
      component('etcd', '3.6.6-0'),
    ],
    daemonSets: [],
    deployments: [{ metadata: { name: 'coredns' }, spec: { template: { spec: { containers: [{ image: 'registry.k8s.io/coredns/coredns:v1.13.1' }] } } } }],
    budgets: [],
    ...changes,
  }
}

describe('offersFor', () => {
  it('offers the newest patch of this minor and of the next, never two minors on', () => {
    expect(offersFor('v1.34.0', releases).map(({ version }) => version)).toEqual(['v1.35.8', 'v1.34.2'])
    expect(offersFor('v1.35.8', releases).map(({ version }) => version)).toEqual(['v1.36.4'])
    expect(offersFor('v1.36.4', releases)).toEqual([])
    expect(offersFor('unknown', releases)).toEqual([])
  })
})

describe('makePlan', () => {
  it("fills kubeadm's component table", () => {
    const plan = makePlan(facts(), undefined, releases)
    expect(plan.targetVersion).toBe('v1.36.4')
    expect(plan.manual).toEqual([
      { component: 'kubelet', node: 'cp1', current: 'v1.35.8', target: 'v1.36.4' },
      { component: 'kubelet', node: 'w1', current: 'v1.35.8', target: 'v1.36.4' },
    ])
    expect(plan.controlPlane).toContainEqual({ component: 'etcd', node: 'cp1', current: '3.6.6-0', target: '3.6.8-0' })
    expect(plan.controlPlane).toContainEqual({ component: 'CoreDNS', node: '', current: 'v1.13.1', target: 'v1.14.2' })
    expect(plan.findings.filter(({ level }) => level === 'blocking')).toEqual([])
  })

  it('refuses a target two minors on', () => {
    expect(() => makePlan(facts({ serverVersion: 'v1.34.2' }), 'v1.36.4', releases)).toThrow('one minor at a time')
  })

  it.each([
    ['a node that is not ready', facts({ nodes: [node('cp1', { controlPlane: true }), node('w1', { ready: false })] }), 'blocking', 'node w1 is not Ready'],
    [
      'a kubelet too far behind',
      facts({ nodes: [node('cp1', { controlPlane: true }), node('w1', { kubelet: 'v1.32.0' })] }),
      'blocking',
      'kubelet v1.32.0 on w1',
    ],
    ['a static pod that is missing', facts({ systemPods: [] }), 'blocking', 'no static pod kube-apiserver on cp1'],
    ['a cluster without control-plane nodes', facts({ nodes: [node('w1')] }), 'blocking', 'no node is labelled as control plane'],
    [
      'a budget that allows no eviction',
      facts({ budgets: [{ metadata: { namespace: 'shop', name: 'web' }, status: { disruptionsAllowed: 0, expectedPods: 2 } }] }),
      'warning',
      'budget shop/web',
    ],
  ] as const)('finds %s', (_, clusterFacts, level, title) => {
    expect(makePlan(clusterFacts, undefined, releases).findings).toContainEqual(
      expect.objectContaining({ level, title: expect.stringContaining(title) as string }),
    )
  })
})
