import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { releaseOf } from '#shared/planning/upgrade/releases.ts'

export const REGISTRY = 'registry.k8s.io'

export interface ManifestOptions {
  kubernetesVersion: string
  nodeName: string
  advertiseAddress: string
  clusterName: string
  serviceSubnet: string
  podSubnet: string
  /** kubeadm's `imageRepository`. @default registry.k8s.io */
  imageRepository?: string
}

export const COMPONENTS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const
export type Component = (typeof COMPONENTS)[number]

/** The image kubeadm of a version runs a component with. */
export function componentImage(component: Component, kubernetesVersion: string, imageRepository = REGISTRY): string {
  return `${imageRepository}/${component}:${component === 'etcd' ? releaseOf(kubernetesVersion).etcd : kubernetesVersion}`
}

interface Spec {
  command: string[]
  cpu: string
  memory?: string
  probePort: number
  scheme: 'HTTP' | 'HTTPS'
  mounts: { name: string; path: string; type: string; readOnly: boolean }[]
}

// Source: kubeadm's app/phases/controlplane/manifests.go and app/phases/etcd/local.go.
function specOf(component: Component, { advertiseAddress, nodeName, clusterName, serviceSubnet, podSubnet }: ManifestOptions): Spec {
  const pki = '/etc/kubernetes/pki'
  const certs = [
    { name: 'ca-certs', path: '/etc/ssl/certs', type: 'DirectoryOrCreate', readOnly: true },
    { name: 'k8s-certs', path: pki, type: 'DirectoryOrCreate', readOnly: true },
  ]
  switch (component) {
    case 'etcd':
      return {
        cpu: '100m',
        memory: '100Mi',
        probePort: 2381,
        scheme: 'HTTP',
        mounts: [
          { name: 'etcd-data', path: '/var/lib/etcd', type: 'DirectoryOrCreate', readOnly: false },
          { name: 'etcd-certs', path: `${pki}/etcd`, type: 'DirectoryOrCreate', readOnly: false },
        ],
        command: [
          'etcd',
          `--advertise-client-urls=https://${advertiseAddress}:2379`,
          `--cert-file=${pki}/etcd/server.crt`,
          '--client-cert-auth=true',
          '--data-dir=/var/lib/etcd',
          `--initial-advertise-peer-urls=https://${advertiseAddress}:2380`,
          `--initial-cluster=${nodeName}=https://${advertiseAddress}:2380`,
          `--key-file=${pki}/etcd/server.key`,
          `--listen-client-urls=https://127.0.0.1:2379,https://${advertiseAddress}:2379`,
          '--listen-metrics-urls=http://127.0.0.1:2381',
          `--listen-peer-urls=https://${advertiseAddress}:2380`,
          `--name=${nodeName}`,
          `--peer-cert-file=${pki}/etcd/peer.crt`,
          '--peer-client-cert-auth=true',
          `--peer-key-file=${pki}/etcd/peer.key`,
          `--peer-trusted-ca-file=${pki}/etcd/ca.crt`,
          '--snapshot-count=10000',
          `--trusted-ca-file=${pki}/etcd/ca.crt`,
        ],
      }
    case 'kube-apiserver':
      return {
        cpu: '250m',
        probePort: 6443,
        scheme: 'HTTPS',
        mounts: certs,
        command: [
          'kube-apiserver',
          `--advertise-address=${advertiseAddress}`,
          '--allow-privileged=true',
          '--authorization-mode=Node,RBAC',
          `--client-ca-file=${pki}/ca.crt`,
          '--enable-admission-plugins=NodeRestriction',
          '--enable-bootstrap-token-auth=true',
          `--etcd-cafile=${pki}/etcd/ca.crt`,
          `--etcd-certfile=${pki}/apiserver-etcd-client.crt`,
          `--etcd-keyfile=${pki}/apiserver-etcd-client.key`,
          '--etcd-servers=https://127.0.0.1:2379',
          `--kubelet-client-certificate=${pki}/apiserver-kubelet-client.crt`,
          `--kubelet-client-key=${pki}/apiserver-kubelet-client.key`,
          '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
          `--proxy-client-cert-file=${pki}/front-proxy-client.crt`,
          `--proxy-client-key-file=${pki}/front-proxy-client.key`,
          '--requestheader-allowed-names=front-proxy-client',
          `--requestheader-client-ca-file=${pki}/front-proxy-ca.crt`,
          '--requestheader-extra-headers-prefix=X-Remote-Extra-',
          '--requestheader-group-headers=X-Remote-Group',
          '--requestheader-username-headers=X-Remote-User',
          '--secure-port=6443',
          '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
          `--service-account-key-file=${pki}/sa.pub`,
          `--service-account-signing-key-file=${pki}/sa.key`,
          `--service-cluster-ip-range=${serviceSubnet}`,
          `--tls-cert-file=${pki}/apiserver.crt`,
          `--tls-private-key-file=${pki}/apiserver.key`,
        ],
      }
    case 'kube-controller-manager':
      return {
        cpu: '200m',
        probePort: 10257,
        scheme: 'HTTPS',
        mounts: [...certs, { name: 'kubeconfig', path: '/etc/kubernetes/controller-manager.conf', type: 'FileOrCreate', readOnly: true }],
        command: [
          'kube-controller-manager',
          '--allocate-node-cidrs=true',
          '--authentication-kubeconfig=/etc/kubernetes/controller-manager.conf',
          '--authorization-kubeconfig=/etc/kubernetes/controller-manager.conf',
          '--bind-address=127.0.0.1',
          `--client-ca-file=${pki}/ca.crt`,
          `--cluster-cidr=${podSubnet}`,
          `--cluster-name=${clusterName}`,
          `--cluster-signing-cert-file=${pki}/ca.crt`,
          `--cluster-signing-key-file=${pki}/ca.key`,
          '--controllers=*,bootstrapsigner,tokencleaner',
          '--kubeconfig=/etc/kubernetes/controller-manager.conf',
          '--leader-elect=true',
          `--requestheader-client-ca-file=${pki}/front-proxy-ca.crt`,
          `--root-ca-file=${pki}/ca.crt`,
          `--service-account-private-key-file=${pki}/sa.key`,
          `--service-cluster-ip-range=${serviceSubnet}`,
          '--use-service-account-credentials=true',
        ],
      }
    default:
      return {
        cpu: '100m',
        probePort: 10259,
        scheme: 'HTTPS',
        mounts: [{ name: 'kubeconfig', path: '/etc/kubernetes/scheduler.conf', type: 'FileOrCreate', readOnly: true }],
        command: [
          'kube-scheduler',
          '--authentication-kubeconfig=/etc/kubernetes/scheduler.conf',
          '--authorization-kubeconfig=/etc/kubernetes/scheduler.conf',
          '--bind-address=127.0.0.1',
          '--kubeconfig=/etc/kubernetes/scheduler.conf',
          '--leader-elect=true',
        ],
      }
  }
}

/** One static pod manifest as kubeadm writes it. */
export function manifestText(component: Component, options: ManifestOptions): string {
  const { command, cpu, memory, probePort, scheme, mounts } = specOf(component, options)
  const probe = { httpGet: { host: '127.0.0.1', path: '/healthz', port: probePort, scheme }, failureThreshold: 8, periodSeconds: 10, timeoutSeconds: 15 }
  const address =
    component === 'kube-apiserver'
      ? { annotations: { 'kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint': `${options.advertiseAddress}:6443` } }
      : component === 'etcd'
        ? { annotations: { 'kubeadm.kubernetes.io/etcd.advertise-client-urls': `https://${options.advertiseAddress}:2379` } }
        : {}
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...address, labels: { component, tier: 'control-plane' }, name: component, namespace: 'kube-system' },
      spec: {
        containers: [
          {
            command,
            image: componentImage(component, options.kubernetesVersion, options.imageRepository),
            imagePullPolicy: 'IfNotPresent',
            livenessProbe: probe,
            name: component,
            resources: { requests: { cpu, ...(memory === undefined ? {} : { memory }) } },
            volumeMounts: mounts.map(({ name, path, readOnly }) => ({ mountPath: path, name, ...(readOnly ? { readOnly } : {}) })),
          },
        ],
        hostNetwork: true,
        priority: 2_000_001_000,
        priorityClassName: 'system-node-critical',
        securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
        volumes: mounts.map(({ name, path, type }) => ({ hostPath: { path, type }, name })),
      },
    },
    { lineWidth: 0 },
  )
}

/** Writes the four manifests of a control-plane node. */
export function writeManifests(kubernetesDir: string, options: ManifestOptions): void {
  const directory = join(kubernetesDir, 'manifests')
  mkdirSync(directory, { recursive: true })
  for (const component of COMPONENTS) writeFileSync(join(directory, `${component}.yaml`), manifestText(component, options), { mode: 0o600 })
}
