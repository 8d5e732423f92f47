import { selector, sample, type Sample } from './sampleParts.ts'

/** All other groups. */
export const OTHERS: readonly Sample[] = [
  sample('coordination.k8s.io/v1/leases', 'Lease', {
    spec: { holderIdentity: 'h', leaseDurationSeconds: 15, leaseTransitions: 1, renewTime: '2024-01-02T03:04:05.000000Z' },
  }),
  sample('discovery.k8s.io/v1beta1/endpointslices', 'EndpointSlice', {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, hostname: 'a', topology: { zone: 'x' } }],
    ports: [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' }],
  }),
  sample('networking.k8s.io/v1/networkpolicies', 'NetworkPolicy', {
    spec: {
      podSelector: { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'x', operator: 'Exists' }] },
      ingress: [
        {
          ports: [{ protocol: 'TCP', port: 80 }, { port: 'http' }],
          from: [{ podSelector: { matchLabels: { a: 'b' } } }, { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }],
        },
      ],
      egress: [{ to: [{ namespaceSelector: {} }] }],
      policyTypes: ['Ingress', 'Egress'],
    },
  }),
  sample(
    'networking.k8s.io/v1/ingresses',
    'Ingress',
    {
      spec: {
        ingressClassName: 'nginx',
        defaultBackend: { service: { name: 'web', port: { number: 80 } } },
        tls: [{ hosts: ['a.example.com', '*.example.org'], secretName: 'tls' }],
        rules: [
          {
            host: 'a.example.com',
            http: {
              paths: [
                { path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { name: 'http' } } } },
                { path: '/x', pathType: 'Exact', backend: { resource: { kind: 'Bucket', name: 'b', apiGroup: 'example.com' } } },
              ],
            },
          },
          {
            host: '*.example.com',
            http: { paths: [{ path: '/y', pathType: 'ImplementationSpecific', backend: { service: { name: 'web', port: { number: 81 } } } }] },
          },
        ],
      },
    },
    { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } },
  ),
  sample(
    'networking.k8s.io/v1beta1/ingresses',
    'Ingress',
    {
      spec: {
        backend: { serviceName: 'web', servicePort: 80 },
        rules: [{ host: 'b.example.com', http: { paths: [{ path: '/', backend: { serviceName: 'web', servicePort: 'http' } }] } }],
      },
    },
    { name: 'v-ingress-beta' },
  ),
  sample(
    'networking.k8s.io/v1/ingressclasses',
    'IngressClass',
    { spec: { controller: 'example.com/c', parameters: { apiGroup: 'example.com', kind: 'P', name: 'p' } } },
    { cluster: true },
  ),
  sample(
    'node.k8s.io/v1/runtimeclasses',
    'RuntimeClass',
    {
      handler: 'runc',
      overhead: { podFixed: { cpu: '10m' } },
      scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'k', operator: 'Exists' }] },
    },
    { cluster: true },
  ),
  sample(
    'policy/v1beta1/poddisruptionbudgets',
    'PodDisruptionBudget',
    { spec: { minAvailable: '50%', selector } },
    {
      status: { disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 3 },
    },
  ),
  sample('rbac.authorization.k8s.io/v1/roles', 'Role', { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'], resourceNames: ['x'] }] }),
  sample('rbac.authorization.k8s.io/v1/rolebindings', 'RoleBinding', {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    subjects: [
      { kind: 'User', name: 'u', apiGroup: 'rbac.authorization.k8s.io' },
      { kind: 'ServiceAccount', name: 's', namespace: 'default' },
    ],
  }),
  sample(
    'rbac.authorization.k8s.io/v1/clusterroles',
    'ClusterRole',
    {
      rules: [
        { apiGroups: ['apps'], resources: ['*'], verbs: ['*'] },
        { nonResourceURLs: ['/healthz'], verbs: ['get'] },
      ],
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
    },
    { cluster: true },
  ),
  sample(
    'rbac.authorization.k8s.io/v1/clusterrolebindings',
    'ClusterRoleBinding',
    {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'Group', name: 'g', apiGroup: 'rbac.authorization.k8s.io' }],
    },
    { cluster: true },
  ),
  sample(
    'scheduling.k8s.io/v1/priorityclasses',
    'PriorityClass',
    { value: 1000, globalDefault: false, description: 'd', preemptionPolicy: 'Never' },
    { cluster: true },
  ),
  sample(
    'storage.k8s.io/v1/storageclasses',
    'StorageClass',
    {
      provisioner: 'example.com/p',
      parameters: { a: 'b' },
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
      allowVolumeExpansion: true,
      mountOptions: ['ro'],
      allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a', 'b'] }] }],
    },
    { cluster: true },
  ),
  sample(
    'storage.k8s.io/v1/volumeattachments',
    'VolumeAttachment',
    { spec: { attacher: 'csi.example.com', nodeName: 'n', source: { persistentVolumeName: 'pv' } } },
    {
      cluster: true,
      status: { attached: true, attachmentMetadata: { a: 'b' }, attachError: { message: 'm' } },
    },
  ),
  sample(
    'storage.k8s.io/v1/csidrivers',
    'CSIDriver',
    { spec: { attachRequired: true, podInfoOnMount: true, volumeLifecycleModes: ['Persistent'], fsGroupPolicy: 'File' } },
    { cluster: true },
  ),
  sample(
    'storage.k8s.io/v1/csinodes',
    'CSINode',
    { spec: { drivers: [{ name: 'csi.example.com', nodeID: 'n', topologyKeys: ['example.com/zone'], allocatable: { count: 5 } }] } },
    { cluster: true },
  ),
  sample(
    'admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
    'ValidatingWebhookConfiguration',
    {
      webhooks: [
        {
          name: 'a.example.com',
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          clientConfig: { service: { namespace: 'default', name: 'w', path: '/validate', port: 443 } },
          rules: [{ operations: ['CREATE'], apiGroups: ['never.example.com'], apiVersions: ['v1'], resources: ['things'], scope: '*' }],
          failurePolicy: 'Ignore',
          matchPolicy: 'Exact',
          timeoutSeconds: 5,
          namespaceSelector: { matchLabels: { a: 'b' } },
          objectSelector: {},
        },
      ],
    },
    { cluster: true },
  ),
  sample(
    'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
    'MutatingWebhookConfiguration',
    {
      webhooks: [
        {
          name: 'm.example.com',
          admissionReviewVersions: ['v1', 'v1beta1'],
          sideEffects: 'NoneOnDryRun',
          clientConfig: { url: 'https://w.example.com/mutate' },
          rules: [{ operations: ['*'], apiGroups: ['never.example.com'], apiVersions: ['*'], resources: ['things', 'things/status'] }],
          reinvocationPolicy: 'IfNeeded',
          failurePolicy: 'Ignore',
        },
      ],
    },
    { cluster: true },
  ),
  sample(
    'flowcontrol.apiserver.k8s.io/v1beta1/flowschemas',
    'FlowSchema',
    {
      spec: {
        matchingPrecedence: 500,
        distinguisherMethod: { type: 'ByUser' },
        priorityLevelConfiguration: { name: 'workload-low' },
        rules: [
          {
            subjects: [
              { kind: 'User', user: { name: 'u' } },
              { kind: 'ServiceAccount', serviceAccount: { name: 's', namespace: 'default' } },
            ],
            resourceRules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'], namespaces: ['default'] }],
            nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/metrics/*'] }],
          },
        ],
      },
    },
    { cluster: true },
  ),
  sample(
    'flowcontrol.apiserver.k8s.io/v1beta1/prioritylevelconfigurations',
    'PriorityLevelConfiguration',
    {
      spec: {
        type: 'Limited',
        limited: { assuredConcurrencyShares: 10, limitResponse: { type: 'Queue', queuing: { queues: 64, handSize: 6, queueLengthLimit: 50 } } },
      },
    },
    { cluster: true },
  ),
]
