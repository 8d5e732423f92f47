import type { UpgradeFinding, UpgradePlan, UpgradePlanRow } from '#shared/contract/runbooks.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ClusterApi } from '../clusterApi.ts'
import { RELEASES } from '#shared/planning/upgrade/releases.ts'
import { compareVersions, parseVersion } from './version.ts'

export interface Release {
  version: string
  etcd: string
  coredns: string
}

/** What a plan is made from, read in one go. */
export interface ClusterFacts {
  serverVersion: string
  nodes: KubeObject[]
  systemPods: KubeObject[]
  daemonSets: KubeObject[]
  deployments: KubeObject[]
  budgets: KubeObject[]
}

const CONTROL_PLANE_LABEL = 'node-role.kubernetes.io/control-plane'
/** Label of control-plane nodes before 1.24. */
const MASTER_LABEL = 'node-role.kubernetes.io/master'
const STATIC_COMPONENTS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'] as const

/** Shown for what only the kubeadm of a release that is not in the catalogue knows. */
export const UNKNOWN_IMAGE = "kubeadm's own"

/** Minors that a kubelet may be behind the API server (version skew policy, from 1.28 on). */
const KUBELET_SKEW_MINORS = 3

export async function readFacts(api: ClusterApi, signal: AbortSignal): Promise<ClusterFacts> {
  const [serverVersion, nodes, systemPods, daemonSets, deployments, budgets] = await Promise.all([
    api.version(signal),
    api.list('/api/v1/nodes', signal),
    api.list('/api/v1/namespaces/kube-system/pods', signal),
    api.list('/apis/apps/v1/namespaces/kube-system/daemonsets', signal),
    api.list('/apis/apps/v1/namespaces/kube-system/deployments', signal),
    // policy/v1 came with 1.21.
    api.list('/apis/policy/v1/poddisruptionbudgets', signal).catch(() => api.list('/apis/policy/v1beta1/poddisruptionbudgets', signal)),
  ])
  return { serverVersion, nodes, systemPods, daemonSets, deployments, budgets }
}

export function isControlPlane(node: KubeObject): boolean {
  const labels = node.metadata.labels ?? {}
  return CONTROL_PLANE_LABEL in labels || MASTER_LABEL in labels
}

export function kubeletVersion(node: KubeObject): string {
  return (node['status'] as { nodeInfo?: { kubeletVersion?: string } } | undefined)?.nodeInfo?.kubeletVersion ?? ''
}

export function isReady(object: KubeObject): boolean {
  const conditions = (object['status'] as { conditions?: { type: string; status: string }[] } | undefined)?.conditions ?? []
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
}

/** Tag of a component's first container image, '' when there is none. */
export function imageTag(object: KubeObject | undefined): string {
  const spec = object?.['spec'] as { containers?: { image?: string }[]; template?: { spec?: { containers?: { image?: string }[] } } } | undefined
  const image = (spec?.containers ?? spec?.template?.spec?.containers ?? [])[0]?.image ?? ''
  return /:([^/:@]+)(?:@.*)?$/.exec(image)?.[1] ?? ''
}

/** The static pod of a component on a node, by kubeadm's name for it. */
export function staticPod(pods: KubeObject[], component: string, node: string): KubeObject | undefined {
  return pods.find(({ metadata }) => metadata.name === `${component}-${node}`)
}

/** Releases that may be taken next: the newest patch of this minor, and the newest of the next. Newest first. */
export function offersFor(current: string, releases: readonly Release[] = RELEASES): Release[] {
  const version = parseVersion(current)
  if (version === null) return []
  return releases
    .filter((release) => {
      const candidate = parseVersion(release.version)
      return (
        candidate !== null &&
        candidate.major === version.major &&
        (candidate.minor === version.minor || candidate.minor === version.minor + 1) &&
        compareVersions(candidate, version) > 0
      )
    })
    .reverse()
}

/** The plan in kubeadm's tables, with what stands in the way. @throws StatusError Invalid when the target cannot be taken from here */
export function makePlan(facts: ClusterFacts, targetVersion?: string, releases: readonly Release[] = RELEASES): UpgradePlan {
  const offers = offersFor(facts.serverVersion, releases)
  const target =
    targetVersion === undefined
      ? offers[0]
      : (offers.find(({ version }) => version === targetVersion) ?? uncatalogued(facts.serverVersion, targetVersion, releases))
  if (targetVersion !== undefined && target === undefined)
    throw new StatusError(
      failure(
        422,
        'Invalid',
        `${targetVersion} cannot be taken from ${facts.serverVersion}: kubeadm upgrades one minor at a time. Offered: ${offers.map(({ version }) => version).join(', ') || 'nothing newer is known'}`,
      ),
    )
  const plan: UpgradePlan = {
    currentVersion: facts.serverVersion,
    targetVersion: target?.version ?? facts.serverVersion,
    offers: offers.map(({ version }) => ({
      version,
      title: parseVersion(version)?.minor === parseVersion(facts.serverVersion)?.minor ? `newest patch of this minor` : 'newest patch of the next minor',
    })),
    manual: [],
    controlPlane: [],
    findings: [],
  }
  if (target === undefined)
    return { ...plan, findings: [{ level: 'note', title: `${facts.serverVersion} is the newest version in the catalogue`, cure: 'Nothing to do.' }] }
  return { ...plan, manual: kubeletRows(facts, target), controlPlane: controlPlaneRows(facts, target), findings: findingsOf(facts, target) }
}

/** A version the catalogue does not have, but kubeadm would take from here; null when it would not. */
function uncatalogued(current: string, target: string, releases: readonly Release[]): Release | undefined {
  const [from, to] = [parseVersion(current), parseVersion(target)]
  if (from === null || to === null || to.major !== from.major || compareVersions(to, from) <= 0 || to.minor > from.minor + 1) return undefined
  const sibling = releases.find(({ version }) => parseVersion(version)?.minor === to.minor)
  return { version: target, etcd: sibling?.etcd ?? UNKNOWN_IMAGE, coredns: sibling?.coredns ?? UNKNOWN_IMAGE }
}

function kubeletRows({ nodes }: ClusterFacts, target: Release): UpgradePlanRow[] {
  return nodes.map((node) => ({ component: 'kubelet', node: node.metadata.name ?? '', current: kubeletVersion(node), target: target.version }))
}

function controlPlaneRows({ nodes, systemPods, daemonSets, deployments }: ClusterFacts, target: Release): UpgradePlanRow[] {
  const controlPlane = nodes.filter(isControlPlane).map(({ metadata }) => metadata.name ?? '')
  const rows = STATIC_COMPONENTS.flatMap((component) =>
    controlPlane.map((node) => ({
      component,
      node,
      current: imageTag(staticPod(systemPods, component, node)),
      target: component === 'etcd' ? target.etcd : target.version,
    })),
  )
  const kubeProxy = daemonSets.find(({ metadata }) => metadata.name === 'kube-proxy')
  const coredns = deployments.find(({ metadata }) => metadata.name === 'coredns')
  return [
    ...rows,
    { component: 'kube-proxy', node: '', current: imageTag(kubeProxy), target: target.version },
    { component: 'CoreDNS', node: '', current: imageTag(coredns), target: target.coredns },
  ]
}

function findingsOf({ nodes, systemPods, budgets, serverVersion }: ClusterFacts, target: Release): UpgradeFinding[] {
  const findings: UpgradeFinding[] = []
  const wanted = parseVersion(target.version)
  for (const node of nodes) {
    const name = node.metadata.name ?? ''
    if (!isReady(node)) findings.push({ level: 'blocking', title: `node ${name} is not Ready`, cure: `Look at its conditions: kubectl describe node ${name}` })
    if ((node['spec'] as { unschedulable?: boolean } | undefined)?.unschedulable === true)
      findings.push({
        level: 'warning',
        title: `node ${name} is cordoned and will be uncordoned by the upgrade`,
        cure: `kubectl uncordon ${name}, or upgrade without it`,
      })
    const kubelet = parseVersion(kubeletVersion(node))
    if (kubelet !== null && wanted !== null && wanted.minor - kubelet.minor > KUBELET_SKEW_MINORS)
      findings.push({
        level: 'blocking',
        title: `kubelet ${kubeletVersion(node)} on ${name} would be more than ${String(KUBELET_SKEW_MINORS)} minors behind ${target.version}`,
        cure: 'Upgrade this kubelet first.',
      })
  }
  const missing = nodes
    .filter(isControlPlane)
    .flatMap((node) =>
      STATIC_COMPONENTS.filter((component) => staticPod(systemPods, component, node.metadata.name ?? '') === undefined).map(
        (component) => `${component} on ${node.metadata.name ?? ''}`,
      ),
    )
  if (!nodes.some(isControlPlane))
    findings.push({
      level: 'blocking',
      title: 'no node is labelled as control plane',
      cure: 'Only clusters made by kubeadm can be upgraded here; a managed control plane is upgraded by its provider.',
    })
  for (const component of missing)
    findings.push({
      level: 'blocking',
      title: `no static pod ${component}`,
      cure: 'kubeadm upgrades static pods only. Check /etc/kubernetes/manifests on the node.',
    })
  for (const pod of systemPods.filter(
    (candidate) => STATIC_COMPONENTS.some((component) => candidate.metadata.name?.startsWith(`${component}-`) === true) && !isReady(candidate),
  ))
    findings.push({
      level: 'blocking',
      title: `${pod.metadata.name ?? ''} is not ready`,
      cure: `kubectl -n kube-system describe pod ${pod.metadata.name ?? ''}`,
    })
  for (const budget of budgets) {
    const status = budget['status'] as { disruptionsAllowed?: number; desiredHealthy?: number; expectedPods?: number } | undefined
    if (status?.disruptionsAllowed !== 0 || (status.expectedPods ?? 0) === 0) continue
    const wantsAll = (status.desiredHealthy ?? 0) >= (status.expectedPods ?? 0)
    if (wantsAll)
      findings.push({
        level: 'blocking',
        title: `budget ${budget.metadata.namespace ?? ''}/${budget.metadata.name ?? ''} wants all ${String(status.expectedPods)} of its pods: a drain would wait for it for ever`,
        cure: 'Add a replica, or relax the budget while the nodes are drained.',
      })
    else
      findings.push({
        level: 'warning',
        title: `budget ${budget.metadata.namespace ?? ''}/${budget.metadata.name ?? ''} allows no eviction now: a drain will wait for it`,
        cure: 'Add a replica, or wait until its pods are healthy.',
      })
  }
  if (target.etcd === UNKNOWN_IMAGE)
    findings.push({
      level: 'note',
      title: `${target.version} is not in the catalogue of releases`,
      cure: 'Which etcd and CoreDNS it brings is known to its kubeadm alone: compare with `kubeadm upgrade plan` on the node.',
    })
  if (parseVersion(serverVersion)?.minor !== wanted?.minor)
    findings.push({
      level: 'note',
      title: 'a minor cannot be taken back',
      cure: 'The way back is the etcd snapshot taken in the first step, with the old packages and manifests.',
    })
  return findings
}
