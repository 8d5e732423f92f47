import { expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { embeddedApiServer, embeddedServer, type Server } from '../../../../support/apiServers.ts'

// As kube-apiserver 1.20.2 answered the same requests.

const server = async (): Promise<Server> => embeddedServer(await embeddedApiServer('v1.20.2'), 'proof/1')

it('gives a node its capacity for an allocatable written empty, which nobody owns then', async () => {
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' }, status: { capacity: { cpu: '4' }, allocatable: {} } }
  const { body } = await (await server()).call('POST', '/api/v1/nodes?fieldManager=alice', node)
  const { status, metadata } = body as KubeObject & { status: object }
  expect(status).toMatchObject({ capacity: { cpu: '4' }, allocatable: { cpu: '4' } })
  expect(JSON.stringify(metadata.managedFields)).not.toContain('f:allocatable')
})

it('does so in a write of the status too', async () => {
  const own = await server()
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' }, status: { capacity: { cpu: '4' }, allocatable: { cpu: '3' } } }
  await own.call('POST', '/api/v1/nodes', node)
  const { body } = await own.call('PUT', '/api/v1/nodes/a/status', { ...node, status: { ...node.status, allocatable: {} } })
  expect((body as { status: object }).status).toMatchObject({ allocatable: { cpu: '4' } })
})

const template = (container: object, spec: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'PodTemplate',
  metadata: { name: 'a' },
  template: { metadata: {}, spec: { ...spec, containers: [{ name: 'web', image: 'web', ...container }] } },
})

it('sets a mount of /proc that it does not know to the default', async () => {
  const sent = template({ securityContext: { procMount: 'Unmasked' } })
  const { body } = await (await server()).call('POST', '/api/v1/namespaces/default/podtemplates', sent)
  expect(body).toMatchObject({ template: { spec: { containers: [{ securityContext: { procMount: 'Default' } }] } } })
})

it('leaves out the empty address of an alias, which the template of a stateful set may have', async () => {
  const pods = { metadata: { labels: { a: 'b' } }, spec: { hostAliases: [{ ip: '', hostnames: ['a'] }], containers: [{ name: 'web', image: 'web' }] } }
  const spec = { serviceName: 'a', selector: { matchLabels: { a: 'b' } }, template: pods }
  const sent = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'a' }, spec }
  const { body } = await (await server()).call('POST', '/apis/apps/v1/namespaces/default/statefulsets', sent)
  expect((body as { spec: typeof spec }).spec.template.spec.hostAliases).toEqual([{ hostnames: ['a'] }])
})

it('tells the address out of range of a service as Go prints it', async () => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: [{ port: 1 }], clusterIP: '127.0.0.1' } }
  const { body } = await (await server()).call('POST', '/api/v1/namespaces/default/services', service)
  expect((body as { message: string }).message).toContain('Invalid value: []string{"127.0.0.1"}: failed to allocated ip:127.0.0.1')
})

it('writes the port of a backend of v1beta1 that is no service, and tells who owns it', async () => {
  const backend = { resource: { apiGroup: 'x.io', kind: 'A', name: 'b' } }
  const sent = { apiVersion: 'networking.k8s.io/v1beta1', kind: 'Ingress', metadata: { name: 'a' }, spec: { backend } }
  const { body } = await (await server()).call('POST', '/apis/networking.k8s.io/v1beta1/namespaces/default/ingresses', sent)
  const { spec, metadata } = body as KubeObject & { spec: object }
  expect(spec).toEqual({ backend: { ...backend, servicePort: 0 } })
  expect(JSON.stringify(metadata.managedFields)).toContain('f:servicePort')
})

it('takes bytes of no length, which an apply leaves alone, for a change of an immutable config map', async () => {
  const own = await server()
  const path = '/api/v1/namespaces/default/configmaps'
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }
  await own.call('POST', path, { ...map, immutable: true, data: { a: '1' }, binaryData: { c: '' } })
  const { status, body } = await own.call(
    'PATCH',
    `${path}/a?fieldManager=bob&force=true`,
    { ...map, data: { a: '2' }, binaryData: {} },
    'application/apply-patch+yaml',
  )
  expect([status, (body as { message: string }).message]).toEqual([
    422,
    'ConfigMap "a" is invalid: [data: Forbidden: field is immutable when `immutable` is set, binaryData: Forbidden: field is immutable when `immutable` is set]',
  ])
})

it('shows what a JSON patch made as far as the patch reaches with sorted members, and the rest in the order of fields', async () => {
  const own = await server()
  const path = '/apis/apps/v1/namespaces/default/daemonsets'
  const pods = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'web', image: 'web', args: ['a'] }] } }
  const set = { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'a' }, spec: { selector: { matchLabels: { a: 'b' } }, template: pods } }
  await own.call('POST', path, set)
  const operations = [
    { op: 'replace', path: '/metadata/annotations/deprecated.daemonset.template.generation', value: 'x' },
    { op: 'add', path: '/spec/template/spec/nodeSelector', value: { b: 'x', a: 'y' } },
  ]
  const { body } = await own.call('PATCH', `${path}/a`, operations, 'application/json-patch+json')
  const { message } = body as { message: string }
  const shown = JSON.parse(message.slice(message.indexOf('"{'), message.lastIndexOf('}": ') + 2)) as string
  expect(Object.keys(JSON.parse(shown) as object)).toEqual(['apiVersion', 'kind', 'metadata', 'spec', 'status'])
  expect(shown).toContain(
    '"template":{"metadata":{"creationTimestamp":null,"labels":{"a":"b"}},"spec":{"containers":[{"name":"web","image":"web","args":["a"],"resources":{}',
  )
  expect(shown).toContain('"dnsPolicy":"ClusterFirst","nodeSelector":{"b":"x","a":"y"},"restartPolicy":"Always"')
})

it('says of an account whose name cannot stand in a path that it is no name', async () => {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: { serviceAccountName: 'a/b', containers: [{ name: 'web', image: 'web' }] } }
  const { body } = await (await server()).call('POST', '/api/v1/namespaces/default/pods', pod)
  expect((body as { message: string }).message).toBe(
    'pods "a" is forbidden: error looking up service account default/a/b: invalid resource name "a/b": [may not contain \'/\']',
  )
})

it('looks at the lists of an apply that creates before its name', async () => {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', secrets: [{ name: 's' }, {}], metadata: {} }
  const { status, body } = await (
    await server()
  ).call('PATCH', '/api/v1/namespaces/default/serviceaccounts/a?fieldManager=bob', account, 'application/apply-patch+yaml')
  expect([status, (body as { message: string }).message]).toEqual([
    500,
    'failed to create typed patch object: .secrets: element 1: associative list with keys has an element that omits key field "name" (and doesn\'t have default value)',
  ])
})
