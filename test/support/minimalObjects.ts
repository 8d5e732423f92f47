const container = { name: 'c', image: 'registry.example/app:1' }
const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [container] } }
const workload = { selector: { matchLabels: { app: 'x' } }, template }
const job = { template: { spec: { ...template.spec, restartPolicy: 'Never' } } }
const namespaced = (group: string, plural: string): string => `${group}/namespaces/default/${plural}`

/** The least that a valid object of each kind needs, without its name. Kinds whose names or deletes follow rules of their own are left out. */
export const MINIMAL_OBJECTS: readonly { path: string; object: Record<string, unknown> }[] = [
  { path: namespaced('/api/v1', 'configmaps'), object: { apiVersion: 'v1', kind: 'ConfigMap' } },
  { path: namespaced('/api/v1', 'secrets'), object: { apiVersion: 'v1', kind: 'Secret', data: { k: 'dg==' } } },
  {
    path: namespaced('/api/v1', 'endpoints'),
    object: { apiVersion: 'v1', kind: 'Endpoints', subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] },
  },
  {
    path: namespaced('/api/v1', 'services'),
    object: { apiVersion: 'v1', kind: 'Service', spec: { clusterIP: 'None', selector: { app: 'x' }, ports: [{ port: 80 }] } },
  },
  { path: namespaced('/api/v1', 'serviceaccounts'), object: { apiVersion: 'v1', kind: 'ServiceAccount' } },
  { path: namespaced('/api/v1', 'podtemplates'), object: { apiVersion: 'v1', kind: 'PodTemplate', template } },
  {
    path: namespaced('/api/v1', 'replicationcontrollers'),
    object: { apiVersion: 'v1', kind: 'ReplicationController', spec: { selector: { app: 'x' }, template } },
  },
  { path: namespaced('/api/v1', 'limitranges'), object: { apiVersion: 'v1', kind: 'LimitRange', spec: { limits: [{ type: 'Pod', max: { cpu: '64' } }] } } },
  { path: namespaced('/api/v1', 'resourcequotas'), object: { apiVersion: 'v1', kind: 'ResourceQuota', spec: { hard: { 'count/widgets.example.org': '5' } } } },
  {
    path: namespaced('/api/v1', 'events'),
    object: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace: 'default' },
      involvedObject: { kind: 'Pod', name: 'x', namespace: 'default' },
      reason: 'Tested',
    },
  },
  { path: '/api/v1/nodes', object: { apiVersion: 'v1', kind: 'Node' } },
  { path: namespaced('/apis/apps/v1', 'deployments'), object: { apiVersion: 'apps/v1', kind: 'Deployment', spec: workload } },
  { path: namespaced('/apis/apps/v1', 'replicasets'), object: { apiVersion: 'apps/v1', kind: 'ReplicaSet', spec: workload } },
  { path: namespaced('/apis/apps/v1', 'daemonsets'), object: { apiVersion: 'apps/v1', kind: 'DaemonSet', spec: workload } },
  { path: namespaced('/apis/apps/v1', 'statefulsets'), object: { apiVersion: 'apps/v1', kind: 'StatefulSet', spec: { ...workload, serviceName: 'x' } } },
  { path: namespaced('/apis/apps/v1', 'controllerrevisions'), object: { apiVersion: 'apps/v1', kind: 'ControllerRevision', revision: 1, data: { a: 'b' } } },
  { path: namespaced('/apis/batch/v1', 'jobs'), object: { apiVersion: 'batch/v1', kind: 'Job', spec: job } },
  {
    path: namespaced('/apis/batch/v1', 'cronjobs'),
    object: { apiVersion: 'batch/v1', kind: 'CronJob', spec: { schedule: '* * * * *', jobTemplate: { spec: job } } },
  },
  {
    path: namespaced('/apis/policy/v1', 'poddisruptionbudgets'),
    object: { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', spec: { minAvailable: 1, selector: { matchLabels: { app: 'x' } } } },
  },
  {
    path: namespaced('/apis/autoscaling/v2', 'horizontalpodautoscalers'),
    object: {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' } },
    },
  },
  {
    path: namespaced('/apis/networking.k8s.io/v1', 'ingresses'),
    object: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', spec: { defaultBackend: { service: { name: 'x', port: { number: 80 } } } } },
  },
  {
    path: namespaced('/apis/networking.k8s.io/v1', 'networkpolicies'),
    object: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', spec: { podSelector: {}, policyTypes: ['Ingress'] } },
  },
  {
    path: '/apis/networking.k8s.io/v1/ingressclasses',
    object: { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', spec: { controller: 'example.org/ingress' } },
  },
  {
    path: namespaced('/apis/rbac.authorization.k8s.io/v1', 'roles'),
    object: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  },
  {
    path: namespaced('/apis/rbac.authorization.k8s.io/v1', 'rolebindings'),
    object: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'x' },
      subjects: [],
    },
  },
  { path: '/apis/rbac.authorization.k8s.io/v1/clusterroles', object: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', rules: [] } },
  {
    path: namespaced('/apis/coordination.k8s.io/v1', 'leases'),
    object: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec: { holderIdentity: 'h' } },
  },
  {
    path: namespaced('/apis/discovery.k8s.io/v1', 'endpointslices'),
    object: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', endpoints: [] },
  },
  { path: '/apis/storage.k8s.io/v1/storageclasses', object: { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', provisioner: 'example.org/disk' } },
  { path: '/apis/scheduling.k8s.io/v1/priorityclasses', object: { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', value: 100 } },
  { path: '/apis/node.k8s.io/v1/runtimeclasses', object: { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', handler: 'runc' } },
]
