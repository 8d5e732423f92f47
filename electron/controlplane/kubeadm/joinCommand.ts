import { createHash, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { minorOfVersion } from '#shared/planning/upgrade/releases.ts'
import { KubeadmError } from './flags.ts'

/** Lines that go on are set in by a tab since then, so that nothing of it is left in one line. */
const FIRST_WITH_TABS = 22

/** How a node's own admin.conf reaches the cluster. */
export interface ClusterAccess {
  /** `host:port` */
  endpoint: string
  /** PEM. */
  ca: string
}

/** @throws KubeadmError where the file is not, as on workers */
export function clusterAccess(rootDir: string): ClusterAccess {
  const file = join(rootDir, 'etc/kubernetes/admin.conf')
  if (!existsSync(file)) throw new KubeadmError('failed to load admin kubeconfig: open /etc/kubernetes/admin.conf: no such file or directory')
  const text = readFileSync(file, 'utf8')
  const server = /^\s+server: https:\/\/(\S+)$/m.exec(text)?.[1] ?? ''
  const ca = /certificate-authority-data: (\S+)/.exec(text)?.[1] ?? ''
  if (server === '' || ca === '') throw new KubeadmError('failed to get default cluster config')
  return { endpoint: server, ca: Buffer.from(ca, 'base64').toString('utf8') }
}

/** `sha256:…` of a certificate's public key (RFC 7469). */
export function publicKeyPin(certificate: string): string {
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${createHash('sha256').update(key).digest('hex')}`
}

/** As `init` prints it, over several lines. */
export function joinCommand(
  { endpoint, ca }: ClusterAccess,
  { token, kubeadm, controlPlane = null }: { token: string; kubeadm: string; controlPlane?: { certificateKey: string | null } | null },
): string {
  const indent = minorOfVersion(kubeadm) < FIRST_WITH_TABS ? '    ' : '\t'
  const own =
    controlPlane === null
      ? ''
      : `\\\n${indent}--control-plane ${controlPlane.certificateKey === null ? '' : `--certificate-key ${controlPlane.certificateKey}`}`
  return `kubeadm join ${endpoint} --token ${token} \\\n${indent}--discovery-token-ca-cert-hash ${publicKeyPin(ca)} ${own}`
}

/** The same in one line, as `token create --print-join-command` prints it. */
export const oneLine = (command: string): string => command.replaceAll('\\\n', '').replaceAll('\t', '')
