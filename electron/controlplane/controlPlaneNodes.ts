import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { issueCertificate } from '#electron/pki/certificate.ts'
import { AUTHORITIES, ensureKubernetesPki, leafTemplate, readAuthority, writeKeyed } from '#electron/pki/kubernetesPki.ts'
import type { NodePlan } from './simulatedNode.ts'

/** The first address of kubeadm's default service subnet. */
export const KUBERNETES_SERVICE_ADDRESS = '10.96.0.1'
export const DNS_DOMAIN = 'cluster.local'

interface PkiOptions {
  plan: NodePlan
  clusterName: string
  nowMs: number
  /** Only the node that `kubeadm init` ran on has a super-admin.conf. */
  superAdmin: boolean
}

/** Makes a control-plane node's PKI, with new authorities where its directory has none. */
export function preparePki(kubernetesDir: string, { plan, clusterName, nowMs, superAdmin }: PkiOptions): void {
  ensureKubernetesPki({
    kubernetesDir,
    nodeName: plan.name,
    advertiseAddress: plan.address,
    serviceAddress: KUBERNETES_SERVICE_ADDRESS,
    dnsDomain: DNS_DOMAIN,
    clusterName,
    apiUrl: 'https://127.0.0.1:6443',
    certSans: ['localhost', '127.0.0.1'],
    algorithm: 'ECDSA-P256',
    nowMs,
    superAdmin,
  })
  // etcd's clients here come from outside the node: they get a certificate like kubeadm's health check's.
  const healthcheck = join(kubernetesDir, 'pki/etcd/healthcheck-client')
  if (!existsSync(`${healthcheck}.crt`))
    writeKeyed(
      healthcheck,
      issueCertificate(
        leafTemplate('etcd-healthcheck-client', {
          nodeName: plan.name,
          advertiseAddress: plan.address,
          serviceAddress: KUBERNETES_SERVICE_ADDRESS,
          dnsDomain: DNS_DOMAIN,
          certSans: [],
          nowMs,
        }),
        readAuthority(kubernetesDir, 'etcd-ca'),
        'ECDSA-P256',
      ),
    )
}

/** As `kubeadm join --control-plane`: the first node's authorities and service account keys, and leaf certificates of its own. */
export function joinControlPlane(kubernetesDir: string, { from, ...options }: Omit<PkiOptions, 'superAdmin'> & { from: string }): void {
  const shared = [...AUTHORITIES.flatMap(({ path }) => [`${path}.crt`, `${path}.key`]), 'pki/sa.key', 'pki/sa.pub']
  for (const file of shared) {
    const own = join(kubernetesDir, file)
    if (existsSync(own) || !existsSync(join(from, file))) continue
    mkdirSync(dirname(own), { recursive: true, mode: 0o700 })
    copyFileSync(join(from, file), own)
  }
  preparePki(kubernetesDir, { ...options, superAdmin: false })
}

/** Releases of the API servers of several nodes: clients reach the newest of them, as through a load balancer that prefers it. */
export class NodeVersions {
  readonly #versions = new Map<string, string>()

  /** Notes a node's release. @returns the newest of all */
  newestWith(node: string, version: string): string {
    this.#versions.set(node, version)
    const numbers = (text: string): number[] => text.replace(/^v/, '').split('.').map(Number)
    return [...this.#versions.values()].reduce((newest, each) => {
      const [a, b] = [numbers(newest), numbers(each)]
      const index = a.findIndex((value, at) => value !== b[at])
      return index >= 0 && (b[index] ?? 0) > (a[index] ?? 0) ? each : newest
    })
  }
}
