import type { KubeObject, OwnerReference } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import type { Informer } from '#electron/client/informer.ts'
import { PERSISTENT_VOLUME_CLAIMS } from '#electron/client/resources.ts'
import { countAt, specOf, type ControllerContext } from '../../controller.ts'
import { claimsFor, ordinalOf, startOrdinal } from './statefulPod.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

/**
 * persistentVolumeClaimRetentionPolicy: claims that go with their set, or with a pod that a smaller set loses, are owned by
 * it, and the garbage collector does the rest (feature StatefulSetAutoDeletePVC, on since 1.27).
 *
 * @see pkg/controller/statefulset/stateful_set_utils.go updateClaimOwnerRefForSetAndPod
 */
export async function claimRetention(
  { client }: ControllerContext,
  { set, pods, claims }: { set: KubeObject; pods: readonly KubeObject[]; claims: Informer },
  signal: AbortSignal,
): Promise<void> {
  const policy = objectAt(specOf(set)['persistentVolumeClaimRetentionPolicy'])
  const withSet = policy['whenDeleted'] === 'Delete'
  const withPod = policy['whenScaled'] === 'Delete'
  const first = startOrdinal(set)
  const end = first + countAt(specOf(set)['replicas'])
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod)
    const condemned = ordinal < first || ordinal >= end
    for (const { metadata } of claimsFor(set, ordinal)) {
      const claim = claims.get(metadata.namespace ?? '', metadata.name ?? '')
      if (claim === undefined) continue
      const own = (uid: string | undefined): boolean => claim.metadata.ownerReferences?.some((each) => each.uid === uid) === true
      const wantsSet = withSet && !(withPod && condemned)
      const wantsPod = withPod && condemned
      if (own(set.metadata.uid) === wantsSet && own(pod.metadata.uid) === wantsPod) continue
      const ownerReferences = (claim.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== set.metadata.uid && uid !== pod.metadata.uid)
      if (wantsSet) ownerReferences.push(reference(set, true))
      if (wantsPod) ownerReferences.push(reference({ ...pod, apiVersion: 'v1', kind: 'Pod' }, false))
      try {
        await client.patch(
          PERSISTENT_VOLUME_CLAIMS,
          { namespace: metadata.namespace, name: metadata.name ?? '' },
          { metadata: { ownerReferences, resourceVersion: claim.metadata.resourceVersion } },
          { type: 'merge' },
          signal,
        )
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
  }
}

function reference({ apiVersion = '', kind = '', metadata }: KubeObject, controller: boolean): OwnerReference {
  return { apiVersion, kind, name: metadata.name ?? '', uid: metadata.uid ?? '', ...(controller ? { controller, blockOwnerDeletion: true } : {}) }
}
