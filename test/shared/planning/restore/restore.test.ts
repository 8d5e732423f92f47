import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { cleaned, reasonToLeaveOut } from '#shared/planning/restore/cleaned.ts'
import { inOrder } from '#shared/planning/restore/order.ts'
import { referencesOf } from '#shared/planning/restore/references.ts'

const object = (kind: string, rest: Partial<KubeObject> = {}, metadata: KubeObject['metadata'] = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  ...rest,
  metadata: { name: 'x', namespace: 'n', uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', generation: 4, ...metadata },
})
const named = { name: 'x', namespace: 'n' }

describe('cleaned', () => {
  it.each([
    [
      'what a server gave any object',
      object('ConfigMap', { data: { a: 'b' }, status: {} }),
      { apiVersion: 'v1', kind: 'ConfigMap', data: { a: 'b' }, metadata: named },
    ],
    [
      "a service's address, but not that it is headless",
      object('Service', { spec: { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], ports: [{ port: 80, nodePort: 30000 }] } }),
      { apiVersion: 'v1', kind: 'Service', metadata: named, spec: { ports: [{ port: 80, nodePort: 30000 }] } },
    ],
    [
      'nothing of a headless service',
      object('Service', { spec: { clusterIP: 'None' } }),
      { apiVersion: 'v1', kind: 'Service', metadata: named, spec: { clusterIP: 'None' } },
    ],
    [
      "a claim's volume",
      object(
        'PersistentVolumeClaim',
        { spec: { volumeName: 'pv', accessModes: ['ReadWriteOnce'] } },
        { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' }, finalizers: ['kubernetes.io/pvc-protection'] },
      ),
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: named, spec: { accessModes: ['ReadWriteOnce'] } },
    ],
    [
      "a pod's node and token",
      object('Pod', {
        spec: { nodeName: 'a', containers: [{ name: 'c', volumeMounts: [{ name: 'kube-api-access-x' }] }], volumes: [{ name: 'kube-api-access-x' }] },
      }),
      { apiVersion: 'v1', kind: 'Pod', metadata: named, spec: { containers: [{ name: 'c' }] } },
    ],
    [
      "a job's selector and the labels that hold its uid",
      object(
        'Job',
        { spec: { selector: { matchLabels: {} }, template: { metadata: { labels: { 'controller-uid': 'u', app: 'a' } } } } },
        { labels: { 'batch.kubernetes.io/controller-uid': 'u' } },
      ),
      { apiVersion: 'v1', kind: 'Job', metadata: named, spec: { template: { metadata: { labels: { app: 'a' } } } } },
    ],
  ])('takes away %s', (_, given, expected) => {
    const before = structuredClone(given)
    expect(cleaned(given)).toEqual(expected)
    expect(given).toEqual(before)
  })

  it('keeps finalizers that people set', () => {
    expect(cleaned(object('ConfigMap', {}, { finalizers: ['example.com/keep', 'foregroundDeletion'] })).metadata.finalizers).toEqual(['example.com/keep'])
  })
})

describe('reasonToLeaveOut', () => {
  it.each([
    [
      'what a controller makes',
      object('Pod', {}, { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'r', controller: true }] }),
      /ReplicaSet web-1 makes it/,
    ],
    ['tokens the cluster signs', object('Secret', { type: 'kubernetes.io/service-account-token' }), /signs its own tokens/],
    ['events', object('Event'), /tells of the past/],
    ['nodes', object('Node'), /registers itself/],
  ])('is given for %s', (_, given, reason) => {
    expect(reasonToLeaveOut(given)).toMatch(reason)
  })

  it('is null for what people made', () => {
    expect(reasonToLeaveOut(object('Secret', { type: 'Opaque' }))).toBeNull()
  })
})

describe('referencesOf', () => {
  const lines = (given: KubeObject): string[] => referencesOf(given).map(({ resource, namespace, name, why }) => `${resource} ${namespace}/${name} ${why}`)

  it('finds what a pod template mounts, reads and runs as, each once', () => {
    const spec = {
      serviceAccountName: 'runner',
      imagePullSecrets: [{ name: 'registry' }],
      volumes: [
        { name: 'a', configMap: { name: 'settings' } },
        { name: 'b', persistentVolumeClaim: { claimName: 'data' } },
        { name: 'c', projected: { sources: [{ secret: { name: 'key' } }] } },
      ],
      containers: [
        { name: 'c', envFrom: [{ configMapRef: { name: 'settings' } }], env: [{ name: 'T', valueFrom: { secretKeyRef: { name: 'token', key: 't' } } }] },
      ],
    }
    expect(lines(object('Deployment', { spec: { template: { spec } } })).sort()).toEqual([
      'configmaps n/settings environment',
      'namespaces /n namespace',
      'persistentvolumeclaims n/data volume',
      'secrets n/key volume',
      'secrets n/registry image pull secret',
      'secrets n/token environment',
      'serviceaccounts n/runner service account',
    ])
  })

  it('finds the role and the accounts of a binding', () => {
    const binding = object('RoleBinding', {
      roleRef: { kind: 'ClusterRole', name: 'view' },
      subjects: [
        { kind: 'ServiceAccount', name: 'bot', namespace: 'ci' },
        { kind: 'User', name: 'jane' },
      ],
    })
    expect(lines(binding)).toEqual(['namespaces /n namespace', 'clusterroles /view role', 'serviceaccounts ci/bot subject'])
  })

  it('survives specs of any shape', () => {
    for (const spec of [null, 3, [], { template: 'x' }, { template: { spec: { containers: [null, 3, { env: 'x' }] } } }])
      expect(lines(object('Deployment', { spec }))).toEqual(['namespaces /n namespace'])
  })
})

describe('inOrder', () => {
  it('makes namespaces first, what is referred to before what refers, and webhooks last', () => {
    const kinds = ['MutatingWebhookConfiguration', 'Deployment', 'Widget', 'Secret', 'Namespace', 'CustomResourceDefinition', 'Service']
    expect(inOrder(kinds.map((kind) => object(kind))).map(({ kind }) => kind)).toEqual([
      'CustomResourceDefinition',
      'Namespace',
      'Secret',
      'Service',
      'Deployment',
      'Widget',
      'MutatingWebhookConfiguration',
    ])
  })
})
