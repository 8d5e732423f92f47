import { condition, labels, podSpec, selector, template, sample, type Sample } from './sampleParts.ts'

/** Core, apps and batch. */
export const WORKLOADS: readonly Sample[] = [
  sample(
    'v1/pods',
    'Pod',
    { spec: podSpec() },
    {
      status: {
        phase: 'Running',
        podIPs: [{ ip: '10.0.0.1' }],
        podIP: '10.0.0.1',
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'example.com/c', status: 'False' },
        ],
        containerStatuses: [{ name: 'web', ready: true, restartCount: 0, image: 'i', imageID: 'x', state: { running: { startedAt: '2024-01-02T03:04:05Z' } } }],
      },
    },
  ),
  sample(
    'v1/services',
    'Service',
    {
      spec: {
        type: 'ClusterIP',
        selector: { app: 'web' },
        clusterIP: 'None',
        ports: [
          { name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' },
          { name: 'dns', port: 53, targetPort: 5353, protocol: 'UDP', appProtocol: 'dns' },
        ],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } },
        externalIPs: ['192.0.2.1'],
        publishNotReadyAddresses: true,
      },
    },
    { status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }, { hostname: 'lb.example.com' }] } } },
  ),
  sample('v1/namespaces', 'Namespace', { spec: { finalizers: ['kubernetes', 'example.com/own'] } }, { cluster: true, status: { phase: 'Active' } }),
  sample(
    'v1/nodes',
    'Node',
    {
      spec: {
        podCIDR: '10.244.1.0/24',
        podCIDRs: ['10.244.1.0/24'],
        providerID: 'x://1',
        unschedulable: true,
        taints: [
          { key: 'a', value: 'b', effect: 'NoSchedule' },
          { key: 'c', effect: 'NoExecute' },
        ],
      },
      status: { capacity: { cpu: '4', memory: '8Gi', pods: '110' }, addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] },
    },
    {
      cluster: true,
      status: { capacity: { cpu: '4', memory: '8Gi' }, allocatable: { cpu: '3' }, conditions: [condition], addresses: [{ type: 'Hostname', address: 'n' }] },
    },
  ),
  sample('v1/configmaps', 'ConfigMap', { data: { a: '1', 'b.txt': 'two' }, binaryData: { c: 'AAEC' } }),
  sample('v1/secrets', 'Secret', { type: 'Opaque', data: { a: 'YQ==', b: 'Yg==' }, stringData: { c: 'plain' } }),
  sample('v1/serviceaccounts', 'ServiceAccount', { secrets: [{ name: 's' }], imagePullSecrets: [{ name: 'p' }], automountServiceAccountToken: true }),
  sample(
    'v1/persistentvolumes',
    'PersistentVolume',
    {
      spec: {
        capacity: { storage: '10Gi' },
        accessModes: ['ReadWriteOnce', 'ReadOnlyMany'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: 'fast',
        volumeMode: 'Filesystem',
        mountOptions: ['ro'],
        csi: { driver: 'csi.example.com', volumeHandle: 'h', fsType: 'ext4', nodePublishSecretRef: { name: 's', namespace: 'default' } },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }] } },
        claimRef: { namespace: 'default', name: 'claim' },
      },
    },
    { cluster: true, status: { phase: 'Available', message: 'm' } },
  ),
  sample(
    'v1/persistentvolumeclaims',
    'PersistentVolumeClaim',
    {
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' }, limits: { storage: '2Gi' } },
        storageClassName: 'fast',
        volumeMode: 'Filesystem',
        selector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'c', operator: 'In', values: ['d'] }] },
        dataSource: { kind: 'PersistentVolumeClaim', name: 'other' },
      },
    },
    { status: { phase: 'Pending', accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } } },
  ),
  sample('v1/limitranges', 'LimitRange', {
    spec: {
      limits: [
        {
          type: 'Container',
          max: { cpu: '2', memory: '2Gi' },
          min: { cpu: '10m' },
          default: { cpu: '1' },
          defaultRequest: { cpu: '100m' },
          maxLimitRequestRatio: { cpu: '10' },
        },
        { type: 'Pod', max: { cpu: '4' }, min: { cpu: '10m' } },
        { type: 'PersistentVolumeClaim', max: { storage: '10Gi' }, min: { storage: '1Gi' } },
      ],
    },
  }),
  sample(
    'v1/resourcequotas',
    'ResourceQuota',
    {
      spec: {
        hard: { pods: '10', 'requests.cpu': '4' },
        scopes: ['NotTerminating'],
        scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
      },
    },
    { status: { hard: { pods: '10' }, used: { pods: '3' } } },
  ),
  sample(
    'v1/replicationcontrollers',
    'ReplicationController',
    { spec: { replicas: 2, selector: labels, minReadySeconds: 1, template: template() } },
    {
      status: { replicas: 2, readyReplicas: 1, availableReplicas: 1, fullyLabeledReplicas: 2, observedGeneration: 1 },
    },
  ),
  sample('v1/endpoints', 'Endpoints', {
    subsets: [
      {
        addresses: [{ ip: '10.0.0.1', hostname: 'a', nodeName: 'n1' }],
        notReadyAddresses: [{ ip: '10.0.0.2' }],
        ports: [
          { name: 'http', port: 80 },
          { name: 'b', port: 81, protocol: 'UDP', appProtocol: 'x' },
        ],
      },
    ],
  }),
  sample('v1/events', 'Event', {
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'p', apiVersion: 'v1' },
    reason: 'Started',
    message: 'm',
    type: 'Normal',
    count: 1,
    source: { component: 'c' },
    firstTimestamp: '2024-01-02T03:04:05Z',
    lastTimestamp: '2024-01-02T03:04:05Z',
  }),
  sample('v1/podtemplates', 'PodTemplate', { template: template() }),
  sample(
    'events.k8s.io/v1/events',
    'Event',
    {
      regarding: { kind: 'Pod', namespace: 'default', name: 'p' },
      eventTime: '2024-01-02T03:04:05.000000Z',
      reportingController: 'example.com/c',
      reportingInstance: 'i',
      action: 'A',
      reason: 'R',
      type: 'Normal',
      note: 'n',
      series: { count: 3, lastObservedTime: '2024-01-02T03:04:05.000000Z' },
    },
    { name: 'v-events1' },
  ),
  sample(
    'apps/v1/deployments',
    'Deployment',
    {
      spec: {
        replicas: 3,
        selector,
        template: template(),
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: 1 } },
        minReadySeconds: 5,
        revisionHistoryLimit: 3,
        progressDeadlineSeconds: 60,
      },
    },
    { status: { replicas: 3, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2, unavailableReplicas: 1, collisionCount: 1, observedGeneration: 1 } },
  ),
  sample(
    'apps/v1/replicasets',
    'ReplicaSet',
    { spec: { replicas: 2, selector, minReadySeconds: 1, template: template() } },
    {
      status: { replicas: 2, fullyLabeledReplicas: 2, readyReplicas: 1, availableReplicas: 1 },
    },
  ),
  sample(
    'apps/v1/statefulsets',
    'StatefulSet',
    {
      spec: {
        replicas: 2,
        serviceName: 'web',
        selector,
        podManagementPolicy: 'Parallel',
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
        revisionHistoryLimit: 2,
        template: template(),
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }],
      },
    },
    { status: { replicas: 2, readyReplicas: 1, currentReplicas: 1, updatedReplicas: 1, collisionCount: 0 } },
  ),
  sample(
    'apps/v1/daemonsets',
    'DaemonSet',
    {
      spec: {
        selector,
        template: template(),
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
        minReadySeconds: 1,
        revisionHistoryLimit: 2,
      },
    },
    { status: { currentNumberScheduled: 1, numberMisscheduled: 0, desiredNumberScheduled: 1, numberReady: 1, observedGeneration: 1 } },
  ),
  sample('apps/v1/controllerrevisions', 'ControllerRevision', { data: { spec: { x: 1 } }, revision: 2 }),
  sample(
    'batch/v1/jobs',
    'Job',
    {
      spec: { parallelism: 2, completions: 4, backoffLimit: 3, activeDeadlineSeconds: 100, template: template({ restartPolicy: 'Never' }) },
    },
    { status: { active: 1, succeeded: 1, failed: 0 } },
  ),
  sample('batch/v1beta1/cronjobs', 'CronJob', {
    spec: {
      schedule: '*/5 1-3 * jan,feb mon',
      startingDeadlineSeconds: 10,
      concurrencyPolicy: 'Forbid',
      suspend: true,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 2,
      jobTemplate: { metadata: { labels }, spec: { backoffLimit: 1, template: template({ restartPolicy: 'OnFailure' }) } },
    },
  }),
  sample(
    'autoscaling/v1/horizontalpodautoscalers',
    'HorizontalPodAutoscaler',
    {
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, minReplicas: 1, maxReplicas: 5, targetCPUUtilizationPercentage: 50 },
    },
    { status: { currentReplicas: 1, desiredReplicas: 2 }, name: 'v-hpa1' },
  ),
  sample(
    'autoscaling/v2beta2/horizontalpodautoscalers',
    'HorizontalPodAutoscaler',
    {
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        minReplicas: 1,
        maxReplicas: 5,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } },
          { type: 'Pods', pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '10' } } },
          { type: 'Object', object: { metric: { name: 'm' }, describedObject: { kind: 'Service', name: 's' }, target: { type: 'Value', value: '5' } } },
          {
            type: 'External',
            external: { metric: { name: 'q', selector: { matchLabels: { a: 'b' } } }, target: { type: 'AverageValue', averageValue: '30' } },
          },
        ],
        behavior: { scaleDown: { stabilizationWindowSeconds: 60, selectPolicy: 'Max', policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] } },
      },
    },
    { name: 'v-hpa2' },
  ),
]
