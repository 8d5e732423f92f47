import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import type { DrainFacts } from '#shared/planning/drain/drainPlan.ts'
import type { ClusterApi } from '../clusterApi.ts'

/** Everything a drain's plan is made from, read in one go. */
export async function readDrainFacts(api: ClusterApi, signal: AbortSignal): Promise<DrainFacts> {
  const [version, nodes, pods, budgets, namespaces, claims, volumes, classes] = await Promise.all([
    api.version(signal),
    api.list('/api/v1/nodes', signal),
    api.list('/api/v1/pods', signal),
    listBudgets(api, signal),
    api.list('/api/v1/namespaces', signal),
    api.list('/api/v1/persistentvolumeclaims', signal),
    api.list('/api/v1/persistentvolumes', signal),
    api.list('/apis/storage.k8s.io/v1/storageclasses', signal),
  ])
  const byName = (objects: KubeObject[]): Map<string, KubeObject> => new Map(objects.map((object) => [object.metadata.name ?? '', object]))
  const [labelled, volumesByName, classesByName] = [byName(namespaces), byName(volumes), byName(classes)]
  const claimsByKey = new Map(claims.map((claim) => [`${claim.metadata.namespace ?? ''}/${claim.metadata.name ?? ''}`, claim]))
  return {
    nodes,
    pods,
    budgets,
    namespaceLabels: (namespace) => labelled.get(namespace)?.metadata.labels ?? {},
    volumes: {
      claim: (namespace, name) => claimsByKey.get(`${namespace}/${name}`),
      volume: (name) => volumesByName.get(name),
      volumes: () => volumes,
      storageClass: (name) => classesByName.get(name),
    },
    minor: minorOf(version),
  }
}

/** policy/v1 came with 1.21. */
export async function listBudgets(api: ClusterApi, signal: AbortSignal): Promise<KubeObject[]> {
  try {
    return await api.list('/apis/policy/v1/poddisruptionbudgets', signal)
  } catch (error) {
    if (!isNotFound(error)) throw error
    return api.list('/apis/policy/v1beta1/poddisruptionbudgets', signal)
  }
}
