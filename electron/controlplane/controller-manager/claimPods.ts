import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import type { Informer } from '#electron/client/informer.ts'
import { PODS } from '#electron/client/resources.ts'
import { controllerRef, isDeleting, isPodActive, newControllerRef, type ControllerContext } from './controller.ts'

/**
 * The pods of a workload: takes orphans that match, lets go what does not match any more (upstream's PodControllerRefManager).
 * A workload that is being deleted takes none.
 *
 * @param finalizers put on pods that are taken
 */
export async function claimPods(
  { client }: ControllerContext,
  owner: KubeObject,
  { pods, matches, finalizers = [] }: { pods: Informer; matches: (pod: KubeObject) => boolean; finalizers?: string[] },
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const uid = owner.metadata.uid ?? ''
  const mine: KubeObject[] = []
  // Its own and nobody's: in a namespace of tens of thousands of pods going through all of them for each change would take all the time there is.
  for (const pod of [...pods.byIndex('controller', uid), ...pods.byIndex('orphaned', owner.metadata.namespace ?? '')]) {
    const ref = controllerRef(pod)
    if (ref !== undefined && ref.uid !== uid) continue
    const target = { namespace: pod.metadata.namespace, name: pod.metadata.name ?? '' }
    try {
      if (ref !== undefined) {
        if (matches(pod)) mine.push(pod)
        else if (!isDeleting(owner))
          await client.patch(PODS, target, { metadata: { ownerReferences: [{ $patch: 'delete', uid }], uid: pod.metadata.uid } }, { type: 'strategic' }, signal)
      } else if (matches(pod) && isPodActive(pod) && !isDeleting(owner)) {
        const metadata = { ownerReferences: [newControllerRef(owner)], uid: pod.metadata.uid, ...(finalizers.length === 0 ? {} : { finalizers }) }
        mine.push(await client.patch(PODS, target, { metadata }, { type: 'strategic' }, signal))
      }
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
  return mine
}
