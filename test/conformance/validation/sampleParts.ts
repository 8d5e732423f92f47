import type { JsonObject } from '#shared/kubernetes/json.ts'

/** A valid object of a kind, with much of what the kind can have: what mutations start from. */
export interface Sample {
  resource: string
  namespaced: boolean
  object: JsonObject
  /** What `/status` takes, for kinds that have it. */
  status?: JsonObject
}

export const labels = { app: 'web', tier: 'front' }

export const container = (name: string): JsonObject => ({
  name,
  image: 'registry.example.com/web:1.2.3',
  command: ['/bin/web'],
  args: ['--port', '8080'],
  ports: [
    { name: 'http', containerPort: 8080, protocol: 'TCP' },
    { name: 'metrics', containerPort: 9090 },
  ],
  env: [
    { name: 'PLAIN', value: 'x' },
    { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
    { name: 'CM', valueFrom: { configMapKeyRef: { name: 'cm', key: 'k' } } },
    { name: 'SECRET', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } },
  ],
  envFrom: [{ prefix: 'P_', configMapRef: { name: 'cm' } }, { secretRef: { name: 's' } }],
  resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m', memory: '128Mi' } },
  volumeMounts: [
    { name: 'data', mountPath: '/data' },
    { name: 'config', mountPath: '/etc/config', readOnly: true, subPath: 'sub' },
  ],
  livenessProbe: { httpGet: { path: '/healthz', port: 'http', httpHeaders: [{ name: 'X-Probe', value: '1' }] }, periodSeconds: 5 },
  readinessProbe: { tcpSocket: { port: 8080 } },
  startupProbe: { exec: { command: ['true'] } },
  lifecycle: { preStop: { exec: { command: ['sleep', '1'] } } },
  securityContext: { runAsUser: 1000, capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] }, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
})

export const podSpec = (more: JsonObject = {}): JsonObject => ({
  automountServiceAccountToken: false,
  containers: [container('web'), { name: 'side', image: 'side' }],
  initContainers: [{ name: 'init', image: 'busybox', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
  volumes: [
    { name: 'data', emptyDir: { sizeLimit: '1Gi' } },
    { name: 'config', configMap: { name: 'cm', items: [{ key: 'a', path: 'a/b', mode: 256 }] } },
    { name: 'secret', secret: { secretName: 's' } },
    { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
    { name: 'all', projected: { sources: [{ configMap: { name: 'cm' } }, { secret: { name: 's', items: [{ key: 'k', path: 'p' }] } }] } },
    { name: 'host', hostPath: { path: '/var/log', type: 'Directory' } },
    { name: 'claim', persistentVolumeClaim: { claimName: 'claim' } },
    { name: 'nfs', nfs: { server: 'nfs', path: '/export' } },
    { name: 'csi', csi: { driver: 'csi.example.com' } },
  ],
  nodeSelector: { disk: 'ssd' },
  tolerations: [
    { key: 'a', operator: 'Equal', value: 'b', effect: 'NoSchedule' },
    { key: 'c', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 30 },
  ],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a', 'b'] }] }] },
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 10, preference: { matchExpressions: [{ key: 'x', operator: 'Exists' }] } }],
    },
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: { app: 'web' } }, topologyKey: 'kubernetes.io/hostname' }],
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 5, podAffinityTerm: { labelSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['db'] }] }, topologyKey: 'zone' } },
      ],
    },
  },
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'web' } } }],
  securityContext: { fsGroup: 1000, runAsNonRoot: true, supplementalGroups: [1], sysctls: [{ name: 'net.core.somaxconn', value: '1024' }] },
  hostAliases: [{ ip: '10.0.0.1', hostnames: ['foo.local'] }],
  dnsConfig: { nameservers: ['1.1.1.1'], searches: ['ns.svc.cluster.local'], options: [{ name: 'ndots', value: '2' }] },
  imagePullSecrets: [{ name: 'pull' }],
  readinessGates: [{ conditionType: 'www.example.com/feature' }],
  hostname: 'web',
  subdomain: 'sub',
  ...more,
})

export const template = (more: JsonObject = {}): JsonObject => ({ metadata: { labels, annotations: { note: 'x' } }, spec: podSpec(more) })
export const selector = { matchLabels: { app: 'web' } }

export const sample = (resource: string, kind: string, body: JsonObject, options: { cluster?: boolean; status?: JsonObject; name?: string } = {}): Sample => {
  const [group, plural] = [resource.slice(0, resource.lastIndexOf('/')), resource.slice(resource.lastIndexOf('/') + 1)]
  const metadata = {
    name: options.name ?? `v-${plural}`,
    labels: { ...labels },
    annotations: { 'example.com/note': 'x' },
    ...((body['metadata'] as JsonObject | undefined) ?? {}),
  }
  return {
    resource,
    namespaced: options.cluster !== true,
    object: { apiVersion: group, kind, ...body, metadata },
    ...(options.status === undefined ? {} : { status: options.status }),
  }
}

export const condition = { type: 'Ready', status: 'True', reason: 'R', message: 'm', lastTransitionTime: '2024-01-02T03:04:05Z' }
