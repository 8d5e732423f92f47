import { stringify } from 'yaml'
import { isObject } from '#shared/kubernetes/json.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists } from '#shared/kubernetes/status.ts'
import { minorOfVersion, releaseOf } from '#shared/planning/upgrade/releases.ts'
import { CLUSTER_ROLES, CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS, SERVICE_ACCOUNTS, SERVICES } from '#electron/client/resources.ts'
import type { RestClient } from '#electron/client/restClient.ts'
import { REGISTRY } from './manifests.ts'
import { NODE_TOKEN_GROUP } from './tokens.ts'

export interface ClusterObjectsOptions {
  kubernetesVersion: string
  clusterName: string
  serviceSubnet: string
  podSubnet: string
  dnsAddress: string
  /** Where clients reach the API server, for kube-proxy and cluster-info. */
  apiUrl: string
  /** PEM. */
  ca: string
}

const BINDINGS: GroupVersionResource = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterrolebindings' }
const GROUP = 'rbac.authorization.k8s.io'
const ROLES: GroupVersionResource = { group: GROUP, version: 'v1', resource: 'roles' }
const ROLE_BINDINGS: GroupVersionResource = { group: GROUP, version: 'v1', resource: 'rolebindings' }

const FIRST_WITH_PLAIN_KUBELET_CONFIG = 24

type Placed = [GroupVersionResource, KubeObject]

/** ClusterConfiguration as kubeadm keeps it. */
export function clusterConfiguration({
  kubernetesVersion,
  clusterName,
  serviceSubnet,
  podSubnet,
}: Pick<ClusterObjectsOptions, 'kubernetesVersion' | 'clusterName' | 'serviceSubnet' | 'podSubnet'>): string {
  return stringify({
    apiServer: {},
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    caCertificateValidityPeriod: '87600h0m0s',
    certificateValidityPeriod: '8760h0m0s',
    certificatesDir: '/etc/kubernetes/pki',
    clusterName,
    controllerManager: {},
    dns: {},
    encryptionAlgorithm: 'RSA-2048',
    etcd: { local: { dataDir: '/var/lib/etcd' } },
    imageRepository: REGISTRY,
    kind: 'ClusterConfiguration',
    kubernetesVersion,
    networking: { dnsDomain: 'cluster.local', podSubnet, serviceSubnet },
    proxy: {},
    scheduler: {},
  })
}

/** What `kubeadm init` leaves in a cluster, and where. */
export function clusterObjects(options: ClusterObjectsOptions): Placed[] {
  const { kubernetesVersion, apiUrl, ca, dnsAddress, podSubnet } = options
  const system = 'kube-system'
  const configMap = (name: string, data: Record<string, string>, namespace = system, labels?: Record<string, string>): Placed => [
    CONFIG_MAPS,
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, ...(labels === undefined ? {} : { labels }) }, data },
  ]
  const bind = (name: string, role: string, subject: Record<string, string>): Placed => [
    BINDINGS,
    {
      apiVersion: `${GROUP}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: GROUP, kind: 'ClusterRole', name: role },
      subjects: [subject],
    },
  ]
  const group = (name: string): Record<string, string> => ({ apiGroup: GROUP, kind: 'Group', name })
  const account = (name: string): Placed => [SERVICE_ACCOUNTS, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: system } }]
  const clusterInfo = stringify({
    apiVersion: 'v1',
    clusters: [{ cluster: { 'certificate-authority-data': Buffer.from(ca).toString('base64'), server: apiUrl }, name: '' }],
    contexts: null,
    'current-context': '',
    kind: 'Config',
    preferences: {},
    users: null,
  })
  const kubelet = stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    authentication: { anonymous: { enabled: false }, webhook: { cacheTTL: '0s', enabled: true }, x509: { clientCAFile: '/etc/kubernetes/pki/ca.crt' } },
    cgroupDriver: 'systemd',
    clusterDNS: [dnsAddress],
    clusterDomain: 'cluster.local',
    kind: 'KubeletConfiguration',
    rotateCertificates: true,
    staticPodPath: '/etc/kubernetes/manifests',
  })
  return [
    ...readable('kube-public', 'kubeadm:bootstrap-signer-clusterinfo', 'cluster-info', [{ apiGroup: GROUP, kind: 'User', name: 'system:anonymous' }]),
    ...readable(system, 'kubeadm:nodes-kubeadm-config', 'kubeadm-config', [group(NODE_TOKEN_GROUP), group('system:nodes')]),
    ...kubeletConfigNames(kubernetesVersion).flatMap((name) => readable(system, `kubeadm:${name}`, name, [group(NODE_TOKEN_GROUP), group('system:nodes')])),
    ...readable(system, 'kube-proxy', 'kube-proxy', [group(NODE_TOKEN_GROUP)]),
    bind('kubeadm:cluster-admins', 'cluster-admin', group('kubeadm:cluster-admins')),
    bind('kubeadm:kubelet-bootstrap', 'system:node-bootstrapper', group('system:bootstrappers:kubeadm:default-node-token')),
    bind(
      'kubeadm:node-autoapprove-bootstrap',
      'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
      group('system:bootstrappers:kubeadm:default-node-token'),
    ),
    bind('kubeadm:node-autoapprove-certificate-rotation', 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient', group('system:nodes')),
    bind('kubeadm:get-nodes', 'kubeadm:get-nodes', group('system:bootstrappers:kubeadm:default-node-token')),
    [
      CLUSTER_ROLES,
      {
        apiVersion: `${GROUP}/v1`,
        kind: 'ClusterRole',
        metadata: { name: 'kubeadm:get-nodes' },
        rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }],
      },
    ],
    configMap('kubeadm-config', { ClusterConfiguration: clusterConfiguration(options) }),
    ...kubeletConfigNames(kubernetesVersion).map((name) => configMap(name, { kubelet })),
    configMap('cluster-info', { kubeconfig: clusterInfo }, 'kube-public'),
    configMap(
      'kube-proxy',
      {
        'config.conf': stringify({
          apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
          bindAddress: '0.0.0.0',
          clusterCIDR: podSubnet,
          kind: 'KubeProxyConfiguration',
          mode: '',
        }),
        'kubeconfig.conf': clusterInfo,
      },
      system,
      { app: 'kube-proxy' },
    ),
    configMap('coredns', {
      Corefile:
        '.:53 {\n    errors\n    health {\n       lameduck 5s\n    }\n    ready\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n       pods insecure\n       fallthrough in-addr.arpa ip6.arpa\n       ttl 30\n    }\n    prometheus :9153\n    forward . /etc/resolv.conf {\n       max_concurrent 1000\n    }\n    cache 30\n    loop\n    reload\n    loadbalance\n}\n',
    }),
    account('kube-proxy'),
    bind('kubeadm:node-proxier', 'system:node-proxier', { kind: 'ServiceAccount', name: 'kube-proxy', namespace: system }),
    [DAEMON_SETS, kubeProxy(kubernetesVersion)],
    account('coredns'),
    [
      CLUSTER_ROLES,
      {
        apiVersion: `${GROUP}/v1`,
        kind: 'ClusterRole',
        metadata: { name: 'system:coredns' },
        rules: [
          { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
          { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
        ],
      },
    ],
    bind('system:coredns', 'system:coredns', { kind: 'ServiceAccount', name: 'coredns', namespace: system }),
    [
      SERVICES,
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: 'kube-dns',
          namespace: system,
          annotations: { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' },
          labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
        },
        spec: {
          clusterIP: dnsAddress,
          selector: { 'k8s-app': 'kube-dns' },
          ports: [
            { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
            { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
            { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 9153 },
          ],
        },
      },
    ],
    [DEPLOYMENTS, coreDns(kubernetesVersion)],
  ]
}

/** The ConfigMap of the kubelets' configuration was named by release until 1.23; an upgrade leads to the plain name. */
export function kubeletConfigNames(kubernetesVersion: string): string[] {
  const minor = minorOfVersion(kubernetesVersion)
  return [...(minor < FIRST_WITH_PLAIN_KUBELET_CONFIG ? [`kubelet-config-1.${String(minor)}`] : []), 'kubelet-config']
}

/** A role that reads one ConfigMap, and who has it. */
function readable(namespace: string, role: string, map: string, subjects: Record<string, string>[]): Placed[] {
  const metadata = { name: role, namespace }
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'], resourceNames: [map] }]
  return [
    [ROLES, { apiVersion: `${GROUP}/v1`, kind: 'Role', metadata, rules }],
    [ROLE_BINDINGS, { apiVersion: `${GROUP}/v1`, kind: 'RoleBinding', metadata, roleRef: { apiGroup: GROUP, kind: 'Role', name: role }, subjects }],
  ]
}

export const kubeProxyImage = (kubernetesVersion: string): string => `${REGISTRY}/kube-proxy:${kubernetesVersion}`
export const coreDnsImage = (kubernetesVersion: string): string => `${REGISTRY}/coredns/coredns:${releaseOf(kubernetesVersion).coredns}`

function kubeProxy(kubernetesVersion: string): KubeObject {
  const labels = { 'k8s-app': 'kube-proxy' }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'kube-proxy', namespace: 'kube-system', labels },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          hostNetwork: true,
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          priorityClassName: 'system-node-critical',
          serviceAccountName: 'kube-proxy',
          tolerations: [{ operator: 'Exists' }],
          containers: [
            {
              name: 'kube-proxy',
              image: kubeProxyImage(kubernetesVersion),
              imagePullPolicy: 'IfNotPresent',
              command: ['/usr/local/bin/kube-proxy', '--config=/var/lib/kube-proxy/config.conf', '--hostname-override=$(NODE_NAME)'],
              env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
              securityContext: { privileged: true },
              volumeMounts: [{ mountPath: '/var/lib/kube-proxy', name: 'kube-proxy' }],
            },
          ],
          volumes: [{ name: 'kube-proxy', configMap: { name: 'kube-proxy' } }],
        },
      },
    },
  }
}

function coreDns(kubernetesVersion: string): KubeObject {
  const labels = { 'k8s-app': 'kube-dns' }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'coredns', namespace: 'kube-system', labels },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels },
        spec: {
          dnsPolicy: 'Default',
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          priorityClassName: 'system-cluster-critical',
          serviceAccountName: 'coredns',
          tolerations: [
            { key: 'CriticalAddonsOnly', operator: 'Exists' },
            { effect: 'NoSchedule', key: 'node-role.kubernetes.io/control-plane' },
          ],
          affinity: {
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                {
                  weight: 100,
                  podAffinityTerm: {
                    labelSelector: { matchExpressions: [{ key: 'k8s-app', operator: 'In', values: ['kube-dns'] }] },
                    topologyKey: 'kubernetes.io/hostname',
                  },
                },
              ],
            },
          },
          containers: [
            {
              name: 'coredns',
              image: coreDnsImage(kubernetesVersion),
              imagePullPolicy: 'IfNotPresent',
              args: ['-conf', '/etc/coredns/Corefile'],
              resources: { limits: { memory: '170Mi' }, requests: { cpu: '100m', memory: '70Mi' } },
              ports: [
                { containerPort: 53, name: 'dns', protocol: 'UDP' },
                { containerPort: 53, name: 'dns-tcp', protocol: 'TCP' },
                { containerPort: 9153, name: 'metrics', protocol: 'TCP' },
              ],
              volumeMounts: [{ mountPath: '/etc/coredns', name: 'config-volume', readOnly: true }],
            },
          ],
          volumes: [{ name: 'config-volume', configMap: { name: 'coredns', items: [{ key: 'Corefile', path: 'Corefile' }] } }],
        },
      },
    },
  }
}

/** Creates what `kubeadm init` leaves in a cluster; what is there stays. */
export async function ensureClusterObjects(client: RestClient, options: ClusterObjectsOptions, signal: AbortSignal): Promise<void> {
  await Promise.all(
    clusterObjects(options).map(async ([gvr, object]) => {
      try {
        await client.create(gvr, { namespace: object.metadata.namespace }, object, signal)
      } catch (error) {
        if (!isAlreadyExists(error)) throw error
        if (object.metadata.name === 'cluster-info') await moveClusterInfo(client, object, signal)
      }
    }),
  )
}

/** A cluster that was started on another port tells joining nodes its new address; the bootstrap signer signs it anew. */
async function moveClusterInfo(client: RestClient, wanted: KubeObject, signal: AbortSignal): Promise<void> {
  const target = { namespace: 'kube-public', name: 'cluster-info' }
  const kubeconfig = (object: KubeObject): unknown => (isObject(object['data']) ? object['data']['kubeconfig'] : undefined)
  const there = await client.get(CONFIG_MAPS, target, signal)
  if (kubeconfig(there) !== kubeconfig(wanted)) await client.patch(CONFIG_MAPS, target, { data: { kubeconfig: kubeconfig(wanted) } }, { type: 'merge' }, signal)
}
