import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
import type { NodeShell } from '../nodeShell/nodeShell.ts'

const DAY_MS = 24 * 3600 * 1000
/** An upgrade renews leaf certificates; one that ends before it is done stops it. */
const SOON_MS = 7 * DAY_MS
/** An authority is not renewed by kubeadm. */
const AUTHORITY_SOON_MS = 180 * DAY_MS

/** What `kubeadm certs check-expiration` tells that an upgrade should know. */
export async function certificateFindings(
  shell: NodeShell,
  { name, nowMs, signal }: { name: string; nowMs: number; signal: AbortSignal },
): Promise<UpgradeFinding[]> {
  const { exitCode, stdout, stderr } = await shell.run('kubeadm certs check-expiration', { signal })
  if (exitCode !== 0) return [{ level: 'warning', title: `the certificates on ${name} could not be read`, cure: stderr.trim() || stdout.trim() }]
  return readExpirations(stdout).flatMap(({ certificate, notAfterMs, isAuthority, missing }): UpgradeFinding[] => {
    if (missing)
      return certificate === 'super-admin.conf'
        ? []
        : [
            {
              level: 'warning',
              title: `${certificate} is missing on ${name}`,
              cure: 'kubeadm cannot renew what is not there: kubeadm init phase certs, or kubeconfig.',
            },
          ]
    const left = notAfterMs - nowMs
    if (left < 0)
      return [
        {
          level: 'blocking',
          title: `${certificate} on ${name} has expired`,
          cure: isAuthority
            ? 'Replace the authority by hand: upstream’s "Manual Rotation of CA Certificates".'
            : 'Renew the certificates first: the Certificates page, or drydock certs renew.',
        },
      ]
    if (left < (isAuthority ? AUTHORITY_SOON_MS : SOON_MS))
      return [
        {
          level: 'warning',
          title: `${certificate} on ${name} ends in ${String(Math.floor(left / DAY_MS))} days`,
          cure: isAuthority ? 'kubeadm never renews an authority: plan its rotation.' : 'The upgrade renews it; do not stop half way.',
        },
      ]
    return []
  })
}

export interface Expiration {
  certificate: string
  notAfterMs: number
  isAuthority: boolean
  missing: boolean
}

/** The rows of kubeadm's two tables. */
export function readExpirations(text: string): Expiration[] {
  let isAuthority = false
  return text.split('\n').flatMap((line): Expiration[] => {
    if (line.startsWith('CERTIFICATE AUTHORITY')) isAuthority = true
    const missing = /^!MISSING! (\S+)/.exec(line)
    if (missing !== null) return [{ certificate: missing[1] ?? '', notAfterMs: 0, isAuthority, missing: true }]
    const row = /^(\S+)\s+([A-Z][a-z]{2} \d{2}, \d{4} \d{2}:\d{2}) UTC\s/.exec(line)
    return row === null ? [] : [{ certificate: row[1] ?? '', notAfterMs: Date.parse(`${row[2] ?? ''} UTC`), isAuthority, missing: false }]
  })
}
