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
