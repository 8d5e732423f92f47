import type { Random } from '#shared/base/random.ts'
import { encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { TransportRequest } from '#shared/kubernetes/transport.ts'

export type FuzzRequest = Omit<TransportRequest, 'signal'>

const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)] as T
const chance = (random: Random, ratio: number): boolean => random.next() < ratio

const container = { name: 'c', image: 'nginx', ports: [{ containerPort: 80 }], resources: { limits: { cpu: '1', memory: '1Gi' } } }
const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [container] } }
/** Whole objects, of which pieces are then broken. */
const OBJECTS: readonly { path: string; object: KubeObject }[] = [
  {
    path: '/api/v1/namespaces/default/configmaps',
    object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', labels: { a: 'b' } }, data: { k: 'v' } },
  },
  { path: '/api/v1/namespaces/default/secrets', object: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' }, data: { k: 'dg==' }, type: 'Opaque' } },
  { path: '/api/v1/namespaces/default/pods', object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: template.spec } },
  {
    path: '/api/v1/namespaces/default/services',
    object: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' }, spec: { selector: { app: 'x' }, ports: [{ port: 80, targetPort: 'http' }] } },
  },
  { path: '/api/v1/nodes', object: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'x' }, spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } } },
  { path: '/api/v1/namespaces', object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x' } } },
  {
    path: '/api/v1/namespaces/default/events',
    object: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'x' },
      involvedObject: { kind: 'Pod', name: 'x', namespace: 'default' },
      reason: 'R',
    } as KubeObject,
  },
  {
    path: '/apis/apps/v1/namespaces/default/deployments',
    object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' }, spec: { replicas: 1, selector: { matchLabels: { app: 'x' } }, template } },
  },
  {
    path: '/apis/apps/v1/namespaces/default/statefulsets',
    object: {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'x' },
      spec: { serviceName: 'x', selector: { matchLabels: { app: 'x' } }, template },
    },
  },
  {
    path: '/apis/batch/v1/namespaces/default/cronjobs',
    object: {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'x' },
      spec: { schedule: '* * * * *', jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } } },
    },
  },
  {
    path: '/apis/policy/v1/namespaces/default/poddisruptionbudgets',
    object: {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'x' },
      spec: { minAvailable: '50%', selector: { matchLabels: { app: 'x' } } },
    },
  },
  {
    path: '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers',
    object: {
      apiVersion: 'autoscaling/v1',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'x' },
      spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'x', apiVersion: 'apps/v1' } },
    },
  },
  {
    path: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    object: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'x' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    },
  },
  {
    path: '/apis/coordination.k8s.io/v1/namespaces/default/leases',
    object: {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'x' },
      spec: { holderIdentity: 'h', renewTime: '2026-01-01T00:00:00.000000Z' },
    },
  },
  {
    path: '/apis/networking.k8s.io/v1/namespaces/default/ingresses',
    object: {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'x' },
      spec: { defaultBackend: { service: { name: 'x', port: { number: 80 } } } },
    },
  },
  {
    path: '/apis/storage.k8s.io/v1/storageclasses',
    object: { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'x' }, provisioner: 'p' },
  },
  {
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    object: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: { user: 'a', resourceAttributes: { verb: 'get', resource: 'pods' } },
    },
  },
  {
    path: '/apis/authentication.k8s.io/v1/tokenreviews',
    object: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: {}, spec: { token: 'x.y.z' } },
  },
  {
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    object: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.example.org' },
      spec: {
        group: 'example.org',
        scope: 'Namespaced',
        names: { plural: 'widgets', kind: 'Widget' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    },
  },
]
const SUBRESOURCES = [
  'status',
  'scale',
  'eviction',
  'binding',
  'token',
  'finalize',
  'log',
  'proxy',
  'approval',
  'ephemeralcontainers',
  'exec',
  'bogus',
  'status/more',
]
const OTHER_PATHS = [
  '/', '/api', '/apis', '/api/v1', '/apis/apps', '/apis/apps/v1', '/version', '/healthz', '/readyz/etcd', '/livez/bogus', '/openapi/v2', '/openapi/v3',
  '/openapi/v3/apis/apps/v1', '/openid/v1/jwks', '/metrics', '/api/v1/watch/pods', '/api/v1/componentstatuses', '/apis/metrics.k8s.io/v1beta1/nodes', '/logs', '/api/v2/pods',
] // prettier-ignore
/** What stands where a name, a number or a text belongs. */
const GARBAGE = [
  '', ' ', '.', '..', '%', '%00', '%2e%2e%2f', '%ff%fe', 'ü', '💥', '-1', '0', '1e999', 'NaN', '99999999999999999999', 'true', 'null', '__proto__', 'constructor', 'toString',
  'a'.repeat(300), '../../etc', 'a/b', 'a b', 'a\tb', 'A', '-a', 'a=b,c in (', '!', '=,=', 'in ()', 'x notin (a', '{"v":1}', 'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiIn0', 'metadata.name=x,', 'spec.nodeName==', '\\', "'", '"',
] // prettier-ignore
const QUERY = [
  'limit', 'continue', 'resourceVersion', 'resourceVersionMatch', 'labelSelector', 'fieldSelector', 'timeoutSeconds', 'dryRun', 'fieldManager', 'fieldValidation', 'force', 'propagationPolicy',
  'gracePeriodSeconds', 'orphanDependents', 'includeObject', 'sendInitialEvents', 'allowWatchBookmarks', 'pretty', 'container', 'tailLines', 'sinceSeconds', 'command', 'watch', 'timeout', 'bogus',
] // prettier-ignore
const CONTENT_TYPES = [
  'application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf', 'application/merge-patch+json', 'application/json-patch+json',
  'application/strategic-merge-patch+json', 'application/apply-patch+yaml', 'text/plain', 'application/json; charset=utf-16', '', ';;;', 'application/x-www-form-urlencoded',
] // prettier-ignore
const ACCEPTS = [
  'application/json', '*/*', 'application/yaml', 'application/vnd.kubernetes.protobuf', 'application/json;as=Table;v=v1;g=meta.k8s.io', 'application/json;as=Table;v=v9;g=meta.k8s.io,application/json',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList', 'text/html', ';', ',,,', 'application/json;as', 'application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io', 'x'.repeat(5000),
] // prettier-ignore
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  1e300,
  '',
  'x',
  'ü',
  [],
  {},
  [null],
  [[]],
  { '': '' },
  '1Gi',
  '2026-13-45T99:99:99Z',
  'x'.repeat(2000),
  ['a', 1, {}],
  { a: { b: { c: [] } } },
]

function garbage(random: Random): string {
  return chance(random, 0.2) ? String.fromCodePoint(...Array.from({ length: 1 + random.below(8) }, () => 1 + random.below(0x2ff))) : pick(random, GARBAGE)
}

/** Some places of a value set to something else, taken out, or doubled. */
function broken(value: unknown, random: Random, ratio: number): unknown {
  if (chance(random, ratio)) return pick(random, VALUES)
  if (Array.isArray(value)) {
    const items = (value as unknown[]).map((each) => broken(each, random, ratio))
    return chance(random, ratio) ? [...items, ...items] : items
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).flatMap(([key, each]): [string, unknown][] => {
    if (chance(random, ratio / 2)) return []
    return [[chance(random, ratio / 2) ? garbage(random) : key, broken(each, random, ratio)]]
  })
  if (chance(random, ratio)) entries.push([garbage(random), pick(random, VALUES)])
  return Object.fromEntries(entries)
}

function brokenText(text: string, random: Random): string {
  switch (random.below(7)) {
    case 0:
      return text.slice(0, random.below(text.length + 1))
    case 1: {
      const at = random.below(text.length + 1)
      return text.slice(0, at) + pick(random, ['"', '{', '}', ',', '\u0000', '\\u', '[', ':', '\n', '&a', '*a', '!!js']) + text.slice(at)
    }
    case 2:
      return '['.repeat(1 + random.below(5000))
    case 3:
      return '{"a":'.repeat(1 + random.below(3000))
    case 4:
      return text.replace('{', '{"metadata":{"name":"twice"},"metadata":{"name":"twice"},')
    case 5:
      return `{"__proto__":{"polluted":true},${text.slice(1)}`
    default:
      return `a: &a [x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b,*b]\n${text}`
  }
}

function brokenBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes)
  for (let count = 1 + random.below(6); count > 0; count--) copy[random.below(copy.length)] = random.below(256)
  return chance(random, 0.3) ? copy.slice(0, random.below(copy.length + 1)) : copy
}

function patchBody(object: KubeObject, type: string, random: Random): string {
  if (type === 'application/json-patch+json') {
    const paths = [
      '/metadata/labels',
      '/spec/replicas',
      '/metadata',
      '',
      '/',
      '/~2',
      '/spec/containers/99',
      '/spec/containers/-',
      '/data/k',
      'x',
      '/metadata/name',
      '/kind',
    ]
    const operation = (): unknown => ({
      op: pick(random, ['add', 'remove', 'replace', 'move', 'copy', 'test', 'bogus', '']),
      path: pick(random, paths),
      from: pick(random, paths),
      value: pick(random, VALUES),
    })
    return JSON.stringify(broken(Array.from({ length: random.below(5) }, operation), random, 0.05))
  }
  const directives = {
    $patch: pick(random, ['delete', 'replace', 'merge', 'bogus', 1]),
    $retainKeys: pick(random, VALUES),
    '$setElementOrder/containers': pick(random, VALUES),
    '$deleteFromPrimitiveList/finalizers': pick(random, VALUES),
  }
  const spec = typeof object['spec'] === 'object' ? { ...object['spec'], ...(chance(random, 0.5) ? directives : {}) } : directives
  return JSON.stringify(broken({ ...object, spec }, random, 0.08))
}

/** A request that some client might send by mistake or by malice: each has something wrong, most of it right. */
export function malformedRequest(random: Random): FuzzRequest {
  const { path: collection, object } = pick(random, OBJECTS)
  const method = pick(random, ['GET', 'GET', 'POST', 'POST', 'PUT', 'PATCH', 'PATCH', 'DELETE'] as const)
  let path = chance(random, 0.1) ? pick(random, OTHER_PATHS) : collection
  if (chance(random, method === 'POST' ? 0.15 : 0.7)) path += `/${chance(random, 0.7) ? (object.metadata.name ?? 'x') : garbage(random)}`
  if (chance(random, 0.15)) path += `/${pick(random, SUBRESOURCES)}`
  if (chance(random, 0.12)) {
    const parts = path.split('/')
    parts[random.below(parts.length)] = garbage(random)
    path = parts.join('/')
  }
  const query = Array.from(
    { length: chance(random, 0.5) ? 1 + random.below(3) : 0 },
    () => `${pick(random, QUERY)}=${chance(random, 0.8) ? encodeURIComponent(garbage(random)) : garbage(random).replace(/[#\s]/g, '')}`,
  )
  if (!path.startsWith('/')) path = `/${path}`
  const headers: Record<string, string> = { accept: chance(random, 0.7) ? 'application/json' : pick(random, ACCEPTS) }
  const request: FuzzRequest = { method, path: query.length === 0 ? path : `${path}?${query.join('&')}`, headers }
  if (chance(random, 0.08))
    headers[
      pick(random, [
        'impersonate-user',
        'impersonate-group',
        'impersonate-uid',
        'impersonate-extra-%',
        'impersonate-extra-a',
        'authorization',
        'if-none-match',
        'accept-encoding',
        'user-agent',
      ])
    ] = garbage(random).replace(/[^\x20-\x7e]/g, '?')
  if (method === 'GET' && chance(random, 0.9)) return request
  const type = method === 'PATCH' ? pick(random, CONTENT_TYPES.slice(3, 7)) : chance(random, 0.75) ? 'application/json' : pick(random, CONTENT_TYPES)
  headers['content-type'] = chance(random, 0.05) ? pick(random, CONTENT_TYPES) : type
  if (method === 'PATCH')
    return { ...request, body: chance(random, 0.8) ? patchBody(object, type, random) : brokenText(patchBody(object, type, random), random) }
  if (chance(random, 0.15) && object.kind !== 'CustomResourceDefinition') {
    headers['content-type'] = 'application/vnd.kubernetes.protobuf'
    return { ...request, body: brokenBytes(encodeProtobuf(object), random) }
  }
  if (chance(random, 0.05)) return { ...request, body: Uint8Array.from({ length: random.below(200) }, () => random.below(256)) }
  const body = JSON.stringify(broken(object, random, 0.06))
  return { ...request, body: chance(random, 0.2) ? brokenText(body, random) : body }
}
