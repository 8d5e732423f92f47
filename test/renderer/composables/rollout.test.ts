// @vitest-environment node
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { revisionsOf, rolloutOf } from '../../../renderer/composables/rollout.ts'

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', uid: 'u1' },
  spec: { replicas: 6, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } } },
  status: { replicas: 7, updatedReplicas: 3, readyReplicas: 5, availableReplicas: 5 },
} as KubeObject

describe('rolloutOf', () => {
  it('counts new, old and missing pods of a Deployment', () => {
    expect(rolloutOf(deployment)).toEqual({
      desired: 6,
      ready: 5,
      updated: 3,
      old: 4,
      unavailable: 1,
      maxSurge: '25%',
      maxUnavailable: '1',
      strategy: 'RollingUpdate',
      paused: false,
    })
  })

  it('reads a DaemonSet by its own fields', () => {
    const daemonSet = {
      kind: 'DaemonSet',
      metadata: {},
      spec: { updateStrategy: { type: 'OnDelete' } },
      status: { desiredNumberScheduled: 3, currentNumberScheduled: 3, updatedNumberScheduled: 3, numberReady: 2, numberAvailable: 2 },
    } as KubeObject
    expect(rolloutOf(daemonSet)).toMatchObject({ desired: 3, ready: 2, old: 0, unavailable: 1, strategy: 'OnDelete' })
  })

  it('wants one replica when nothing is said', () => {
    expect(rolloutOf({ kind: 'StatefulSet', metadata: {}, spec: {} } as KubeObject).desired).toBe(1)
  })
})

describe('revisionsOf', () => {
  it('lists what the Deployment owns, newest first, with a template that can go back', () => {
    const set = (name: string, revision: string, owner: string, image: string): KubeObject =>
      ({
        kind: 'ReplicaSet',
        metadata: { name, annotations: { 'deployment.kubernetes.io/revision': revision }, ownerReferences: [{ uid: owner }] },
        spec: { template: { metadata: { labels: { app: 'web', 'pod-template-hash': name } }, spec: { containers: [{ image }] } } },
        status: { replicas: 1 },
      }) as unknown as KubeObject
    const sets = [set('a', '1', 'u1', 'nginx:1.27'), set('b', '10', 'u1', 'nginx:1.28'), set('c', '11', 'other', 'x')]
    const revisions = revisionsOf(deployment, sets)
    expect(revisions.map((each) => [each.number, each.images])).toEqual([
      [10, ['nginx:1.28']],
      [1, ['nginx:1.27']],
    ])
    expect(revisions[1]?.template).toEqual({ metadata: { labels: { app: 'web' } }, spec: { containers: [{ image: 'nginx:1.27' }] } })
    expect((sets[0]?.['spec'] as { template: { metadata: { labels: object } } }).template.metadata.labels).toHaveProperty('pod-template-hash')
  })
})
