import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { countAt, isPodActive, isPodReady, objectsAt, specOf, statusOf, textAt, isDeleting } from '../../controller.ts'
import { Indexes } from './indexes.ts'
import { hasTracking, INDEX_FAILURES, indexOf, isFailed, isIndexed, isSucceeded, restartsOf, TRACKING_SINCE } from './jobPods.ts'
import { uncountedOf, type Uncounted } from './jobTracking.ts'
import { podFailureVerdict } from './podFailurePolicy.ts'

/** Why a job ends. */
export interface JobOutcome {
  type: 'Complete' | 'Failed'
  reason: string
  message: string
}

/** What one look at a job and its pods tells. Pure: no write is made here. */
export interface JobRound {
  job: KubeObject
  pods: readonly KubeObject[]
  active: KubeObject[]
  ready: number
  terminating: number
  succeeded: number
  failed: number
  /** Pods that ended and are in no figure yet; in releases that track by finalizers. */
  uncounted: Uncounted
  /** Pods that the round counts, for removing their finalizers. */
  toCount: KubeObject[]
  /** Failed pods since the last success, newest last, for backing off. */
  newFailures: KubeObject[]
  succeededIndexes: Indexes
  failedIndexes: Indexes
  outcome: JobOutcome | null
  /** A success policy's rule has matched. */
  criteriaMet: JobOutcome | null
}

const BACKOFF: JobOutcome = { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
const DEADLINE: JobOutcome = { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }

const conditionOf = (job: KubeObject, type: string): JsonObject | undefined =>
  objectsAt(statusOf(job)['conditions']).find((each) => each['type'] === type && each['status'] === 'True')

export const isFinishedJob = (job: KubeObject): boolean => conditionOf(job, 'Complete') !== undefined || conditionOf(job, 'Failed') !== undefined
export const isSuspended = (job: KubeObject): boolean => specOf(job)['suspend'] === true

/** An index's failures, with its pods' earlier ones in their annotation. */
function failuresOfIndex(pods: readonly KubeObject[]): number {
  return Math.max(0, ...pods.map((pod) => Number(pod.metadata.annotations?.[INDEX_FAILURES] ?? 0) + 1))
}

export function lookAtJob(job: KubeObject, pods: readonly KubeObject[], options: { minor: number; nowMs: number; released?: ReadonlySet<string> }): JobRound {
  const { minor, nowMs, released } = options
  const spec = specOf(job)
  const status = statusOf(job)
  const tracked = minor >= TRACKING_SINCE
  const completions = typeof spec['completions'] === 'number' ? spec['completions'] : null
  const limit = completions ?? 0
  const indexed = isIndexed(job)
  const inRange = (pod: KubeObject): boolean => !indexed || (indexOf(pod) >= 0 && indexOf(pod) < limit)
  const active = pods.filter(isPodActive)
  const known = uncountedOf(job)
  const uncounted: Uncounted = { succeeded: [...known.succeeded], failed: [...known.failed] }
  const toCount: KubeObject[] = []
  const newFailures: KubeObject[] = []
  let failJob: JobOutcome | null = conditionAsOutcome(job, 'FailureTarget', 'Failed')
  let newSucceeded = 0
  const succeededIndexes = Indexes.parse(textAt(status['completedIndexes']), limit)
  const failedIndexes = Indexes.parse(textAt(status['failedIndexes']), limit)
  const byIndex = new Map<number, KubeObject[]>()
  const failIndexes = new Set<number>()
  for (const pod of pods) {
    const uid = pod.metadata.uid ?? ''
    if (tracked && (!hasTracking(pod) || released?.has(uid) === true)) continue
    const before = known.succeeded.includes(uid) || known.failed.includes(uid)
    if (isSucceeded(pod)) {
      toCount.push(pod)
      if (indexed && inRange(pod)) succeededIndexes.add(indexOf(pod))
      if (before || !inRange(pod)) continue
      newSucceeded++
      uncounted.succeeded.push(uid)
    } else if (isFailed(job, pod) || (!inRange(pod) && isDeleting(pod))) {
      toCount.push(pod)
      const verdict = podFailureVerdict(job, pod)
      if (verdict.action === 'FailJob') failJob ??= { type: 'Failed', reason: 'PodFailurePolicy', message: verdict.message }
      if (verdict.action === 'FailIndex') failIndexes.add(indexOf(pod))
      if (before || verdict.action === 'Ignore' || !inRange(pod)) continue
      uncounted.failed.push(uid)
      newFailures.push(pod)
      byIndex.set(indexOf(pod), [...(byIndex.get(indexOf(pod)) ?? []), pod])
    }
  }
  const perIndex = spec['backoffLimitPerIndex']
  if (indexed && typeof perIndex === 'number')
    for (const [index, failures] of byIndex) if (failuresOfIndex(failures) > perIndex || failIndexes.has(index)) failedIndexes.add(index)
  const succeeded = tracked
    ? indexed
      ? succeededIndexes.size
      : countAt(status['succeeded']) + uncounted.succeeded.length
    : indexed
      ? succeededIndexes.size
      : pods.filter(isSucceeded).length
  const failed = tracked ? countAt(status['failed']) + uncounted.failed.length : pods.filter((pod) => textAt(statusOf(pod)['phase']) === 'Failed').length
  const round: JobRound = {
    job,
    pods,
    active,
    ready: active.filter(isPodReady).length,
    terminating: pods.filter((pod) => isDeleting(pod) && !isSucceeded(pod) && textAt(statusOf(pod)['phase']) !== 'Failed').length,
    succeeded,
    failed,
    uncounted: tracked ? uncounted : { succeeded: [], failed: [] },
    toCount: tracked ? toCount : [],
    newFailures: newSucceeded > 0 ? newFailures.slice(-1) : newFailures,
    succeededIndexes,
    failedIndexes,
    outcome: null,
    criteriaMet: conditionAsOutcome(job, 'SuccessCriteriaMet', 'Complete') ?? successCriteria(job, succeededIndexes),
  }
  return { ...round, outcome: outcomeOf(round, { failJob, completions, minor, nowMs, tracked }) }
}

function conditionAsOutcome(job: KubeObject, condition: string, type: JobOutcome['type']): JobOutcome | null {
  const found = conditionOf(job, condition)
  return found === undefined ? null : { type, reason: textAt(found['reason']), message: textAt(found['message']) }
}

/** The first rule of spec.successPolicy that is satisfied. @see pkg/controller/job/success_policy.go */
function successCriteria(job: KubeObject, done: Indexes): JobOutcome | null {
  if (!isIndexed(job)) return null
  for (const [number, rule] of objectsAt(objectAt(specOf(job)['successPolicy'])['rules']).entries()) {
    const wanted = rule['succeededIndexes'] === undefined ? null : Indexes.parse(textAt(rule['succeededIndexes']), countAt(specOf(job)['completions']))
    const met = wanted === null ? done.size : wanted.values().filter((index) => done.has(index)).length
    const count = typeof rule['succeededCount'] === 'number' ? rule['succeededCount'] : (wanted?.size ?? 0)
    if (met >= count) return { type: 'Complete', reason: 'SuccessPolicy', message: `Matched rules at index ${String(number)}` }
  }
  return null
}

function outcomeOf(
  round: JobRound,
  { failJob, completions, minor, nowMs, tracked }: { failJob: JobOutcome | null; completions: number | null; minor: number; nowMs: number; tracked: boolean },
): JobOutcome | null {
  const { job, pods, active, failed, succeeded, failedIndexes, criteriaMet } = round
  const spec = specOf(job)
  if (failJob !== null) return failJob
  if (criteriaMet !== null) return criteriaMet
  const limit = typeof spec['backoffLimit'] === 'number' ? spec['backoffLimit'] : 6
  const parallelism = countAt(spec['parallelism'])
  // A failure counts once the status tells it; until then only a change in the number of failures is one.
  const isNew = failed > countAt(statusOf(job)['failed'])
  const exceeded = tracked ? failed > limit : isNew && active.length !== parallelism && failed > limit
  const inPlace = objectAt(objectAt(spec['template'])['spec'])['restartPolicy'] === 'OnFailure' ? restartsOf(pods) : 0
  if (exceeded || (inPlace > 0 && (limit === 0 || inPlace >= limit))) return BACKOFF
  const startedMs = Date.parse(textAt(statusOf(job)['startTime']))
  const seconds = spec['activeDeadlineSeconds']
  if (typeof seconds === 'number' && !isSuspended(job) && nowMs - startedMs >= seconds * 1000) return DEADLINE
  if (typeof spec['backoffLimitPerIndex'] === 'number') {
    const most = spec['maxFailedIndexes']
    if (typeof most === 'number' && failedIndexes.size > most)
      return { type: 'Failed', reason: 'MaxFailedIndexesExceeded', message: 'Job has exceeded the specified maximal number of failed indexes' }
    if (completions !== null && failedIndexes.size > 0 && failedIndexes.size + succeeded >= completions)
      return { type: 'Failed', reason: 'FailedIndexes', message: 'Job has failed indexes' }
  }
  // Without a number of completions one success ends the job when no pod is left.
  const complete = completions === null ? succeeded > 0 && active.length === 0 : succeeded >= completions
  if (!complete) return null
  return minor >= 31
    ? { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
    : { type: 'Complete', reason: '', message: '' }
}
