import { describe, expect, it } from 'vitest'
import { applyDefaults } from '#shared/kubernetes/defaults/defaults.ts'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { fieldErrorBody } from '#shared/kubernetes/validation/fieldError.ts'
import type { Target } from '#shared/kubernetes/validation/kindRules.ts'
import { createErrors, updateErrors } from '#shared/kubernetes/validation/validation.ts'

const CLUSTER_KINDS = new Set(['Namespace', 'Node', 'PersistentVolume', 'ClusterRole', 'PriorityClass', 'StorageClass'])

function target(object: KubeObject, minor: number, subresource = ''): Target {
  const [group, version] = object.apiVersion?.includes('/') === true ? object.apiVersion.split('/') : ['', object.apiVersion]
  const kind = object.kind ?? ''
  return { group: group ?? '', version: version ?? '', kind, type: '', namespaced: !CLUSTER_KINDS.has(kind), subresource, minor } as Target
}

function object(apiVersion: string, kind: string, body: JsonObject, metadata: KubeObject['metadata'] = {}): KubeObject {
  const place = CLUSTER_KINDS.has(kind) ? {} : { namespace: 'default' }
  return {
    apiVersion,
    kind,
    metadata: { name: 'a', ...place, uid: 'u', creationTimestamp: '2024-01-02T03:04:05Z', resourceVersion: '1', ...metadata },
    ...body,
  }
}

const told = (errors: ReturnType<typeof createErrors>): string[] => errors.map((error) => `${error.field}: ${fieldErrorBody(error)}`)

function creating(created: KubeObject, minor = 36): string[] {
  applyDefaults(created, minor)
  return told(createErrors(created, target(created, minor)))
}

function updating(before: KubeObject, change: (after: KubeObject) => void, minor = 36, subresource = ''): string[] {
  applyDefaults(before, minor)
  const after = structuredClone(before)
  change(after)
  return told(updateErrors(after, before, target(before, minor, subresource)))
}

const container = (more: JsonObject = {}): JsonObject => ({ name: 'web', image: 'nginx', ...more })
const pod = (spec: JsonObject = {}, metadata: KubeObject['metadata'] = {}): KubeObject =>
  object('v1', 'Pod', { spec: { containers: [container()], ...spec } }, metadata)
const template = (labels: JsonObject = { app: 'web' }): JsonObject => ({ metadata: { labels }, spec: { containers: [container()] } })
const deployment = (spec: JsonObject = {}): KubeObject =>
  object('apps/v1', 'Deployment', { spec: { selector: { matchLabels: { app: 'web' } }, template: template(), ...spec } })
const spec = (of: KubeObject): JsonObject => of['spec'] as JsonObject

describe('creation', () => {
  it.each<[what: string, object: KubeObject, errors: unknown[]]>([
    ['a pod that says nothing wrong', pod(), []],
    ['a pod without containers', pod({ containers: [] }), ['spec.containers: Required value']],
    ['a container without a name', pod({ containers: [{ image: 'nginx' }] }), ['spec.containers[0].name: Required value']],
    ['two containers of one name', pod({ containers: [container(), container()] }), ['spec.containers[1].name: Duplicate value: "web"']],
    [
      'an unknown restart policy',
      pod({ restartPolicy: 'Sometimes' }),
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
    ],
    [
      'a port beyond 65535',
      pod({ containers: [container({ ports: [{ containerPort: 70_000 }] })] }),
      ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
    [
      'a mount of a volume that is not there',
      pod({ containers: [container({ volumeMounts: [{ name: 'data', mountPath: '/data' }] })] }),
      ['spec.containers[0].volumeMounts[0].name: Not found: "data"'],
    ],
    [
      'a request above its limit',
      pod({ containers: [container({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } })] }),
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      'a name with capitals',
      pod({}, { name: 'Web' }),
      [
        "metadata.name: Invalid value: \"Web\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'a deployment whose selector does not choose its own pods',
      deployment({ template: template({ app: 'other' }) }),
      ['spec.template.metadata.labels: Invalid value: {"app":"other"}: `selector` does not match template `labels`'],
    ],
    ['a deployment of less than no pods', deployment({ replicas: -1 }), ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
    ['a service without ports', object('v1', 'Service', { spec: {} }), ['spec.ports: Required value']],
    [
      'a config map with a path as key',
      object('v1', 'ConfigMap', { data: { '../a': 'x' } }),
      [expect.stringMatching(/a valid config key must consist of/), 'data[../a]: Invalid value: "../a": must not start with \'..\''],
    ],
    ['a TLS secret without its key', object('v1', 'Secret', { type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }), ['data[tls.key]: Required value']],
    [
      'a role without verbs',
      object('rbac.authorization.k8s.io/v1', 'Role', { rules: [{ apiGroups: [''], resources: ['pods'], verbs: [] }] }),
      ['rules[0].verbs: Required value: verbs must contain at least one value'],
    ],
    [
      'a priority of the system',
      object('scheduling.k8s.io/v1', 'PriorityClass', { value: 2_000_000_000 }),
      ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
    ],
  ])('of %s', (_, created, errors) => {
    expect(creating(created)).toEqual(errors)
  })

  it('prints values as Go does for releases before 1.33', () => {
    expect(creating(deployment({ template: template({ app: 'other' }) }), 20)).toEqual([
      'spec.template.metadata.labels: Invalid value: map[string]string{"app":"other"}: `selector` does not match template `labels`',
    ])
  })
})

describe('update', () => {
  const changed = (what: (of: JsonObject) => void) => (after: KubeObject) => {
    what(spec(after))
  }
  it.each<[what: string, before: KubeObject, change: (after: KubeObject) => void, errors: unknown[]]>([
    ['nothing', pod(), () => undefined, []],
    [
      'the image of a pod',
      pod(),
      changed(
        (of) =>
          ((of['containers'] as JsonObject[])[0] = container({
            image: 'nginx:2',
            imagePullPolicy: 'Always',
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
          })),
      ),
      [],
    ],
    [
      'the node of a pod',
      pod(),
      changed((of) => (of['nodeName'] = 'n')),
      [expect.stringMatching(/^spec: Forbidden: pod updates may not change fields other than/)],
    ],
    [
      'the number of containers',
      pod(),
      changed((of) => (of['containers'] as unknown[]).push((of['containers'] as unknown[])[0])),
      ['spec.containers[1].name: Duplicate value: "web"', 'spec.containers: Forbidden: pod updates may not add or remove containers'],
    ],
    [
      'the selector of a deployment',
      deployment(),
      changed((of) => (of['selector'] = { matchLabels: { tier: 'x' } })),
      [expect.stringContaining('does not match template'), expect.stringMatching(/^spec\.selector: Invalid value: .*: field is immutable$/)],
    ],
    [
      'data of an immutable config map',
      object('v1', 'ConfigMap', { data: { a: '1' }, immutable: true }),
      (after) => (after['data'] = { a: '2' }),
      ['data: Forbidden: field is immutable when `immutable` is set'],
    ],
    [
      'an immutable secret back to a changeable one',
      object('v1', 'Secret', { type: 'Opaque', data: { a: 'MQ==' }, immutable: true }),
      (after) => (after['immutable'] = false),
      ['immutable: Forbidden: field is immutable when `immutable` is set'],
    ],
    [
      'the type of a secret',
      object('v1', 'Secret', { type: 'Opaque' }),
      (after) => (after['type'] = 'example.com/x'),
      ['type: Invalid value: "example.com/x": field is immutable'],
    ],
    [
      'the role of a binding',
      object('rbac.authorization.k8s.io/v1', 'RoleBinding', { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'a' } }),
      (after) => ((after['roleRef'] as JsonObject)['name'] = 'b'),
      ['roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"b"}: cannot change roleRef'],
    ],
    [
      'a finalizer of an object that is going',
      pod({}, { deletionTimestamp: '2024-01-02T03:04:05Z', deletionGracePeriodSeconds: 30 }),
      (after) => (after.metadata.finalizers = ['example.com/x']),
      Array(2).fill(expect.stringMatching(/^metadata\.finalizers: Forbidden: no new finalizers can be added if the object is being deleted/)),
    ],
    ['the uid', pod(), (after) => (after.metadata.uid = 'v'), Array(2).fill('metadata.uid: Invalid value: "v": field is immutable')],
  ])('of %s', (_, before, change, errors) => {
    expect(updating(before, change)).toEqual(errors)
  })
})
