import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { PODS } from '#electron/client/resources.ts'
import { countAt, statusOf, type ControllerContext } from '../../controller.ts'
import { hasTracking, TRACKING } from './jobPods.ts'

/** uids of ended pods that are not in the job's figures yet. */
export interface Uncounted {
  succeeded: string[]
  failed: string[]
}

const strings = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])

export function uncountedOf(job: KubeObject): Uncounted {
  const uncounted = objectAt(statusOf(job)['uncountedTerminatedPods'])
  return { succeeded: strings(uncounted['succeeded']), failed: strings(uncounted['failed']) }
}

/** Lets ended pods go: from then on only the job's status knows of them. */
export async function removeTracking({ client }: Pick<ControllerContext, 'client'>, pods: readonly KubeObject[], signal: AbortSignal): Promise<void> {
  for (const pod of pods) {
    if (!hasTracking(pod)) continue
    const { namespace, name = '', uid } = pod.metadata
    try {
      await client.patch(
        PODS,
        { namespace, name },
        { metadata: { uid, $patch: undefined, [`$deleteFromPrimitiveList/finalizers`]: [TRACKING] } },
        { type: 'strategic' },
        signal,
      )
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

/**
 * The status once the uncounted pods' finalizers are gone: their uids leave the list and count.
 *
 * A crash between the two writes loses nothing: the list is in the status before the finalizers are removed, and what is in
 * the list without a finalizer is counted by the next round.
 */
export function counted(status: JsonObject, { succeeded, failed }: Uncounted): JsonObject {
  return {
    ...status,
    uncountedTerminatedPods: {},
    succeeded: countAt(status['succeeded']) + succeeded.length,
    failed: countAt(status['failed']) + failed.length,
  }
}
