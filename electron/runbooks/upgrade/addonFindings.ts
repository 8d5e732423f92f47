import { parse } from 'yaml'
import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { RELEASES } from '#shared/planning/upgrade/releases.ts'
import type { ClusterApi } from '../clusterApi.ts'
import { imageTag } from './plan.ts'
import { compareVersions, parseVersion } from './version.ts'

const SYSTEM = '/apis/apps/v1/namespaces/kube-system'
/** kubeadm's label of its CoreDNS. */
const DNS = `${SYSTEM}/deployments?labelSelector=k8s-app%3Dkube-dns`

/** What becomes of CoreDNS and kube-proxy: kubeadm upgrades its own, and leaves or brings back what was pinned, changed or taken away. */
export async function addonFindings(api: ClusterApi, { targetVersion, signal }: { targetVersion: string; signal: AbortSignal }): Promise<UpgradeFinding[]> {
  const [dns, proxy, config] = await Promise.all([
    api.list(DNS, signal),
    orNull(api.get(`${SYSTEM}/daemonsets/kube-proxy`, signal)),
    orNull(api.get('/api/v1/namespaces/kube-system/configmaps/kubeadm-config', signal)),
  ])
  const text = (config?.['data'] as Record<string, string> | undefined)?.['ClusterConfiguration'] ?? ''
  return [...dnsFindings(dns, { targetVersion, clusterConfiguration: text }), ...proxyFindings(proxy, targetVersion)]
}

async function orNull(answer: Promise<KubeObject>): Promise<KubeObject | null> {
  return answer.catch((error: unknown) => {
    if (isNotFound(error)) return null
    throw error
  })
}

export function dnsFindings(
  deployments: readonly KubeObject[],
  { targetVersion, clusterConfiguration }: { targetVersion: string; clusterConfiguration: string },
): UpgradeFinding[] {
  const pinned = pinnedTag(clusterConfiguration)
  const brings = RELEASES.find(({ version }) => version === targetVersion)?.coredns
  if (pinned !== '')
    return [
      {
        level: 'warning',
        title: `CoreDNS is pinned to ${pinned} in kubeadm's configuration (dns.imageTag)${brings === undefined ? '' : `; ${targetVersion} brings ${brings}`}: the upgrade leaves it there`,
        cure: 'Take imageTag out of ConfigMap kube-system/kubeadm-config to have it upgraded too.',
      },
    ]
  const [own, ...others] = deployments
  if (own === undefined)
    return [
      {
        level: 'warning',
        title: 'there is no CoreDNS with kubeadm’s label k8s-app=kube-dns: the upgrade installs one beside what serves DNS here',
        cure: 'kubeadm upgrade apply --skip-phases=addon/coredns leaves it out (since 1.32); before, take the new one away afterwards.',
      },
    ]
  if (others.length > 0)
    return [
      {
        level: 'warning',
        title: `${String(deployments.length)} Deployments have kubeadm's label k8s-app=kube-dns: kubeadm refuses to choose one`,
        cure: `Keep the label on one of ${deployments.map(({ metadata }) => metadata.name ?? '').join(', ')}.`,
      },
    ]
  const [now, then] = [parseVersion(imageTag(own)), parseVersion(brings ?? '')]
  if (now === null || then === null || compareVersions(now, then) <= 0) return []
  return [
    {
      level: 'warning',
      title: `CoreDNS ${imageTag(own)} is newer than the ${brings ?? ''} that ${targetVersion} brings: the upgrade takes it back`,
      cure: 'Pin it by dns.imageTag in ConfigMap kube-system/kubeadm-config, or accept it: a Corefile with newer plugins may not load.',
    },
  ]
}

function pinnedTag(clusterConfiguration: string): string {
  try {
    const configuration: unknown = parse(clusterConfiguration)
    const dns = isObject(configuration) ? configuration['dns'] : undefined
    return isObject(dns) && typeof dns['imageTag'] === 'string' ? dns['imageTag'] : ''
  } catch {
    // What cannot be read is told of where the etcd path is compared.
    return ''
  }
}

function proxyFindings(proxy: KubeObject | null, targetVersion: string): UpgradeFinding[] {
  if (proxy === null)
    return [
      {
        level: 'warning',
        title: 'there is no kube-proxy here: the upgrade installs it, beside what takes its place (e.g. Cilium)',
        cure: 'kubeadm upgrade apply --skip-phases=addon/kube-proxy leaves it out (since 1.32); before, delete the DaemonSet afterwards.',
      },
    ]
  const [now, target] = [parseVersion(imageTag(proxy)), parseVersion(targetVersion)]
  if (now === null || target === null || compareVersions(now, target) <= 0) return []
  return [
    {
      level: 'blocking',
      title: `kube-proxy ${imageTag(proxy)} is newer than ${targetVersion}: it must never be newer than the API server`,
      cure: 'Set its image to the version of the control plane first.',
    },
  ]
}
