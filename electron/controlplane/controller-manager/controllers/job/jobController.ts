import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { JOBS, PODS } from '#electron/client/resources.ts'
import {
  controllerRef,
  countAt,
  isDeleting,
  isPodActive,
  keyOf,
  objectsAt,
  specOf,
  splitKey,
  statusOf,
  textAt,
  type Controller,
  type ControllerContext,
} from '../../controller.ts'
import { claimPods } from '../../claimPods.ts'
import { Expectations } from '../../expectations.ts'
import { PodControl } from '../../podControl.ts'
import { rankForDeletion } from '../../podRank.ts'
import { finishedMs, hasTracking, INDEX_FAILURES, indexOf, isIndexed, newJobPod, phaseOf, replacesOnlyFailed, TRACKING, TRACKING_SINCE } from './jobPods.ts'
import { isFinishedJob, isSuspended, lookAtJob, type JobOutcome, type JobRound } from './jobRound.ts'
import { counted, removeTracking } from './jobTracking.ts'
import { SeenProgress } from './seenProgress.ts'

/** Waits between replacements of failed pods: 10 s doubling; at most 6 minutes in 1.20, 10 since pods are tracked. */
const BACKOFF_MS = 10_000
const MAX_BACKOFF_MS = { untracked: 360_000, tracked: 600_000 } as const
/** Most pods made or deleted in one round. */
const MAX_CHANGES = 500
/** From 1.31 a job says first that it will end, and ends once its pods have. */
const DELAYED_END_SINCE = 31

interface Backoff {
  failures: number
  lastFailureMs: number
}

/** Runs pods of Jobs to completion. */
export function jobController(context: ControllerContext): Controller {
  const { client, clock, minor } = context
  const jobs = context.informer(JOBS)
  const pods = context.informer(PODS)
  const events = context.recorder('job-controller')
  const control = new PodControl(context, events)
  const expectations = new Expectations(clock)
  const queue = context.queue('job', sync)
  const orphans = context.queue('job-orphan-pod', releaseOrphan)
  const backoffs = new Map<string, Backoff>()
  const progress = new SeenProgress()
  const tracked = minor >= TRACKING_SINCE

  jobs.onEvent(({ type, object }) => {
    if (type === 'delete') {
      expectations.forget(keyOf(object))
      backoffs.delete(object.metadata.uid ?? '')
      progress.forget(object)
      for (const pod of pods.byIndex('controller', object.metadata.uid ?? '')) orphans.add(keyOf(pod))
    }
    queue.add(keyOf(object))
  })
  pods.onEvent(({ type, object, old }) => {
    const ref = controllerRef(object)
    const namespace = object.metadata.namespace ?? ''
    if (ref?.kind === 'Job') {
      const key = `${namespace}/${ref.name}`
      if (type === 'add' && !isDeleting(object)) expectations.created(key)
      if (type === 'delete' || isDeleting(object)) expectations.deleted(key, object.metadata.uid ?? '')
      const job = jobs.get(namespace, ref.name)
      if (hasTracking(object) && (job === undefined || isFinishedJob(job))) orphans.add(keyOf(object))
      // A failed pod is looked at once its back-off is over; releases that track decide at each look.
      const failed = !tracked && type === 'update' && phaseOf(object) === 'Failed' && old !== undefined && phaseOf(old) !== 'Failed'
      if (failed) queue.addAfter(key, backoffMs(backoffs.get(ref.uid)?.failures ?? 0))
      else queue.add(key)
    } else if (ref === undefined && type !== 'delete') {
      if (hasTracking(object)) orphans.add(keyOf(object))
      for (const job of jobs.byIndex('namespace', namespace)) if (matches(job, object)) queue.add(keyOf(job))
    }
  })

  const matches = (job: KubeObject, pod: KubeObject): boolean => matchesLabelSelector(specOf(job)['selector'], pod.metadata.labels ?? {})
  const backoffMs = (failures: number): number =>
    failures === 0 ? 0 : Math.min(BACKOFF_MS * 2 ** (failures - 1), MAX_BACKOFF_MS[tracked ? 'tracked' : 'untracked'])

  /** A tracked pod whose job is gone or finished is held by nothing. */
  async function releaseOrphan(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const pod = pods.get(namespace, name)
    if (pod === undefined || !hasTracking(pod)) return
    const ref = controllerRef(pod)
    const job = ref?.kind === 'Job' ? jobs.get(namespace, ref.name) : undefined
    if (job !== undefined && job.metadata.uid === ref?.uid && !isFinishedJob(job)) return
    await removeTracking(context, [pod], signal)
  }

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const job = jobs.get(namespace, name)
    if (job === undefined) {
      expectations.forget(key)
      return
    }
    // The job as it was before the last writes would be counted and filled up anew; its newer version comes as an event.
    if (progress.jobs.has(job)) return
    const { managedBy } = specOf(job)
    if (isFinishedJob(job) || (typeof managedBy === 'string' && managedBy !== 'kubernetes.io/job-controller')) return
    const satisfied = expectations.satisfied(key)
    const owned = await claimPods(context, job, { pods, matches: (pod) => matches(job, pod), finalizers: tracked ? [TRACKING] : [] }, signal)
    queue.weigh(key, owned.length)
    const round = lookAtJob(job, owned, { minor, nowMs: clock.now(), released: progress.released(job, owned) })
    const before = statusOf(job)
    const status: JsonObject = { ...before, conditions: [...objectsAt(before['conditions'])] }
    start(key, job, status)
    const backoff = noteFailures(round)
    let { active } = round
    if (round.outcome !== null) active = await end(key, round, round.outcome, signal)
    else if (satisfied && !isDeleting(job)) active = await manage(key, round, backoff, signal)
    await writeStatus(round, status, active, signal)
    if (!tracked && round.outcome === null && round.failed > countAt(before['failed'])) queue.addAfter(key, backoffMs(backoff.failures))
  }

  /** The start time, and the condition and event of a suspended or resumed job. */
  function start(key: string, job: KubeObject, status: JsonObject): void {
    const conditions = objectsAt(status['conditions'])
    const suspended = conditions.find((each) => each['type'] === 'Suspended')
    const seconds = specOf(job)['activeDeadlineSeconds']
    if (isSuspended(job)) {
      if (suspended?.['status'] === 'True') return
      delete status['startTime']
      status['conditions'] = [...conditions.filter((each) => each !== suspended), condition('Suspended', 'True', 'JobSuspended', 'Job suspended')]
      events.event(job, 'Normal', 'Suspended', 'Job suspended')
      return
    }
    if (suspended?.['status'] === 'True') {
      status['conditions'] = [...conditions.filter((each) => each !== suspended), condition('Suspended', 'False', 'JobResumed', 'Job resumed')]
      status['startTime'] = context.now()
      events.event(job, 'Normal', 'Resumed', 'Job resumed')
    }
    status['startTime'] ??= context.now()
    if (typeof seconds === 'number') queue.addAfter(key, Math.max(1, Date.parse(textAt(status['startTime'])) + seconds * 1000 - clock.now()))
  }

  function condition(type: string, status: string, reason: string, message: string): JsonObject {
    const now = context.now()
    return { type, status, lastProbeTime: now, lastTransitionTime: now, ...(reason === '' ? {} : { reason }), ...(message === '' ? {} : { message }) }
  }

  /** Counts failures since the last success. */
  function noteFailures({ job, newFailures, succeeded, failed }: JobRound): Backoff {
    const uid = job.metadata.uid ?? ''
    const status = statusOf(job)
    const known = succeeded > countAt(status['succeeded']) ? undefined : backoffs.get(uid)
    const fresh = tracked ? newFailures.length : Math.max(0, failed - countAt(status['failed'])) > 0 ? 1 : 0
    const backoff = {
      failures: (known?.failures ?? 0) + fresh,
      lastFailureMs: Math.max(known?.lastFailureMs ?? 0, ...newFailures.map((pod) => finishedMs(pod, clock.now()))),
    }
    backoffs.set(uid, backoff)
    return backoff
  }

  /** Removes what still runs of a job that ends. @returns what is active then */
  async function end(key: string, { job, active }: JobRound, outcome: JobOutcome, signal: AbortSignal): Promise<KubeObject[]> {
    if (outcome.type === 'Complete' && minor < TRACKING_SINCE) {
      if (active.length > 0) events.event(job, 'Warning', 'TooManyActivePods', 'Too many active pods running after completion count reached')
      return active
    }
    await remove(key, job, active, signal)
    return []
  }

  async function remove(key: string, job: KubeObject, victims: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    if (victims.length === 0) return
    expectations.expectDeletions(
      key,
      victims.map(({ metadata }) => metadata.uid ?? ''),
    )
    await Promise.all(
      victims.map(async (pod) => {
        try {
          // A pod that was never bound has no kubelet to end it; its finalizer would hold it for ever.
          if (!(await control.delete(job, pod, signal))) expectations.deleted(key, pod.metadata.uid ?? '')
        } catch (error) {
          expectations.deleted(key, pod.metadata.uid ?? '')
          throw error
        }
      }),
    )
  }

  /** Makes or removes pods until as many run as should. @returns what is active then */
  async function manage(key: string, round: JobRound, backoff: Backoff, signal: AbortSignal): Promise<KubeObject[]> {
    const { job, active, succeeded } = round
    const spec = specOf(job)
    const parallelism = countAt(spec['parallelism'] ?? 1)
    const completions = typeof spec['completions'] === 'number' ? spec['completions'] : null
    if (isSuspended(job)) {
      await remove(key, job, active, signal)
      return []
    }
    let wanted = completions === null ? (succeeded > 0 ? active.length : parallelism) : Math.min(parallelism, Math.max(0, completions - succeeded))
    if (isIndexed(job)) wanted = Math.min(wanted, Math.max(0, (completions ?? 0) - succeeded - round.failedIndexes.size))
    const surplus = isIndexed(job) ? duplicates(round) : []
    if (active.length > parallelism || surplus.length > 0) {
      const rest = rankForDeletion(
        active.filter((pod) => !surplus.includes(pod)),
        { minor },
      )
      const victims = [...surplus, ...rest.slice(0, Math.max(0, active.length - surplus.length - parallelism))].slice(0, MAX_CHANGES)
      await remove(key, job, victims, signal)
      return active.filter((pod) => !victims.includes(pod))
    }
    // Pods on their way out keep their place where only failed ones are replaced.
    const occupied = active.length + (tracked && replacesOnlyFailed(job) ? round.terminating : 0)
    const missing = Math.min(wanted - occupied, MAX_CHANGES)
    if (missing <= 0) return active
    if (tracked && backoff.failures > 0 && spec['backoffLimitPerIndex'] === undefined) {
      const dueMs = backoff.lastFailureMs + backoffMs(backoff.failures)
      if (dueMs > clock.now()) {
        queue.addAfter(key, dueMs - clock.now())
        return active
      }
    }
    const made = planned(key, round, missing)
    if (made.length === 0) return active
    expectations.expectCreations(key, made.length)
    const result = await control.createAll(job, made, signal)
    if (result.failure !== undefined) {
      expectations.created(key, made.length - result.made)
      throw result.failure
    }
    return [...active, ...made]
  }

  /** Active pods of an index beyond its first, and of indexes that need none. */
  function duplicates({ active, succeededIndexes, failedIndexes, job }: JobRound): KubeObject[] {
    const seen = new Set<number>()
    const completions = countAt(specOf(job)['completions'])
    return active.filter((pod) => {
      const index = indexOf(pod)
      if (index < 0 || index >= completions || seen.has(index) || succeededIndexes.has(index) || failedIndexes.has(index)) return true
      seen.add(index)
      return false
    })
  }

  function planned(key: string, round: JobRound, count: number): KubeObject[] {
    const { job, active, pods: owned, succeededIndexes, failedIndexes } = round
    if (!isIndexed(job)) return Array.from({ length: count }, () => newJobPod(job, { minor }))
    const perIndex = specOf(job)['backoffLimitPerIndex'] !== undefined
    const busy = new Set(active.map(indexOf))
    if (replacesOnlyFailed(job)) for (const pod of owned) if (isDeleting(pod) && phaseOf(pod) !== 'Failed') busy.add(indexOf(pod))
    const made: KubeObject[] = []
    for (let index = 0; index < countAt(specOf(job)['completions']) && made.length < count; index++) {
      if (busy.has(index) || succeededIndexes.has(index) || failedIndexes.has(index)) continue
      const failures = owned.filter((pod) => indexOf(pod) === index && !isPodActive(pod))
      const before = Math.max(0, ...failures.map((pod) => Number(pod.metadata.annotations?.[INDEX_FAILURES] ?? 0) + 1))
      if (perIndex && before > 0) {
        const dueMs = Math.max(...failures.map((pod) => finishedMs(pod, clock.now()))) + backoffMs(before)
        if (dueMs > clock.now()) {
          queue.addAfter(key, dueMs - clock.now())
          continue
        }
      }
      made.push(newJobPod(job, { minor, index, ...(perIndex ? { indexFailures: before } : {}) }))
    }
    return made
  }

  async function writeStatus(round: JobRound, status: JsonObject, active: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const { job, outcome, criteriaMet } = round
    const figures = { active: active.length, ...(minor >= 24 ? { ready: Math.min(round.ready, active.length) } : {}) }
    Object.assign(status, figures)
    if (minor >= 29)
      status['terminating'] =
        round.terminating + (outcome === null || outcome.type === 'Failed' ? round.active.length - Math.min(active.length, round.active.length) : 0)
    if (isIndexed(job)) {
      status['completedIndexes'] = round.succeededIndexes.toString()
      if (specOf(job)['backoffLimitPerIndex'] !== undefined) status['failedIndexes'] = round.failedIndexes.toString()
    }
    const interim = outcome !== null && (minor >= DELAYED_END_SINCE || outcome.reason === 'PodFailurePolicy') ? interimCondition(outcome, criteriaMet) : null
    if (interim !== null && !objectsAt(status['conditions']).some((each) => each['type'] === interim['type']))
      status['conditions'] = [...objectsAt(status['conditions']), interim]
    if (tracked) {
      status['uncountedTerminatedPods'] = withoutEmpty({ succeeded: round.uncounted.succeeded, failed: round.uncounted.failed })
      const latest = await put(job, status, signal)
      await removeTracking(context, round.toCount, signal)
      progress.release(job, round.toCount)
      const ending = outcome !== null && (minor < DELAYED_END_SINCE || (round.active.length === 0 && round.terminating === 0))
      const next = counted(statusOf(latest), round.uncounted)
      if (isIndexed(job)) next['succeeded'] = round.succeededIndexes.size
      if (ending) finish(latest, next, outcome)
      await put(latest, next, signal)
      return
    }
    status['succeeded'] = round.succeeded
    status['failed'] = round.failed + (outcome?.type === 'Failed' ? round.active.length : 0)
    if (outcome !== null) finish(job, status, outcome)
    await put(job, status, signal)
  }

  function interimCondition(outcome: JobOutcome, criteriaMet: JobOutcome | null): JsonObject {
    if (outcome.type === 'Failed') return condition('FailureTarget', 'True', outcome.reason, outcome.message)
    return condition('SuccessCriteriaMet', 'True', criteriaMet?.reason ?? outcome.reason, criteriaMet?.message ?? outcome.message)
  }

  function finish(job: KubeObject, status: JsonObject, { type, reason, message }: JobOutcome): void {
    status['conditions'] = [...objectsAt(status['conditions']), condition(type, 'True', reason, message)]
    if (type === 'Complete') {
      status['completionTime'] = context.now()
      events.event(job, 'Normal', 'Completed', 'Job completed')
    } else events.event(job, 'Warning', reason, message)
    backoffs.delete(job.metadata.uid ?? '')
  }

  async function put(job: KubeObject, status: JsonObject, signal: AbortSignal): Promise<KubeObject> {
    const next = tidy(status)
    if (deepEqual(tidy(statusOf(job)), next)) return job
    const { namespace, name = '' } = job.metadata
    const written = await client.update(JOBS, { namespace, name, subresource: 'status' }, { ...job, status: next }, signal)
    progress.jobs.wrote(job, written)
    return written
  }

  return {
    name: 'job',
    run: async (signal) => {
      await Promise.all([queue.run(signal), orphans.run(signal)])
    },
  }
}

function withoutEmpty(lists: Record<string, string[]>): JsonObject {
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0))
}

/** Without what upstream omits when it is empty. */
function tidy(status: JsonObject): JsonObject {
  const optional = ['active', 'succeeded', 'failed', 'completedIndexes', 'failedIndexes']
  return Object.fromEntries(
    Object.entries(status).filter(([name, value]) => {
      if (name === 'conditions') return Array.isArray(value) && value.length > 0
      return !optional.includes(name) || (value !== 0 && value !== '')
    }),
  )
}

export const jobCondition = (job: KubeObject, type: string): JsonObject | undefined =>
  objectsAt(statusOf(job)['conditions']).find((each) => each['type'] === type && objectAt(each)['status'] === 'True')
