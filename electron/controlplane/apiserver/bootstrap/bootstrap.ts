import type { KubeObject } from '#shared/kubernetes/object.ts'
import { parseGroupVersion } from '#shared/kubernetes/object.ts'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import { isAlreadyExists } from '#shared/kubernetes/status.ts'
import type { ApiResources } from '../registry/apiResources.ts'
import type { RestStore, WriteContext } from '../registry/restStore.ts'
import { flowControlObjects } from './flowControl.ts'
import { rbacObjects } from './rbacPolicy.ts'
import { reconciled } from './rbacReconcile.ts'

const RBAC = 'rbac.authorization.k8s.io'
const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

function fixedObjects(minor: number): KubeObject[] {
  const priority = (name: string, value: number, description: string): KubeObject => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    description,
  })
  return [
    ...NAMESPACES.map((name): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    priority('system-node-critical', 2_000_001_000, 'Used for system critical pods that must not be moved from their current node.'),
    priority(
      'system-cluster-critical',
      2_000_000_000,
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
    ),
    ...flowControlObjects(minor),
    ...rbacObjects(minor),
  ]
}

/** The `kubernetes` service and where it leads: this API server. */
export function kubernetesService(options: { clusterIp: string; address: string; port: number }): {
  service: KubeObject
  endpoints: KubeObject
  slice: KubeObject
} {
  const labels = { component: 'apiserver', provider: 'kubernetes' }
  const metadata = { name: 'kubernetes', namespace: 'default' }
  return {
    service: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, labels },
      spec: {
        type: 'ClusterIP',
        clusterIP: options.clusterIp,
        sessionAffinity: 'None',
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: options.port }],
      },
    },
    endpoints: {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
      subsets: [{ addresses: [{ ip: options.address }], ports: [{ name: 'https', port: options.port, protocol: 'TCP' }] }],
    },
    slice: {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [options.address], conditions: { ready: true } }],
      ports: [{ name: 'https', port: options.port, protocol: 'TCP' }],
    },
  }
}

function bootstrapContext(signal: AbortSignal): WriteContext {
  return {
    user: { username: 'system:apiserver', groups: ['system:masters'] },
    subresource: '',
    fieldManager: 'kube-apiserver',
    dryRun: false,
    warnings: [],
    annotations: {},
    signal,
  }
}

/**
 * Creates what is missing of the objects every cluster starts with; what is there stays as it is (its owner may have changed it),
 * but that default roles and bindings get what the release adds to them.
 * Kinds that this release does not serve are left out.
 */
export async function bootstrap(
  rest: RestStore,
  resources: ApiResources,
  { kubernetesVersion, ...service }: Parameters<typeof kubernetesService>[0] & { kubernetesVersion: string },
  signal: AbortSignal,
): Promise<void> {
  const { service: kubernetes, endpoints, slice } = kubernetesService(service)
  const create = async (object: KubeObject): Promise<void> => {
    const { group, version } = parseGroupVersion(object.apiVersion ?? '')
    const kind = object.kind ?? ''
    const resource = resources.list.find((each) => each.group === group && each.kind === kind && each.version === version) ?? resources.byKind(group, kind)
    if (resource === undefined) return
    const { namespace = '', name = '' } = object.metadata
    if (rest.find(resource, namespace, name) !== undefined) {
      if (resource.group === RBAC)
        await rest.update(resource, namespace, name, (live) => reconciled(live, object) ?? live, { retry: true }, bootstrapContext(signal))
      return
    }
    try {
      await rest.create(
        resource,
        namespace,
        { ...object, apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}` },
        bootstrapContext(signal),
      )
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }
  const fixed = fixedObjects(minorOf(kubernetesVersion))
  // Namespaces first, as everything else may live in one.
  await Promise.all(fixed.filter(({ kind }) => kind === 'Namespace').map(create))
  await Promise.all([...fixed.filter(({ kind }) => kind !== 'Namespace'), kubernetes].map(create))
  await rest.replaceOwn(resources, [endpoints, slice], bootstrapContext(signal))
}
