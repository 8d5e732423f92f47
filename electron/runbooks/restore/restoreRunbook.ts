import type { RestorePlanNode } from '#shared/contract/runbooks.ts'
import type { ClusterApi } from '../clusterApi.ts'
import { runOnNode } from '../nodeShell/nodeCommand.ts'
import type { NodeShell, NodeShellFactory } from '../nodeShell/nodeShell.ts'
import type { Runbook, Step, StepContext } from '../runbook.ts'
import { CONTROL_PLANE_COMPONENTS, startCommand, stopAllCommand, STOPPED } from '../staticPods.ts'
import { until } from '../until.ts'
import { isReady } from '../upgrade/plan.ts'
import { placesOf, swapBackCommand, swapCommand } from './dataPlaces.ts'
import type { RestoreInput } from './restorePlan.ts'
import { uploadMember } from './uploadMember.ts'

/** What the backup of the present state brings back to the runbook. */
export interface SavedState {
  /** One line for the log: file and verdict. */
  line: string
  objectCounts: Record<string, number>
}

export interface RestoreDependencies {
  api(clusterId: string): Promise<ClusterApi>
  shell(clusterId: string): Promise<NodeShellFactory>
  save(clusterId: string, options: { signal: AbortSignal; sinceMs: number }): Promise<SavedState>
  /** Revision and HashKV of the etcd of each node, through SSH. */
  hashes(
    clusterId: string,
    nodes: readonly RestorePlanNode[],
    options: { signal: AbortSignal },
  ): Promise<{ node: string; revision: number; hash: number; members: number }[]>
}

/** etcd's documentation: about a week of 1,500 writes a second, so that no revision a client has seen comes again. */
const BUMP_REVISION = 1_000_000_000
const START_TIMEOUT_MS = 300_000
/** Kinds that change by themselves all the time. */
const RESTLESS = new Set([
  'events',
  'events.k8s.io',
  'leases',
  'coordination.k8s.io',
  'masterleases',
  'endpoints',
  'endpointslices',
  'pods',
  'controllerrevisions',
])

/** Restores etcd on every control-plane node from one backup: in place, the old data kept, control planes stopped meanwhile. */
export function restoreRunbook(dependencies: RestoreDependencies): Runbook<RestoreInput> {
  return {
    name: 'restore',
    title: () => 'Restore etcd',
    cluster: ({ clusterId, clusterName }) => ({ id: clusterId, name: clusterName }),
    steps: async (input) => {
      const shells = await dependencies.shell(input.clusterId)
      const addresses = new Map(input.nodes.map(({ name, address }) => [name, address]))
      // While the API server is down nobody else knows the addresses.
      const reach: NodeShellFactory = (node, options) => shells(node, { ...options, address: addresses.get(node) ?? node })
      const work: Work = { input, api: await dependencies.api(input.clusterId), shells: reach, dependencies }
      // Each is done on all nodes side by side, so that the cluster is down for no longer than one node takes, and on all before the next.
      const onEachNode = (group: string, step: (node: RestorePlanNode) => Step): Step[] =>
        input.nodes.map((node) => ({ ...step(node), lane: { group, name: node.name, parallel: input.nodes.length } }))
      const inPlace = (step: Step): Step => withState(step, (runId) => swappedState(input, runId))
      return [
        withState(savePresent(work), () => UNTOUCHED),
        ...onEachNode('upload', (node) => withState(upload(work, node), () => UNTOUCHED)),
        ...onEachNode('stop', (node) => withState(stop(work, node), () => stoppedState(node))),
        ...onEachNode('swap', (node) => withState(swap(work, node), (runId) => swapState(node, runId))),
        ...onEachNode('etcd', (node) => inPlace(startEtcd(work, node))),
        inPlace(quorum(work)),
        ...onEachNode('kube-apiserver', (node) => inPlace(startApiServer(work, node))),
        ...onEachNode('rest', (node) => inPlace(startRest(work, node))),
        inPlace(verify(work)),
      ]
    },
  }
}

interface Work {
  input: RestoreInput
  api: ClusterApi
  shells: NodeShellFactory
  dependencies: RestoreDependencies
}

/** The step, whose failure tells what state things are in and what can be done besides going on. */
function withState(step: Step, state: (runId: string) => string): Step {
  const told = (work: ((context: StepContext) => Promise<void>) | undefined): ((context: StepContext) => Promise<void>) | undefined =>
    work &&
    (async (context) => {
      try {
        await work(context)
      } catch (error) {
        context.signal.throwIfAborted()
        const text = error instanceof Error ? error.message : String(error)
        throw new Error(`${text.replace(/\.$/, '')}. ${state(context.runId)}`, { cause: error })
      }
    })
  const postcheck = told(step.postcheck)
  return { ...step, action: told(step.action) ?? step.action, ...(postcheck === undefined ? {} : { postcheck }) }
}

const UNTOUCHED = 'The present data and the control plane were not touched'

const stoppedState = ({ name, dataPath }: RestorePlanNode): string =>
  `The data in ${dataPath} on ${name} is as it was. What of its control plane is stopped already has its manifest in ${STOPPED}; workloads run on. Resume goes on from here; abort starts it again`

const swapState = (node: RestorePlanNode, runId: string): string => {
  const { data, dataAside } = placesOf(node, runId)
  return `The control plane on ${node.name} is stopped, its manifests are in ${STOPPED}; workloads run on. The old data is whole, in ${dataAside} or still in ${data}. Resume goes on from where it came to; abort puts the old data back and starts the control plane again`
}

/** From where the restored data is in place. */
const swappedState = ({ nodes }: RestoreInput, runId: string): string =>
  `The restored data is in place; the old data is whole, in ${nodes.map((node) => `${placesOf(node, runId).dataAside} on ${node.name}`).join(', ')}. What of the control plane does not run yet has its manifest in ${STOPPED}. Resume goes on from here; abort puts the old data back and starts the control plane again`

function savePresent({ input, dependencies }: Work): Step {
  return {
    id: 'present',
    title: 'Save what is there now, and read it whole',
    description: 'The way back from the restore itself. A backup counts only after it was verified.',
    commands: ['etcdctl snapshot save before-restore.db'],
    expectedMs: 3_000,
    action: async ({ signal, log, startedAtMs }) => {
      const { line, objectCounts } = await dependencies.save(input.clusterId, { signal, sinceMs: startedAtMs })
      log(line)
      for (const text of differences(objectCounts, input.backup.objectCounts)) log(`now against the backup: ${text}`)
    },
  }
}

function upload({ input, shells }: Work, node: RestorePlanNode): Step {
  const initialCluster = input.nodes.map(({ member, peerUrls }) => `${member}=${peerUrls}`).join(',')
  return {
    id: `${node.name}/upload`,
    title: `Bring the restored data to ${node.name}`,
    description: `A data directory is made from the backup, with ${String(BUMP_REVISION)} revisions added so that no watch misses a change, and is put beside the present one. etcd goes on meanwhile.`,
    commands: [
      `etcdutl snapshot restore BACKUP --name ${node.member} --initial-cluster ${initialCluster} --initial-cluster-token drydock-RUN --initial-advertise-peer-urls ${node.peerUrls} --bump-revision ${String(BUMP_REVISION)} --mark-compacted --data-dir ${placesOf(node, 'RUN').upload}`,
    ],
    expectedMs: 8_000,
    action: async ({ signal, log, runId }) => {
      const shell = await shells(node.name, { signal })
      try {
        const { revision, bytes } = await uploadMember(shell, {
          snapshot: input.backup.path,
          target: placesOf(node, runId).upload,
          membership: { name: node.member, initialCluster, initialClusterToken: `drydock-${runId}`, initialAdvertisePeerUrls: node.peerUrls },
          bumpRevision: BUMP_REVISION,
          signal,
        })
        log(`${node.name}: ${placesOf(node, runId).upload} holds revision ${String(revision)}, ${String(Math.ceil(bytes / 2 ** 20))} MiB`)
      } finally {
        shell.close()
      }
    },
    undo: async ({ signal, runId }) => {
      const { upload: brought } = placesOf(node, runId)
      await runAll(shells, node.name, `rm -rf ${brought} ${brought}.part`, signal)
    },
  }
}

function stop({ shells }: Work, node: RestorePlanNode): Step {
  const command = stopAllCommand()
  return {
    id: `${node.name}/stop`,
    title: `Stop the control plane on ${node.name}`,
    description:
      'Manifests leave the kubelet’s folder and the containers end. An API server that went on would serve its cache of the old data. Workloads run on.',
    commands: [command],
    expectedMs: 35_000,
    action: (context) => runOnNode(shells, node.name, [command], context),
    undo: async ({ signal, log }) => {
      await runAll(shells, node.name, startCommand(CONTROL_PLANE_COMPONENTS), signal)
      log(`the control plane on ${node.name} is started again`)
    },
  }
}

function swap({ shells }: Work, node: RestorePlanNode): Step {
  const { dataPath, kubeadmPath } = node
  return {
    id: `${node.name}/swap`,
    title: `Put the restored data in place on ${node.name}`,
    description: `The old data is kept as ${placesOf(node, 'RUN').dataAside}. ${dataPath === kubeadmPath ? 'The manifest stays as it is.' : `The manifest goes back to ${kubeadmPath}, where kubeadm expects the data.`}`,
    commands: [swapCommand(node, 'RUN')],
    expectedMs: 1_000,
    action: (context) => runOnNode(shells, node.name, [swapCommand(node, context.runId)], context),
    undo: async ({ signal, log, runId }) => {
      await runAll(shells, node.name, swapBackCommand(node, runId), signal)
      log(`${node.name} has its old data again`)
    },
  }
}

function startEtcd({ shells }: Work, node: RestorePlanNode): Step {
  const command = startCommand(['etcd'])
  return {
    id: `${node.name}/etcd`,
    title: `Start etcd on ${node.name}`,
    description: 'etcd first, on every node, before anything reads from it.',
    commands: [command],
    expectedMs: 3_000,
    action: (context) => runOnNode(shells, node.name, [command], context),
  }
}

function quorum({ input, dependencies }: Work): Step {
  return {
    id: 'quorum',
    title: 'Wait for a quorum, and for equal contents on every member',
    description: 'All members, the same revision, the same hash of keys and values.',
    commands: ['etcdctl endpoint status -w table', 'etcdctl endpoint hashkv --cluster'],
    expectedMs: 20_000,
    action: async (context) => {
      let told = 'none has answered'
      await until(context, `etcd on ${input.nodes.map(({ name }) => name).join(', ')}`, {
        timeoutMs: START_TIMEOUT_MS,
        holds: async () => {
          const hashes = await dependencies.hashes(input.clusterId, input.nodes, { signal: context.signal })
          told = hashes
            .map(({ node, revision, hash, members }) => `${node}: revision ${String(revision)}, hash ${String(hash)}, ${String(members)} members`)
            .join('; ')
          return (
            hashes.length === input.nodes.length &&
            // What was there before has a lower one: then the restored data is not what etcd reads.
            hashes.every(({ revision }) => revision >= BUMP_REVISION) &&
            new Set(hashes.map(({ revision, hash, members }) => `${String(revision)} ${String(hash)} ${String(members)}`)).size === 1 &&
            hashes[0]?.members === input.nodes.length
          )
        },
      }).catch((error: unknown) => {
        context.signal.throwIfAborted()
        throw new Error(
          `${error instanceof Error ? error.message : String(error)}. Last seen: ${told}. The restored revision is above ${String(BUMP_REVISION)}`,
          { cause: error },
        )
      })
      context.log(told)
    },
  }
}

function startApiServer({ shells, api }: Work, node: RestorePlanNode): Step {
  const command = startCommand(['kube-apiserver'])
  return {
    id: `${node.name}/kube-apiserver`,
    title: `Start the API server on ${node.name}`,
    description: 'It reads everything anew from the restored etcd.',
    commands: [command],
    expectedMs: 20_000,
    action: (context) => runOnNode(shells, node.name, [command], context),
    postcheck: (context) =>
      until(context, 'the API server to answer', { timeoutMs: START_TIMEOUT_MS, holds: async () => (await api.version(context.signal)) !== '' }),
  }
}

function startRest({ shells, api }: Work, node: RestorePlanNode): Step {
  const commands = [startCommand(['kube-controller-manager', 'kube-scheduler']), 'systemctl restart kubelet']
  return {
    id: `${node.name}/rest`,
    title: `Start controllers, scheduler and kubelet on ${node.name}`,
    description: 'The kubelet is restarted so that it lists its pods anew.',
    commands,
    expectedMs: 15_000,
    action: (context) => runOnNode(shells, node.name, commands, context),
    postcheck: (context) =>
      until(context, `the control plane's pods on ${node.name} to be ready`, {
        timeoutMs: START_TIMEOUT_MS,
        holds: async () => {
          const pods = await api.list(`/api/v1/namespaces/kube-system/pods?fieldSelector=spec.nodeName%3D${encodeURIComponent(node.name)}`, context.signal)
          return CONTROL_PLANE_COMPONENTS.every((component) => pods.some((pod) => pod.metadata.name === `${component}-${node.name}` && isReady(pod)))
        },
      }),
  }
}

function verify({ input, api, dependencies }: Work): Step {
  return {
    id: 'verify',
    title: 'Compare the cluster with the backup',
    description: 'Nodes renew their leases and are Ready; the objects of every kind are counted again from a fresh, verified snapshot.',
    commands: ['kubectl get nodes', 'kubectl get --raw /readyz?verbose', 'etcdctl snapshot save after-restore.db'],
    expectedMs: 30_000,
    action: async (context) => {
      const { signal, log, startedAtMs } = context
      // What the backup says of a node's health is from the past: its lease has to be renewed now.
      await until(context, `${input.readyNodes.join(', ')} to renew their leases and be Ready`, {
        timeoutMs: START_TIMEOUT_MS,
        holds: async () => {
          const [nodes, leases] = [
            await api.list('/api/v1/nodes', signal),
            await api.list('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', signal),
          ]
          const renewed = (name: string): boolean =>
            Date.parse((leases.find(({ metadata }) => metadata.name === name)?.['spec'] as { renewTime?: string } | undefined)?.renewTime ?? '') >= startedAtMs
          return input.readyNodes.every((name) => {
            const node = nodes.find(({ metadata }) => metadata.name === name)
            // A node that joined after the backup was made is not in it: its kubelet registers again, or has to join again.
            return node === undefined ? true : isReady(node) && renewed(name)
          })
        },
      })
      const names = new Set((await api.list('/api/v1/nodes', signal)).map(({ metadata }) => metadata.name))
      for (const name of input.readyNodes) if (!names.has(name)) log(`node ${name} is not in the backup: join it again, or restart its kubelet`)
      const { line, objectCounts } = await dependencies.save(input.clusterId, { signal, sinceMs: startedAtMs })
      log(line)
      const different = differences(objectCounts, input.backup.objectCounts)
      for (const text of different) log(`now against the backup: ${text}`)
      if (different.length === 0) log('every kind of objects that does not change by itself has as many as the backup')
    },
  }
}

/** Kinds whose numbers differ, those aside that change by themselves. */
function differences(now: Readonly<Record<string, number>>, backup: Readonly<Record<string, number>>): string[] {
  return [...new Set([...Object.keys(now), ...Object.keys(backup)])]
    .filter((kind) => !RESTLESS.has(kind.split('/').at(-1) ?? kind) && (now[kind] ?? 0) !== (backup[kind] ?? 0))
    .sort()
    .map((kind) => `${kind}: ${String(now[kind] ?? 0)}, in the backup ${String(backup[kind] ?? 0)}`)
}

async function runAll(shells: NodeShellFactory, node: string, command: string, signal: AbortSignal): Promise<void> {
  const shell: NodeShell = await shells(node, { signal })
  try {
    const { exitCode, stderr } = await shell.run(command, { signal })
    if (exitCode !== 0) throw new Error(`«${command}» on ${node} ended with exit code ${String(exitCode)}: ${stderr.trim()}`)
  } finally {
    shell.close()
  }
}
