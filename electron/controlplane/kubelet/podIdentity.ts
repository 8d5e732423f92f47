import type { Pod } from './types.ts'

const DOMAIN = 'cluster.local'
const DNS_ADDRESS = '10.96.0.10'
/** The kernel takes no longer name. */
const MAX_HOSTNAME = 63
/** More name servers and search domains than these are left out. */
const MAX_NAMESERVERS = 3

/** What `hostname` answers in the pod's containers. */
export function hostnameOf({ metadata, spec }: Pod, node: string): string {
  if (spec.hostNetwork === true) return node
  const short = (spec.hostname ?? metadata.name ?? '').slice(0, MAX_HOSTNAME).replace(/[-.]+$/, '')
  const domain = domainOf({ metadata, spec })
  return spec.setHostnameAsFQDN === true && domain !== null ? `${short}.${domain}` : short
}

function domainOf({ metadata, spec }: Pick<Pod, 'metadata' | 'spec'>): string | null {
  return (spec.subdomain ?? '') === '' ? null : `${spec.subdomain ?? ''}.${metadata.namespace ?? 'default'}.svc.${DOMAIN}`
}

/**
 * `/etc/hosts` of the pod's containers.
 *
 * @param nodeHosts the node's own file, which a pod in the node's network sees
 * @see kubernetes pkg/kubelet/kubelet_pods.go
 */
export function hostsFile(pod: Pod, { podIP, node, nodeHosts }: { podIP: string; node: string; nodeHosts: string }): string {
  const { spec } = pod
  const aliases = (spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}\n`)
  const added = aliases.length === 0 ? '' : `\n# Entries added by HostAliases.\n${aliases.join('')}`
  if (spec.hostNetwork === true) return `# Kubernetes-managed hosts file (host network).\n${nodeHosts}${added}`
  const domain = domainOf(pod)
  const short = (spec.hostname ?? pod.metadata.name ?? node).slice(0, MAX_HOSTNAME)
  const own = domain === null ? `${podIP}\t${short}\n` : `${podIP}\t${short}.${domain}\t${short}\n`
  const fixed = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
  ]
  return `# Kubernetes-managed hosts file.\n${fixed.join('\n')}\n${own}${added}`
}

/** `/etc/resolv.conf` by the pod's DNS policy and configuration. */
export function resolvFile({ metadata, spec }: Pod, nodeResolv: string): string {
  const { dnsPolicy = 'ClusterFirst', dnsConfig = {}, hostNetwork } = spec
  const lines = nodeResolv.split('\n').map((line) => line.trim().split(/\s+/))
  const ofNode = (word: string): string[] => lines.filter(([first]) => first === word).flatMap(([, ...rest]) => rest)
  const namespace = metadata.namespace ?? 'default'
  let [nameservers, searches, options] = [ofNode('nameserver'), ofNode('search'), ofNode('options')]
  if (dnsPolicy === 'None') [nameservers, searches, options] = [[], [], []]
  else if (dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && hostNetwork !== true)) {
    nameservers = [DNS_ADDRESS]
    searches = [`${namespace}.svc.${DOMAIN}`, `svc.${DOMAIN}`, DOMAIN, ...searches]
    options = ['ndots:5']
  }
  nameservers = [...new Set([...nameservers, ...(dnsConfig.nameservers ?? [])])].slice(0, MAX_NAMESERVERS)
  searches = [...new Set([...searches, ...(dnsConfig.searches ?? [])])]
  const named = new Map(options.map((option) => [option.split(':')[0] ?? '', option]))
  for (const { name, value } of dnsConfig.options ?? []) named.set(name, value === undefined || value === '' ? name : `${name}:${value}`)
  return [
    ...(searches.length === 0 ? [] : [`search ${searches.join(' ')}`]),
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(named.size === 0 ? [] : [`options ${[...named.values()].join(' ')}`]),
    '',
  ].join('\n')
}
