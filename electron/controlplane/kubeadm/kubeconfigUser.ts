import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { issueCertificate } from '#electron/pki/certificate.ts'
import { formatKubeconfig } from '#electron/pki/kubeconfig.ts'
import { LEAF_LIFETIME_MS, readAuthority } from '#electron/pki/kubernetesPki.ts'
import { goDuration, KubeadmError, readFlags } from './flags.ts'
import { clusterAccess } from './joinCommand.ts'

const BACKDATE_MS = 300_000

/** `kubeadm kubeconfig user`: a kubeconfig of one more user, on standard output. */
export function kubeconfigUser(args: readonly string[], { rootDir, clusterName, nowMs }: { rootDir: string; clusterName: string; nowMs: number }): string {
  const flags = readFlags(args, { values: ['client-name', 'org', 'token', 'validity-period'] })
  const commonName = flags.value('client-name')
  if (commonName === undefined) throw new KubeadmError('required flag(s) "client-name" not set')
  const { endpoint, ca } = clusterAccess(rootDir)
  const common = { clusterName, server: `https://${endpoint}`, caCertificate: ca, userName: commonName }
  const token = flags.value('token')
  if (token !== undefined) return formatKubeconfig({ ...common, user: { token } })
  const kubernetesDir = join(rootDir, 'etc/kubernetes')
  if (!existsSync(join(kubernetesDir, 'pki/ca.key')))
    throw new KubeadmError(
      'couldn\'t create a kubeconfig; the CA files couldn\'t be loaded: couldn\'t load existing "ca" certificate authority from "/etc/kubernetes/pki"',
    )
  const lifetime = flags.value('validity-period')
  const user = issueCertificate(
    {
      subject: { commonName, organizations: flags.has('org') ? flags.list('org') : [] },
      isCa: false,
      dnsNames: [],
      ipAddresses: [],
      usages: ['clientAuth'],
      notBeforeMs: nowMs - BACKDATE_MS,
      notAfterMs: nowMs + (lifetime === undefined ? LEAF_LIFETIME_MS : goDuration(lifetime, 'validity-period')),
    },
    readAuthority(kubernetesDir, 'ca'),
    'ECDSA-P256',
  )
  return formatKubeconfig({ ...common, user })
}
