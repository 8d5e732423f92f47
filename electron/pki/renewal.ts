import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { decodeCertificate, issueCertificate, type KeyAlgorithm } from './certificate.ts'
import { replaceEmbeddedUser } from './kubeconfig.ts'
import { AUTHORITIES, LEAF_LIFETIME_MS, LEAVES, readAuthority, writeKeyed, type LeafSpec } from './kubernetesPki.ts'
import { readLeaf } from './inventory.ts'

/** What became of one certificate. */
export type RenewalOutcome = { name: string; longName: string; result: 'renewed' | 'missing' | 'externally managed' }

/** kubeadm's certificate of that name (`apiserver`, `admin.conf` …), or undefined. */
export function findLeaf(name: string): LeafSpec | undefined {
  return LEAVES.find((spec) => spec.name === name)
}

/**
 * Renews one certificate with a new key, unconditionally: subject, names and usages are those of the existing one, as
 * `kubeadm certs renew` does. The component that serves it goes on with the old one until it is restarted.
 */
export function renewCertificate(kubernetesDir: string, spec: LeafSpec, { nowMs, algorithm }: { nowMs: number; algorithm: KeyAlgorithm }): RenewalOutcome {
  const outcome = (result: RenewalOutcome['result']): RenewalOutcome => ({ name: spec.name, longName: spec.longName, result })
  const current = readLeaf(kubernetesDir, spec)
  if (current === null) return outcome('missing')
  const authorityPath = AUTHORITIES.find(({ name }) => name === spec.authority)?.path ?? spec.authority
  if (!existsSync(join(kubernetesDir, `${authorityPath}.key`))) return outcome('externally managed')
  const { subject, dnsNames, ipAddresses, usages } = decodeCertificate(current)
  const renewed = issueCertificate(
    { subject, dnsNames, ipAddresses, usages, isCa: false, notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + LEAF_LIFETIME_MS },
    readAuthority(kubernetesDir, spec.authority),
    algorithm,
  )
  if (spec.kubeconfig) replaceEmbeddedUser(join(kubernetesDir, spec.path), renewed)
  else writeKeyed(join(kubernetesDir, spec.path), renewed)
  return outcome('renewed')
}
