import { minorOfVersion, releaseOf, RELEASES } from '#shared/planning/upgrade/releases.ts'
import { readFlags } from './flags.ts'
import { COMPONENTS, componentImage, REGISTRY } from './manifests.ts'

const FIRST_WITH_NESTED_COREDNS = 21

/** The first release of each sandbox image, newest first. */
const PAUSE: readonly (readonly [number, string])[] = [
  [34, '3.10.1'],
  [31, '3.10'],
  [26, '3.9'],
  [25, '3.8'],
  [24, '3.7'],
  [23, '3.6'],
  [22, '3.5'],
  [21, '3.4.1'],
  [0, '3.2'],
]

/** `kubeadm config images list`: what a control-plane node of a release needs, one a line. */
export function listImages(args: readonly string[], kubeadm: string, out: (text: string) => void): void {
  const flags = readFlags(args, {
    values: ['kubernetes-version', 'image-repository', 'feature-gates', 'experimental-output', 'o', 'output'],
    switches: ['allow-missing-template-keys'],
  })
  const asked = flags.value('kubernetes-version')
  const version = asked === undefined || /^(stable|latest)/.test(asked) ? kubeadm : `v${asked.replace(/^v/, '')}`
  for (const image of imagesOf(version, flags.value('image-repository') ?? REGISTRY)) out(`${image}\n`)
}

export function imagesOf(version: string, repository = REGISTRY): string[] {
  const minor = minorOfVersion(version)
  const { coredns } = releaseOf(version)
  const own = COMPONENTS.filter((component) => component !== 'etcd').map((component) => componentImage(component, version, repository))
  const dns = `${repository}/${minor < FIRST_WITH_NESTED_COREDNS ? 'coredns' : 'coredns/coredns'}:${coredns}`
  const pause = `${repository}/pause:${PAUSE.find(([first]) => minor >= first)?.[1] ?? ''}`
  const etcd = componentImage('etcd', version, repository)
  // CoreDNS moved before the sandbox image with the releases of the table.
  const rest = minor < minorOfVersion(RELEASES[0]?.version ?? '') ? [pause, etcd, dns] : [dns, pause, etcd]
  return [...own, `${repository}/kube-proxy:${version}`, ...rest]
}
