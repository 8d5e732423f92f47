import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import { minorOfVersion } from '#shared/planning/upgrade/releases.ts'
import { NODES } from '#electron/client/resources.ts'
import { decodeCertificate } from '#electron/pki/certificate.ts'
import { AUTHORITIES, ensureKubernetesPki, LEAVES, readKeyed, type KubernetesPkiOptions } from '#electron/pki/kubernetesPki.ts'
import type { BootstrapClient } from './bootstrapClient.ts'
import { KubeadmError } from './flags.ts'
import { COMPONENTS, writeManifests } from './manifests.ts'
import type { NodeProgramsOptions } from './nodePrograms.ts'
import { openCerts } from './uploadedCerts.ts'

const DNS_DOMAIN = 'cluster.local'
const LAST_WITH_MASTER_TAINT = 24
const LAST_WITH_MASTER_LABEL = 23
const FIRST_WITH_BALANCER_LABEL = 21
/** As kubeadm makes them. */
const ORDER = ['apiserver', 'apiserver-kubelet-client', 'front-proxy-client', 'etcd/server', 'etcd/peer', 'etcd/healthcheck-client', 'apiserver-etcd-client']

/** `control-plane-prepare/download-certs`. */
export async function downloadCerts(
  client: BootstrapClient,
  { out, rootDir, certificateKey }: { out(text: string): void; rootDir: string; certificateKey: string },
): Promise<void> {
  out('[download-certs] Downloading the certificates in Secret "kubeadm-certs" in the "kube-system" Namespace\n')
  const secret = await client.get('/api/v1/namespaces/kube-system/secrets/kubeadm-certs')
  if (secret === null)
    throw new KubeadmError(
      'error execution phase control-plane-prepare/download-certs: error downloading certs: error downloading the secret: Secret "kubeadm-certs" was not found in the "kube-system" Namespace. This Secret might have expired. Please, run `kubeadm init phase upload-certs --upload-certs` on a control plane to generate a new one',
    )
  openCerts(secret, { pkiDir: join(rootDir, 'etc/kubernetes/pki'), certificateKey })
}

/** Certificates, kubeconfigs and manifests of a further control-plane node; what is there stays. */
export function createControlPlaneFiles(
  { out, nowMs }: { out(text: string): void; nowMs: number },
  options: NodeProgramsOptions,
  { server, version }: { server: string; version: string },
): void {
  const { rootDir, node, manifestOptions } = options
  const kubernetesDir = join(rootDir, 'etc/kubernetes')
  out('[certs] Using certificateDir folder "/etc/kubernetes/pki"\n')
  const missing = LEAVES.filter(({ kubeconfig, path }) => !kubeconfig && !existsSync(join(kubernetesDir, `${path}.crt`)))
  ensureKubernetesPki({ ...clusterOptions(options), apiUrl: server, kubernetesDir, nowMs, superAdmin: false })
  for (const name of ORDER) if (missing.some(({ path }) => path === `pki/${name}`)) describeCertificate(out, kubernetesDir, `pki/${name}`)
  out('[certs] Valid certificates and keys now exist in "/etc/kubernetes/pki"\n[certs] Using the existing "sa" key\n')
  out('[kubeconfig] Generating kubeconfig files\n[kubeconfig] Using kubeconfig folder "/etc/kubernetes"\n')
  for (const file of ['admin.conf', 'controller-manager.conf', 'scheduler.conf']) out(`[kubeconfig] Writing "${file}" kubeconfig file\n`)
  out('[control-plane] Using manifest folder "/etc/kubernetes/manifests"\n')
  writeManifests(kubernetesDir, { ...manifestOptions, kubernetesVersion: version, nodeName: node.name })
  for (const component of COMPONENTS) if (component !== 'etcd') out(`[control-plane] Creating static Pod manifest for "${component}"\n`)
}

/** What certificates of this node have in common. */
export function clusterOptions({
  node,
  manifestOptions,
  apiUrl,
}: NodeProgramsOptions): Omit<KubernetesPkiOptions, 'kubernetesDir' | 'nowMs' | 'superAdmin' | 'only'> {
  return {
    nodeName: node.name,
    advertiseAddress: manifestOptions.advertiseAddress,
    serviceAddress: firstAddress(manifestOptions.serviceSubnet),
    dnsDomain: DNS_DOMAIN,
    clusterName: manifestOptions.clusterName,
    apiUrl,
    certSans: ['localhost', '127.0.0.1'],
    algorithm: 'ECDSA-P256',
  }
}

/** The lines that kubeadm prints of a certificate it made. @param path below /etc/kubernetes, without its ending */
export function describeCertificate(out: (text: string) => void, kubernetesDir: string, path: string): void {
  const name = path.replace(/^pki\//, '')
  out(`[certs] Generating "${name}" certificate and key\n`)
  const { dnsNames, ipAddresses } = decodeCertificate(readKeyed(join(kubernetesDir, path)).certificate)
  if (dnsNames.length + ipAddresses.length > 0 && AUTHORITIES.every((authority) => authority.path !== path))
    out(`[certs] ${name} serving cert is signed for DNS names [${dnsNames.join(' ')}] and IPs [${ipAddresses.join(' ')}]\n`)
}

/** The first address of the service range: the `kubernetes` service. */
function firstAddress(subnet: string): string {
  return subnet.replace(/\d+\/\d+$/, (end) => String(Number(end.split('/')[0]) + 1))
}

/** `control-plane-join/mark-control-plane`: labels and taints of the node's role. */
export async function markControlPlane(
  { out, signal }: { out(text: string): void; clock: Clock; signal: AbortSignal },
  { admin, node }: NodeProgramsOptions,
  kubeadm: string,
): Promise<void> {
  const minor = minorOfVersion(kubeadm)
  const role = (name: string): string => `node-role.kubernetes.io/${name}`
  const balancers = 'node.kubernetes.io/exclude-from-external-load-balancers'
  const labels = [...(minor > LAST_WITH_MASTER_LABEL ? [] : [role('master')]), role('control-plane'), ...(minor < FIRST_WITH_BALANCER_LABEL ? [] : [balancers])]
  const keys = [...(minor <= LAST_WITH_MASTER_TAINT ? [role('master')] : []), ...(minor >= LAST_WITH_MASTER_TAINT ? [role('control-plane')] : [])]
  const shown =
    minor < FIRST_WITH_BALANCER_LABEL
      ? `labels "${role('master')}=''" and "${role('control-plane')}='' (deprecated)"`
      : `labels: [${labels.map((label) => (label === role('master') ? `${label}(deprecated)` : label)).join(' ')}]`
  out(`[mark-control-plane] Marking the node ${node.name} as control-plane by adding the ${shown}\n`)
  out(`[mark-control-plane] Marking the node ${node.name} as control-plane by adding the taints [${keys.map((key) => `${key}:NoSchedule`).join(' ')}]\n`)
  const object = await admin.get(NODES, { name: node.name }, signal)
  const spec = isObject(object['spec']) ? object['spec'] : {}
  const there = Array.isArray(spec['taints']) ? spec['taints'].filter(isObject) : []
  const taints = [...there, ...keys.filter((key) => !there.some((taint) => taint['key'] === key)).map((key) => ({ key, effect: 'NoSchedule' }))]
  await admin.patch(
    NODES,
    { name: node.name },
    { metadata: { labels: Object.fromEntries(labels.map((label) => [label, ''])) }, spec: { taints } },
    { type: 'merge' },
    signal,
  )
}
