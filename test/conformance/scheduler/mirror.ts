import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { AffinityTerms } from '#shared/planning/scheduling/affinity.ts'
import { findNodes, type SchedulingOutcome } from '#shared/planning/scheduling/decision.ts'
import { fitErrorMessage, prepareCycle, type SchedulingView } from '#shared/planning/scheduling/filters.ts'
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
} from '#electron/client/resources.ts'
import type { RestClient } from '#electron/client/restClient.ts'

export interface Expected extends SchedulingOutcome {
  message: string
}

/** What Drydock's plugins decide for a pod, in the cluster as an API server has it. */
export async function decide(client: RestClient, pod: KubeObject, signal: AbortSignal): Promise<Expected> {
  const list = async (gvr: GroupVersionResource): Promise<KubeObject[]> => (await client.list(gvr, {}, signal)).items
  const [nodes, pods, namespaces, claims, volumes, classes] = await Promise.all(
    [NODES, PODS, NAMESPACES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES].map(list),
  )
  const [services = [], replicationControllers = [], replicaSets = [], statefulSets = []] = await Promise.all(
    [SERVICES, REPLICATION_CONTROLLERS, REPLICA_SETS, STATEFUL_SETS].map(list),
  )
  const named = (objects: KubeObject[] | undefined, name: string, namespace?: string): KubeObject | undefined =>
    objects?.find(({ metadata }) => metadata.name === name && (namespace === undefined || metadata.namespace === namespace))
  const namespaceLabels = (name: string): Record<string, string> => named(namespaces, name)?.metadata.labels ?? {}
  const within = (objects: KubeObject[], namespace: string): KubeObject[] => objects.filter(({ metadata }) => metadata.namespace === namespace)
  const view: SchedulingView = {
    namespaceLabels,
    terms: new AffinityTerms(namespaceLabels),
    workloads: (namespace) => ({
      services: within(services, namespace),
      replicationControllers: within(replicationControllers, namespace),
      replicaSets: within(replicaSets, namespace),
      statefulSets: within(statefulSets, namespace),
    }),
    volumes: {
      claim: (namespace, name) => named(claims, name, namespace),
      volume: (name) => named(volumes, name),
      volumes: () => volumes ?? [],
      storageClass: (name) => named(classes, name),
    },
    minor: 20,
  }
  const infos = (nodes ?? []).map((node) => new NodeInfo(node))
  for (const other of pods ?? [])
    if (nodeNameOf(other) !== '' && other.metadata.uid !== pod.metadata.uid && !isFinished(other))
      infos.find(({ name }) => name === nodeNameOf(other))?.add(other)
  const state = prepareCycle(pod, infos, view)
  const outcome = findNodes(state, infos)
  return { ...outcome, message: outcome.scores.length > 0 ? '' : fitErrorMessage(infos.length, outcome.refusals.values(), state) }
}
