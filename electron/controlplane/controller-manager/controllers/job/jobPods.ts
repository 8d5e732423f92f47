import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { countAt, isDeleting, objectsAt, podFromTemplate, specOf, statusOf, textAt } from '../../controller.ts'

export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index'
export const INDEX_FAILURES = 'batch.kubernetes.io/job-index-failure-count'
export const TRACKING = 'batch.kubernetes.io/job-tracking'
/** Releases from which pods carry the index as a label, and jobs are tracked by finalizers. */
const INDEX_LABEL_SINCE = 28
export const TRACKING_SINCE = 26

export const isIndexed = (job: KubeObject): boolean => specOf(job)['completionMode'] === 'Indexed'

/** -1 when the pod has none. */
export function indexOf(pod: KubeObject): number {
  const text = pod.metadata.annotations?.[COMPLETION_INDEX] ?? ''
  return /^\d{1,7}$/.test(text) ? Number(text) : -1
}

export const hasTracking = (pod: KubeObject): boolean => pod.metadata.finalizers?.includes(TRACKING) === true
export const phaseOf = (pod: KubeObject): string => textAt(statusOf(pod)['phase'])
export const isSucceeded = (pod: KubeObject): boolean => phaseOf(pod) === 'Succeeded'

/** Whether terminating pods are replaced only once they have failed. */
export function replacesOnlyFailed(job: KubeObject): boolean {
  const { podReplacementPolicy, podFailurePolicy } = specOf(job)
  return podReplacementPolicy === 'Failed' || (podReplacementPolicy === undefined && podFailurePolicy !== undefined)
}

/** A pod that counts as a failure; one that is deleted while it runs does, unless only failed ones are replaced. */
export function isFailed(job: KubeObject, pod: KubeObject): boolean {
  if (phaseOf(pod) === 'Failed') return true
  return isDeleting(pod) && !isSucceeded(pod) && !replacesOnlyFailed(job)
}

/** When a pod ended: its last container's end, or its deletion. */
export function finishedMs(pod: KubeObject, nowMs: number): number {
  const ends = objectsAt(statusOf(pod)['containerStatuses']).map((status) =>
    Date.parse(textAt(objectAt(objectAt(status['state'])['terminated'])['finishedAt'])),
  )
  const latest = Math.max(...ends.filter((each) => Number.isFinite(each)))
  if (Number.isFinite(latest)) return latest
  const deletion = Date.parse(pod.metadata.deletionTimestamp ?? '')
  if (Number.isFinite(deletion)) return deletion - (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000
  const ready = objectsAt(statusOf(pod)['conditions']).find((each) => each['type'] === 'Ready')
  return Date.parse(textAt(ready?.['lastTransitionTime'])) || nowMs
}

/** A pod of the job; of one index in Indexed mode, with its name in the environment and as host name. */
export function newJobPod(job: KubeObject, options: { minor: number; index?: number; indexFailures?: number }): KubeObject {
  const { minor, index, indexFailures } = options
  const pod = podFromTemplate(specOf(job)['template'], job)
  if (minor >= TRACKING_SINCE) pod.metadata.finalizers = [...(pod.metadata.finalizers ?? []), TRACKING]
  if (index === undefined) return pod
  const name = job.metadata.name ?? ''
  pod.metadata.generateName = `${name}-${String(index)}-`
  pod.metadata.annotations = { ...pod.metadata.annotations, [COMPLETION_INDEX]: String(index) }
  if (indexFailures !== undefined) pod.metadata.annotations[INDEX_FAILURES] = String(indexFailures)
  if (minor >= INDEX_LABEL_SINCE) pod.metadata.labels = { ...pod.metadata.labels, [COMPLETION_INDEX]: String(index) }
  const spec = specOf(pod)
  const field = minor >= INDEX_LABEL_SINCE ? 'labels' : 'annotations'
  const variable = { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath: `metadata.${field}['${COMPLETION_INDEX}']` } } }
  const withIndex = (container: JsonObject): JsonObject =>
    objectsAt(container['env']).some((each) => each['name'] === variable.name) ? container : { ...container, env: [...objectsAt(container['env']), variable] }
  for (const list of ['containers', 'initContainers']) if (Array.isArray(spec[list])) spec[list] = objectsAt(spec[list]).map(withIndex)
  if (textAt(spec['hostname']) === '') spec['hostname'] = `${name}-${String(index)}`.slice(0, 63)
  return pod
}

/** Restarts of containers that count against backoffLimit when they restart in place. */
export function restartsOf(pods: readonly KubeObject[]): number {
  let sum = 0
  for (const pod of pods)
    if (['Running', 'Pending'].includes(phaseOf(pod)))
      for (const list of ['initContainerStatuses', 'containerStatuses'])
        for (const status of objectsAt(statusOf(pod)[list])) sum += countAt(status['restartCount'])
  return sum
}
