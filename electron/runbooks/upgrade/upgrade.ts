import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ClusterApi } from '../clusterApi.ts'
import { cordon, drain, isDrained } from '../drain/drain.ts'
import { runOnNode } from '../nodeShell/nodeCommand.ts'
import type { NodeShellFactory } from '../nodeShell/nodeShell.ts'
import type { Runbook, Step } from '../runbook.ts'
import { until } from '../until.ts'
import { awaitComponents, componentState, COMPONENT_TIMEOUT_MS, UPGRADED_COMPONENTS } from './componentHealth.ts'
import { isControlPlane, isReady, kubeletVersion, makePlan, readFacts, staticPod, UNKNOWN_IMAGE } from './plan.ts'

export interface UpgradeInput {
  clusterId: string
  clusterName: string
  targetVersion: string
  /** Names at the time of planning, in the order of work; control plane first. */
  controlPlaneNodes: string[]
  workerNodes: string[]
  /** Workers that are drained and upgraded side by side. @default 1 */
  parallelWorkers?: number
  /** Why it was started though something stands in the way; '' when nothing does. */
  waiver: string
}

/** What the runbook needs of the rest of the application. */
export interface UpgradeDependencies {
  api(clusterId: string): Promise<ClusterApi>
  shell(clusterId: string): Promise<NodeShellFactory>
  /** What else stands in the way, read from the nodes, etcd and the API server's own counts. */
  preflight(clusterId: string, versions: { currentVersion: string; targetVersion: string; signal: AbortSignal }): Promise<UpgradeFinding[]>
  /** Saves and verifies a snapshot of the cluster's etcd, unless one was saved since then. @returns one line that names the file and its verdict */
  backup(clusterId: string, options: { signal: AbortSignal; log: (text: string) => void; sinceMs: number }): Promise<string>
}

/** The drain of an upgrade, as upstream's instructions have it. */
const DRAIN = { deleteEmptyDirData: true, overrides: [] }

/** Reads the nodes now and fixes the order of work. */
export async function upgradeInput(
  api: ClusterApi,
  cluster: { id: string; name: string },
  { targetVersion, waiver, parallelWorkers }: { targetVersion: string; waiver: string; parallelWorkers: number },
  signal: AbortSignal,
): Promise<UpgradeInput> {
  const facts = await readFacts(api, signal)
  makePlan(facts, targetVersion)
  const names = (nodes: KubeObject[]): string[] => nodes.map(({ metadata }) => metadata.name ?? '').sort()
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    targetVersion,
    waiver,
    parallelWorkers,
    controlPlaneNodes: names(facts.nodes.filter(isControlPlane)),
    workerNodes: names(facts.nodes.filter((node) => !isControlPlane(node))),
  }
}

/** The guided kubeadm upgrade: order and commands as in upstream's "Upgrading kubeadm clusters". */
export function upgradeRunbook(dependencies: UpgradeDependencies): Runbook<UpgradeInput> {
  return {
    name: 'upgrade',
    title: ({ targetVersion }) => `Upgrade to ${targetVersion}`,
    cluster: ({ clusterId, clusterName }) => ({ id: clusterId, name: clusterName }),
    subject: ({ targetVersion }) => targetVersion,
    steps: async (input) => {
      const work = {
        input,
        api: await dependencies.api(input.clusterId),
        shell: await dependencies.shell(input.clusterId),
        backup: dependencies.backup,
        preflight: dependencies.preflight,
      }
      return [
        preflight(work),
        saveBackup(work),
        ...input.controlPlaneNodes.flatMap((node, index) => [applyOnControlPlane(work, node, index === 0), ...kubeletSteps(work, node)]),
        ...input.workerNodes.flatMap((node) =>
          [upgradeWorker(work, node), ...kubeletSteps(work, node)].map((step) => ({
            ...step,
            lane: { group: 'workers', name: node, parallel: input.parallelWorkers ?? 1 },
          })),
        ),
        verify(work),
      ]
    },
  }
}

interface Work {
  input: UpgradeInput
  api: ClusterApi
  shell: NodeShellFactory
  backup: UpgradeDependencies['backup']
  preflight: UpgradeDependencies['preflight']
}

/** Debian package version pattern of a release, as upstream's instructions write it. */
const packageVersion = (version: string): string => `${version.replace(/^v/, '')}-*`

function preflight({ input, api, preflight: readRest }: Work): Step {
  return {
    id: 'preflight',
    title: 'Check that the cluster can be upgraded',
    description: 'Reads versions, health, budgets, removed APIs, etcd, and on each node disk, certificates and the etcd manifest. Nothing is changed.',
    commands: ['kubectl get nodes', 'kubeadm upgrade plan'],
    expectedMs: 2_000,
    action: async ({ signal, log }) => {
      const { findings: own, currentVersion } = makePlan(await readFacts(api, signal), input.targetVersion)
      const findings = [...own, ...(await readRest(input.clusterId, { currentVersion, targetVersion: input.targetVersion, signal }))]
      for (const { level, title } of findings) log(`${level}: ${title}`)
      const blocking = findings.filter(({ level }) => level === 'blocking')
      if (blocking.length > 0 && input.waiver !== '') log(`waived: ${input.waiver}`)
      else if (blocking.length > 0) throw new Error(blocking.map(({ title, cure }) => `${title}. ${cure}`).join(' '))
    },
  }
}

function saveBackup({ input, backup }: Work): Step {
  return {
    id: 'backup',
    title: 'Back up etcd and read the backup whole',
    description: 'The way back, should a later step fail. A backup counts only after it was verified.',
    commands: ['etcdctl snapshot save before-upgrade.db', 'etcdutl snapshot status before-upgrade.db -w table'],
    expectedMs: 3_000,
    action: async ({ signal, log, startedAtMs }) => {
      log(await backup(input.clusterId, { signal, log, sinceMs: startedAtMs }))
    },
  }
}

function applyOnControlPlane(work: Work, node: string, first: boolean): Step {
  const { input, api } = work
  const upgrade = first ? `kubeadm upgrade apply ${input.targetVersion} -y` : 'kubeadm upgrade node'
  const allAtTarget = async (signal: AbortSignal): Promise<boolean> => {
    const pods = await api.list('/api/v1/namespaces/kube-system/pods', signal)
    return UPGRADED_COMPONENTS.every((component) => componentState(staticPod(pods, component, node), input.targetVersion).state === 'good')
  }
  return {
    id: `${node}/control-plane`,
    title: `Upgrade the control plane on ${node}`,
    description: 'kubeadm writes new manifests one by one; the kubelet restarts each component. API calls may stall for some seconds.',
    commands: [
      `apt-mark unhold kubeadm && apt-get update && apt-get install -y kubeadm='${packageVersion(input.targetVersion)}' && apt-mark hold kubeadm`,
      upgrade,
    ],
    expectedMs: 20_000,
    isDone: ({ signal }) => allAtTarget(signal),
    action: async (context) => {
      await runOnNode(
        work.shell,
        node,
        [`apt-mark unhold kubeadm && apt-get update && apt-get install -y kubeadm='${packageVersion(input.targetVersion)}' && apt-mark hold kubeadm`, upgrade],
        context,
      )
    },
    postcheck: (context) => awaitComponents(context, api, { node, version: input.targetVersion }),
  }
}

function upgradeWorker(work: Work, node: string): Step {
  const { input } = work
  const commands = [
    `apt-mark unhold kubeadm && apt-get update && apt-get install -y kubeadm='${packageVersion(input.targetVersion)}' && apt-mark hold kubeadm`,
    'kubeadm upgrade node',
  ]
  return {
    id: `${node}/kubeadm`,
    title: `Upgrade the kubelet configuration on ${node}`,
    description: 'Rewrites the kubelet configuration from the cluster. The kubelet itself still runs the old version.',
    commands,
    expectedMs: 4_000,
    action: async (context) => {
      await runOnNode(work.shell, node, commands, context)
    },
  }
}

/** Drain, new kubelet, restart, uncordon: the same on every node. */
function kubeletSteps(work: Work, node: string): Step[] {
  const { input, api } = work
  const install = `apt-mark unhold kubelet kubectl && apt-get install -y kubelet='${packageVersion(input.targetVersion)}' kubectl='${packageVersion(input.targetVersion)}' && apt-mark hold kubelet kubectl`
  const restart = 'systemctl daemon-reload && systemctl restart kubelet'
  const path = `/api/v1/nodes/${encodeURIComponent(node)}`
  const upgraded = async (signal: AbortSignal): Promise<boolean> => {
    const object = await api.get(path, signal)
    return kubeletVersion(object) === input.targetVersion && isReady(object)
  }
  return [
    {
      id: `${node}/drain`,
      title: `Drain ${node}`,
      description: 'Pods are evicted through the API, so their disruption budgets hold; a refused eviction is tried again.',
      commands: [`kubectl drain ${node} --ignore-daemonsets --delete-emptydir-data`],
      expectedMs: 15_000,
      isDone: ({ signal }) => isDrained(api, { node, options: DRAIN }, signal),
      action: (context) => drain(api, { node, options: DRAIN }, context),
      undo: ({ signal }) => cordon(api, node, false, signal),
    },
    {
      id: `${node}/kubelet`,
      title: `Upgrade the kubelet on ${node}`,
      description: 'Installs the packages and restarts the kubelet. The node may be NotReady for a moment.',
      commands: [install, restart],
      expectedMs: 8_000,
      isDone: ({ signal }) => upgraded(signal),
      action: (context) => runOnNode(work.shell, node, [install, restart], context),
      postcheck: (context) =>
        until(context, `node ${node} to be Ready with kubelet ${input.targetVersion}`, {
          timeoutMs: COMPONENT_TIMEOUT_MS,
          holds: () => upgraded(context.signal),
        }),
    },
    {
      id: `${node}/uncordon`,
      title: `Let ${node} take pods again`,
      description: 'The scheduler may place pods there from now on.',
      commands: [`kubectl uncordon ${node}`],
      expectedMs: 500,
      action: async ({ signal, log }) => {
        await cordon(api, node, false, signal)
        log(`node/${node} uncordoned`)
      },
    },
  ]
}

function verify({ input, api }: Work): Step {
  return {
    id: 'verify',
    title: 'Verify the whole cluster',
    description: 'Every node Ready with the new kubelet, the API server and the addons at their new versions.',
    commands: ['kubectl version', 'kubectl get nodes'],
    expectedMs: 2_000,
    action: async (context) => {
      const { signal, log } = context
      await until(context, `every node to be Ready at ${input.targetVersion}`, {
        timeoutMs: COMPONENT_TIMEOUT_MS,
        holds: async () => (await api.list('/api/v1/nodes', signal)).every((node) => isReady(node) && kubeletVersion(node) === input.targetVersion),
      })
      const facts = await readFacts(api, signal)
      if (facts.serverVersion !== input.targetVersion) throw new Error(`the API server says ${facts.serverVersion}, not ${input.targetVersion}`)
      const behind = makePlan({ ...facts, serverVersion: previousOf(input.targetVersion) }, input.targetVersion).controlPlane.filter(
        ({ current, target }) => current !== target && target !== UNKNOWN_IMAGE,
      )
      for (const { component, node, current, target } of behind)
        log(`${component}${node === '' ? '' : ` on ${node}`} is at ${current || 'no known version'}, expected ${target}`)
      const proxies = behind.filter(({ component }) => component === 'kube-proxy')
      if (proxies.length > 0) throw new Error('kube-proxy was not upgraded. Run kubeadm upgrade apply again on the first control-plane node')
      for (const node of facts.nodes) log(`${node.metadata.name ?? ''} Ready ${kubeletVersion(node)}`)
    },
  }
}

/** A version from which the target is one step, so that the finished cluster can be read in the plan's own table. */
function previousOf(version: string): string {
  return version.replace(/\d+$/, (patch) => String(Math.max(0, Number(patch) - 1)))
}
