import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { KeyedCertificate } from './certificate.ts'

export interface KubeconfigContent {
  clusterName: string
  server: string
  /** PEM. */
  caCertificate: string
  userName: string
  user: KeyedCertificate | { certificateFile: string } | { token: string }
}

/** A kubeconfig with one cluster, user and context, in the order of fields kubeadm writes; readable by its owner only. */
export function writeKubeconfig(path: string, content: KubeconfigContent): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, formatKubeconfig(content), { mode: 0o600 })
}

export function formatKubeconfig({ clusterName, server, caCertificate, userName, user }: KubeconfigContent): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const credentials =
    'certificateFile' in user
      ? `    client-certificate: ${user.certificateFile}\n    client-key: ${user.certificateFile}\n`
      : 'token' in user
        ? `    token: ${user.token}\n`
        : `    client-certificate-data: ${base64(user.certificate)}\n    client-key-data: ${base64(user.key)}\n`
  return `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${base64(caCertificate)}
    server: ${server}
  name: ${clusterName}
contexts:
- context:
    cluster: ${clusterName}
    user: ${userName}
  name: ${userName}@${clusterName}
current-context: ${userName}@${clusterName}
kind: Config
preferences: {}
users:
- name: ${userName}
  user:
${credentials}`
}

/** The client certificate and key embedded in a kubeconfig of one user; null when it has none. */
export function readEmbeddedUser(path: string): KeyedCertificate | null {
  const text = readFileSync(path, 'utf8')
  const certificate = /client-certificate-data: (\S+)/.exec(text)?.[1]
  const key = /client-key-data: (\S+)/.exec(text)?.[1]
  if (certificate === undefined || key === undefined) return null
  return { certificate: Buffer.from(certificate, 'base64').toString(), key: Buffer.from(key, 'base64').toString() }
}

/** Puts another client certificate and key into a kubeconfig of one user; everything else stays as it is. */
export function replaceEmbeddedUser(path: string, { certificate, key }: KeyedCertificate): void {
  const text = readFileSync(path, 'utf8')
    .replace(/(client-certificate-data: )\S+/, `$1${Buffer.from(certificate).toString('base64')}`)
    .replace(/(client-key-data: )\S+/, `$1${Buffer.from(key).toString('base64')}`)
  writeFileSync(path, text, { mode: 0o600 })
}

/** Points a kubeconfig of one cluster at another address, as after a restart on another port. */
export function replaceServer(path: string, server: string): void {
  const text = readFileSync(path, 'utf8')
  const changed = text.replace(/^(\s+server: )\S+$/m, `$1${server}`)
  if (changed !== text) writeFileSync(path, changed, { mode: 0o600 })
}
