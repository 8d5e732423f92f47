import type { PodScheduling } from '#shared/contract/objects.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { isForbidden, isNotFound } from '#shared/kubernetes/status.ts'
import { AffinityTerms } from '#shared/planning/scheduling/affinity.ts'
import { decisionOf, findNodes, type SchedulingDecision, type SchedulingOutcome } from '#shared/planning/scheduling/decision.ts'
import { prepareCycle, type CycleState, type SchedulingView } from '#shared/planning/scheduling/filters.ts'
import { NodeInfo } from '#shared/planning/scheduling/nodeInfo.ts'
import { isFinished, nodeNameOf } from '#shared/planning/scheduling/pod.ts'
import {
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  SERVICES,
  STATEFUL_SETS,
  STORAGE_CLASSES,
} from '../client/resources.ts'
import type { RestClient } from '../client/restClient.ts'

/** Objects of a list at a time. */
const PAGE = 5_000

/**
 * The scheduler's own record of the pod where the API server has one to give; elsewhere the default profile's rules are applied to
 * the cluster as it is now.
 */
export async function explainScheduling(
  client: RestClient,
  { namespace, name, nowMs }: { namespace: string; name: string; nowMs: number },
  signal: AbortSignal,
): Promise<PodScheduling> {
  const pod = await client.get(PODS, { namespace, name }, signal)
  const recorded = await recordOf(client, pod, signal)
  if (recorded !== null) return { recorded: true, decision: recorded }
  const version = await client.raw('/version', signal)
  const minor = isObject(version) ? Number.parseInt(String(version['minor']), 10) : Number.NaN
  if (!Number.isInteger(minor)) throw new Error('the cluster does not tell its version, so its scheduling rules are not known')
  const { state, outcome } = await placementOf(client, pod, { minor }, signal)
  return { recorded: false, decision: decisionOf(state, outcome, { at: new Date(nowMs).toISOString(), attempt: 0, node: null, preemption: null }) }
}

async function recordOf(client: RestClient, { metadata }: KubeObject, signal: AbortSignal): Promise<SchedulingDecision | null> {
  const query = new URLSearchParams({ namespace: metadata.namespace ?? '', name: metadata.name ?? '' })
  try {
    const found = await client.raw(`/debug/scheduler/decision?${query.toString()}`, signal)
    // A pod of the same name that is gone had a record of its own.
    return isObject(found) && found['uid'] === metadata.uid ? (found as unknown as SchedulingDecision) : null
  } catch (error) {
    if (isNotFound(error) || isForbidden(error)) return null
    throw error
  }
}

/** Which nodes would take a pod, as the default profile of a release decides in the cluster as its API server has it. */
export async function placementOf(
  client: Pick<RestClient, 'list'>,
  pod: KubeObject,
  { minor }: { minor: number },
  signal: AbortSignal,
): Promise<{ state: CycleState; outcome: SchedulingOutcome }> {
  const namespace = pod.metadata.namespace ?? ''
  const list = (gvr: GroupVersionResource, within?: string): Promise<KubeObject[]> => listAll(client, { gvr, namespace: within }, signal)
  const [nodes = [], pods = [], namespaces = [], volumes = [], classes = []] = await Promise.all(
    [NODES, PODS, NAMESPACES, PERSISTENT_VOLUMES, STORAGE_CLASSES].map((gvr) => list(gvr)),
  )
  const [claims = [], services = [], replicationControllers = [], replicaSets = [], statefulSets = []] = await Promise.all(
    [PERSISTENT_VOLUME_CLAIMS, SERVICES, REPLICATION_CONTROLLERS, REPLICA_SETS, STATEFUL_SETS].map((gvr) => list(gvr, namespace)),
  )
  const named = (objects: readonly KubeObject[], name: string): KubeObject | undefined => objects.find(({ metadata }) => metadata.name === name)
  const namespaceLabels = (name: string): Record<string, string> => named(namespaces, name)?.metadata.labels ?? {}
  const view: SchedulingView = {
    namespaceLabels,
    terms: new AffinityTerms(namespaceLabels),
    workloads: () => ({ services, replicationControllers, replicaSets, statefulSets }),
    volumes: {
      claim: (_, name) => named(claims, name),
      volume: (name) => named(volumes, name),
      volumes: () => volumes,
      storageClass: (name) => named(classes, name),
    },
    minor,
  }
  const infos = new Map(nodes.map((node) => [node.metadata.name ?? '', new NodeInfo(node)]))
  for (const other of pods) if (other.metadata.uid !== pod.metadata.uid && !isFinished(other)) infos.get(nodeNameOf(other))?.add(other)
  const state = prepareCycle(pod, [...infos.values()], view)
  return { state, outcome: findNodes(state, state.nodes) }
}

async function listAll(
  client: Pick<RestClient, 'list'>,
  { gvr, namespace }: { gvr: GroupVersionResource; namespace?: string | undefined },
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const objects: KubeObject[] = []
  let from = ''
  do {
    const page = await client.list(gvr, { namespace, limit: PAGE, continue: from }, signal)
    objects.push(...page.items)
    from = page.metadata.continue ?? ''
  } while (from !== '')
  return objects
}
