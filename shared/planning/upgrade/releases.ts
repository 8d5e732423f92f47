import table from './releases.json' with { type: 'json' }

/** What kubeadm of a release deploys beside the control plane. */
export interface Release {
  /** `v1.36.4` */
  version: string
  /** Image tags of registry.k8s.io/etcd and registry.k8s.io/coredns/coredns. */
  etcd: string
  coredns: string
}

/** Known releases, oldest first. */
export const RELEASES: readonly Release[] = table.releases

/** Whether a version was released: any patch of a minor up to the last that is known. */
export function isReleased(version: string): boolean {
  const [, minor = '', patch = ''] = /^v?1\.(\d+)\.(\d+)$/.exec(version) ?? []
  if (minor === '') return false
  const newest = RELEASES.find((release) => minorOfVersion(release.version) === Number(minor))
  const last = newest === undefined ? (table.lastPatches as Record<string, number | undefined>)[minor] : Number(newest.version.split('.')[2])
  return last !== undefined && Number(patch) <= last
}

export function minorOfVersion(version: string): number {
  return Number(/^v?1\.(\d+)/.exec(version)?.[1] ?? Number.NaN)
}

/** What kubeadm of a version deploys: the table's release of the same minor, else the nearest. */
export function releaseOf(version: string): Release {
  const minor = minorOfVersion(version)
  const nearest = RELEASES.toSorted((a, b) => Math.abs(minorOfVersion(a.version) - minor) - Math.abs(minorOfVersion(b.version) - minor))[0]
  if (nearest === undefined) throw new Error('the table of releases is empty')
  return { ...nearest, version }
}
