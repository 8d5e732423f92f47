import type { Writer } from '#shared/kubernetes/apply/fieldManager.ts'
import { trackScale, type ReplicasPath } from '#shared/kubernetes/apply/scaleManagers.ts'
import { valueAt } from '#shared/kubernetes/customresource/scale.ts'
import type { KubeObject, ManagedFieldsEntry } from '#shared/kubernetes/object.ts'
import type { ApiResource } from './apiResources.ts'

const BUILT_IN_REPLICAS = '.spec.replicas'

const fieldsOf = (path: string): string[] =>
  path
    .replace(/^\./, '')
    .split('.')
    .map((name) => `f:${name}`)

/** Where the number of replicas stands in each version of a resource. */
function replicasPaths({ custom }: ApiResource): ReplicasPath {
  if (custom === undefined) return () => fieldsOf(BUILT_IN_REPLICAS)
  const { group, versions } = custom.definition
  const known = new Map(versions.map(({ name, scale }) => [`${group}/${name}`, scale === null ? null : fieldsOf(scale.specReplicasPath)]))
  return (apiVersion) => known.get(apiVersion)
}

/** Null when the object has no number of replicas. */
function replicasOf(object: KubeObject, { custom }: ApiResource): number | null {
  const { value } = valueAt(object, custom?.version.scale?.specReplicasPath ?? BUILT_IN_REPLICAS)
  return typeof value === 'number' ? value : null
}

/** Who owns what of an object whose `/scale` was written. */
export function trackScaledReplicas(before: KubeObject, after: KubeObject, resource: ApiResource, writer: Writer): ManagedFieldsEntry[] {
  const replicas = { before: replicasOf(before, resource), after: replicasOf(after, resource) ?? 0 }
  return trackScale(before.metadata.managedFields, replicas, writer, replicasPaths(resource))
}
