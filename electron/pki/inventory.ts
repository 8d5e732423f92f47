import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeCertificate } from './certificate.ts'
import { readEmbeddedUser } from './kubeconfig.ts'
import { AUTHORITIES, LEAVES, type LeafSpec } from './kubernetesPki.ts'

/** One line of `kubeadm certs check-expiration`. */
export interface CertificateExpiry {
  /** kubeadm's name. */
  name: string
  /** Empty for certificates inside kubeconfigs, as kubeadm prints it. */
  authority: string
  /** null when the file is missing. */
  notAfterMs: number | null
  /** The authority's key is not on this node, so kubeadm cannot renew. */
  externallyManaged: boolean
}

/** Expiry of every certificate kubeadm manages under `/etc/kubernetes`; super-admin.conf is left out where it never was. */
export function readInventory(kubernetesDir: string): { leaves: CertificateExpiry[]; authorities: CertificateExpiry[] } {
  const external = (authority: string): boolean =>
    !existsSync(join(kubernetesDir, `${AUTHORITIES.find(({ name }) => name === authority)?.path ?? authority}.key`))
  return {
    leaves: LEAVES.filter((spec) => spec.name !== 'super-admin.conf' || existsSync(join(kubernetesDir, spec.path))).map((spec) => ({
      name: spec.name,
      authority: spec.kubeconfig ? '' : spec.authority,
      notAfterMs: expiryOf(readLeaf(kubernetesDir, spec)),
      externallyManaged: external(spec.authority),
    })),
    authorities: AUTHORITIES.map(({ name, path }) => ({
      name,
      authority: '',
      notAfterMs: expiryOf(readIfThere(join(kubernetesDir, `${path}.crt`))),
      externallyManaged: external(name),
    })),
  }
}

/** kubeadm's two tables. Missing certificates read `!MISSING! name`. */
export function formatInventory({ leaves, authorities }: ReturnType<typeof readInventory>, nowMs: number): string {
  const cells = (one: CertificateExpiry): { name: string; expires: string; residual: string; managed: string } =>
    one.notAfterMs === null
      ? { name: `!MISSING! ${one.name}`, expires: '', residual: '', managed: '' }
      : {
          name: one.name,
          expires: formatExpiry(one.notAfterMs),
          residual: formatResidual(one.notAfterMs - nowMs),
          managed: one.externallyManaged ? 'yes' : 'no',
        }
  const first = leaves.map((one) => {
    const { name, expires, residual, managed } = cells(one)
    return [name, expires, residual, one.notAfterMs === null ? '' : one.authority, managed]
  })
  const second = authorities.map((one) => {
    const { name, expires, residual, managed } = cells(one)
    return [name, expires, residual, managed]
  })
  return `${table([['CERTIFICATE', 'EXPIRES', 'RESIDUAL TIME', 'CERTIFICATE AUTHORITY', 'EXTERNALLY MANAGED'], ...first])}\n${table([['CERTIFICATE AUTHORITY', 'EXPIRES', 'RESIDUAL TIME', 'EXTERNALLY MANAGED'], ...second])}`
}

/** `Jan 02, 2006 15:04 UTC`. */
export function formatExpiry(atMs: number): string {
  const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
  const at = new Date(atMs)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${months[at.getUTCMonth()] ?? ''} ${two(at.getUTCDate())}, ${String(at.getUTCFullYear())} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())} UTC`
}

/** apimachinery's ShortHumanDuration: one unit, rounded down; `<invalid>` in the past. */
export function formatResidual(leftMs: number): string {
  const seconds = Math.floor(leftMs / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 60) return `${String(seconds)}s`
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))}m`
  const hours = Math.floor(seconds / 3600)
  if (hours < 24) return `${String(hours)}h`
  return hours < 24 * 365 ? `${String(Math.floor(hours / 24))}d` : `${String(Math.floor(hours / 24 / 365))}y`
}

/** PEM of one of kubeadm's leaves, or null when it is not there. */
export function readLeaf(kubernetesDir: string, spec: LeafSpec): string | null {
  if (!spec.kubeconfig) return readIfThere(join(kubernetesDir, `${spec.path}.crt`))
  const path = join(kubernetesDir, spec.path)
  return existsSync(path) ? (readEmbeddedUser(path)?.certificate ?? null) : null
}

function readIfThere(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}

function expiryOf(pem: string | null): number | null {
  return pem === null ? null : decodeCertificate(pem).notAfterMs
}

/** text/tabwriter with a padding of three, each cell ended by a tab: trailing cells are padded too. */
function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map(
      (row, index) =>
        `${row.map((cell, column) => (index === 0 && column === row.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + (column === row.length - 1 ? -10 : 3)))).join('')}\n`,
    )
    .join('')
}
