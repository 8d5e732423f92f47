import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import { isTimeZone, parseSchedule, type Schedule } from '#shared/planning/cron/schedule.ts'
import { CRON_JOBS, JOBS } from '#electron/client/resources.ts'
import {
  controllerRef,
  isDeleting,
  keyOf,
  newControllerRef,
  objectsAt,
  specOf,
  splitKey,
  statusOf,
  textAt,
  type Controller,
  type ControllerContext,
} from '../../controller.ts'
import { errorText, isNamespaceTerminating } from '../../podControl.ts'
import { SupersededVersions } from '../../supersededVersions.ts'
import { missedRun, rfc1123 } from './cronJobSchedule.ts'

/** The controller of 1.20 looks at all of them this often; later ones wake when a run is due. */
const POLL_MS = 10_000
const EVENT_DRIVEN_SINCE = 21
/** A little past the run's second, as upstream. */
const NEXT_DELTA_MS = 100

/** Starts Jobs by the clock. */
export function cronJobController(context: ControllerContext): Controller {
  const { client, clock, minor } = context
  const cronJobs = context.informer(CRON_JOBS)
  const jobs = context.informer(JOBS)
  const events = context.recorder('cronjob-controller')
  const queue = context.queue('cronjob', sync)
  const superseded = new SupersededVersions()
  const eventDriven = minor >= EVENT_DRIVEN_SINCE

  cronJobs.onEvent(({ type, object }) => {
    if (type === 'delete') superseded.forget(object)
    if (eventDriven) queue.add(keyOf(object))
  })
  jobs.onEvent(({ object }) => {
    const ref = controllerRef(object)
    if (eventDriven && ref?.kind === 'CronJob') queue.add(`${object.metadata.namespace ?? ''}/${ref.name}`)
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const cronJob = cronJobs.get(namespace, name)
    if (cronJob === undefined || superseded.has(cronJob)) return
    const own = jobs.byIndex('controller', cronJob.metadata.uid ?? '')
    const status: JsonObject = { ...statusOf(cronJob) }
    noteFinished(cronJob, own, status)
    if (!isDeleting(cronJob) && specOf(cronJob)['suspend'] !== true) await startDue(key, cronJob, status, signal)
    if (!isDeleting(cronJob)) await trimHistory(cronJob, own, status, signal)
    await writeStatus(cronJob, status, signal)
  }

  /** Keeps status.active in step with the jobs that run. */
  function noteFinished(cronJob: KubeObject, own: readonly KubeObject[], status: JsonObject): void {
    let active = objectsAt(status['active'])
    const listed = (job: KubeObject): boolean => active.some(({ uid }) => uid === job.metadata.uid)
    for (const job of own) {
      const ended = endOf(job)
      const name = job.metadata.name ?? ''
      if (ended === null) {
        if (!listed(job)) events.event(cronJob, 'Warning', 'UnexpectedJob', `Saw a job that the controller did not create or forgot: ${name}`)
      } else if (listed(job)) {
        active = active.filter(({ uid }) => uid !== job.metadata.uid)
        events.event(cronJob, 'Normal', 'SawCompletedJob', `Saw completed job: ${name}, ${minor >= 31 ? 'condition' : 'status'}: ${ended}`)
      }
      const completionTime = textAt(statusOf(job)['completionTime'])
      if (eventDriven && ended === 'Complete' && completionTime > textAt(status['lastSuccessfulTime'])) status['lastSuccessfulTime'] = completionTime
    }
    for (const { uid, name } of active)
      if (!own.some((job) => job.metadata.uid === uid)) {
        active = active.filter((each) => each['uid'] !== uid)
        events.event(cronJob, 'Normal', 'MissingJob', `Active job went missing: ${textAt(name)}`)
      }
    status['active'] = active
  }

  async function startDue(key: string, cronJob: KubeObject, status: JsonObject, signal: AbortSignal): Promise<void> {
    const schedule = scheduleOf(cronJob)
    if (schedule === null) return
    const nowMs = clock.now()
    const { latestMs, tooMany } = missedRun({ ...cronJob, status }, schedule, nowMs)
    if (eventDriven) {
      const nextMs = schedule.next(nowMs)
      if (nextMs !== null) queue.addAfter(key, nextMs - nowMs + NEXT_DELTA_MS)
    }
    if (tooMany && !eventDriven) {
      const why = 'too many missed start time (> 100). Set or decrease .spec.startingDeadlineSeconds or check clock skew'
      events.event(cronJob, 'Warning', 'FailedNeedsStart', `Cannot determine if job needs to be started: ${why}`)
      return
    }
    if (tooMany)
      events.event(cronJob, 'Warning', 'TooManyMissedTimes', 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew')
    if (latestMs === null) return
    const { startingDeadlineSeconds, concurrencyPolicy } = specOf(cronJob)
    if (typeof startingDeadlineSeconds === 'number' && latestMs + startingDeadlineSeconds * 1000 < nowMs) {
      events.event(cronJob, 'Warning', 'MissSchedule', `Missed scheduled time to start a job: ${rfc1123(latestMs)}`)
      return
    }
    const active = objectsAt(status['active'])
    if (concurrencyPolicy === 'Forbid' && active.length > 0) {
      if (eventDriven)
        events.event(cronJob, 'Normal', 'JobAlreadyActive', 'Not starting job because prior execution is running and concurrency policy is Forbid')
      return
    }
    if (concurrencyPolicy === 'Replace') for (const { name } of active) if (!(await remove(cronJob, textAt(name), status, signal))) return
    await start(cronJob, latestMs, status, signal)
  }

  function scheduleOf(cronJob: KubeObject): Schedule | null {
    const { schedule, timeZone } = specOf(cronJob)
    if (typeof timeZone === 'string' && !isTimeZone(timeZone)) {
      events.event(cronJob, 'Warning', 'UnknownTimeZone', `invalid timeZone: ${JSON.stringify(timeZone)}: unknown time zone ${timeZone}`)
      return null
    }
    const parsed = parseSchedule(textAt(schedule), typeof timeZone === 'string' ? timeZone : 'UTC')
    if (parsed.error === undefined) return parsed.schedule
    if (eventDriven) events.event(cronJob, 'Warning', 'UnparseableSchedule', `unparseable schedule: ${JSON.stringify(schedule)} : ${parsed.error}`)
    else
      events.event(
        cronJob,
        'Warning',
        'FailedNeedsStart',
        `Cannot determine if job needs to be started: unparseable schedule: ${textAt(schedule)} : ${parsed.error}`,
      )
    return null
  }

  /** The job's name follows from the run's time, so that a run is never started twice. */
  async function start(cronJob: KubeObject, runMs: number, status: JsonObject, signal: AbortSignal): Promise<void> {
    const template = objectAt(specOf(cronJob)['jobTemplate'])
    const { labels, annotations } = objectAt(template['metadata']) as KubeObject['metadata']
    const name = `${cronJob.metadata.name ?? ''}-${String(eventDriven ? Math.floor(runMs / 60_000) : Math.floor(runMs / 1000))}`
    const scheduled = minor >= 28 ? { 'batch.kubernetes.io/cronjob-scheduled-timestamp': `${new Date(runMs).toISOString().slice(0, 19)}Z` } : undefined
    const job: KubeObject = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name,
        namespace: cronJob.metadata.namespace ?? '',
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined && scheduled === undefined ? {} : { annotations: { ...annotations, ...scheduled } }),
        ownerReferences: [newControllerRef(cronJob)],
      },
      spec: structuredClone(objectAt(template['spec'])),
    }
    let made: KubeObject
    try {
      made = await client.create(JOBS, { namespace: cronJob.metadata.namespace }, job, signal)
    } catch (error) {
      if (isAlreadyExists(error)) {
        const known = jobs.get(cronJob.metadata.namespace ?? '', name)
        if (known !== undefined && controllerRef(known)?.uid === cronJob.metadata.uid) return
      }
      if (!signal.aborted && !isNamespaceTerminating(error)) events.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${errorText(error)}`)
      return
    }
    events.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${name}`)
    const { uid, resourceVersion, namespace } = made.metadata
    status['active'] = [...objectsAt(status['active']), { kind: 'Job', namespace, name, uid, apiVersion: 'batch/v1', resourceVersion }]
    status['lastScheduleTime'] = `${new Date(runMs).toISOString().slice(0, 19)}Z`
  }

  async function remove(cronJob: KubeObject, name: string, status: JsonObject, signal: AbortSignal): Promise<boolean> {
    try {
      await client.delete(JOBS, { namespace: cronJob.metadata.namespace, name }, { propagationPolicy: 'Background' }, signal)
    } catch (error) {
      if (!isNotFound(error)) {
        if (!signal.aborted) events.event(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${errorText(error)}`)
        return false
      }
    }
    status['active'] = objectsAt(status['active']).filter((each) => each['name'] !== name)
    events.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`)
    return true
  }

  async function trimHistory(cronJob: KubeObject, own: readonly KubeObject[], status: JsonObject, signal: AbortSignal): Promise<void> {
    const spec = specOf(cronJob)
    const started = (job: KubeObject): string => textAt(statusOf(job)['startTime'])
    for (const [limit, type] of [
      [spec['successfulJobsHistoryLimit'], 'Complete'],
      [spec['failedJobsHistoryLimit'], 'Failed'],
    ] as const) {
      if (typeof limit !== 'number') continue
      const ended = own.filter((job) => endOf(job) === type && !isDeleting(job))
      ended.sort((a, b) => (started(a) === started(b) ? ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1) : started(a) < started(b) ? -1 : 1))
      for (const job of ended.slice(0, Math.max(0, ended.length - limit))) await remove(cronJob, job.metadata.name ?? '', status, signal)
    }
  }

  async function writeStatus(cronJob: KubeObject, status: JsonObject, signal: AbortSignal): Promise<void> {
    if (objectsAt(status['active']).length === 0) delete status['active']
    if (deepEqual(statusOf(cronJob), status)) return
    const { namespace, name = '' } = cronJob.metadata
    const target = { namespace, name, subresource: 'status' }
    const write = async (onto: KubeObject): Promise<void> => {
      superseded.wrote(cronJob, await client.update(context.resource(CRON_JOBS), target, { ...onto, status }, signal))
    }
    try {
      await write(cronJob)
    } catch (error) {
      if (!isConflict(error)) throw error
      // Somebody changed the spec meanwhile. The jobs that were started are known from the status alone, so it must not be lost.
      await write(await client.get(context.resource(CRON_JOBS), { namespace, name }, signal))
    }
  }

  async function poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const cronJob of cronJobs.list()) queue.add(keyOf(cronJob))
      await clock.sleep(POLL_MS, { signal }).catch(() => undefined)
    }
  }

  return {
    name: 'cronjob',
    run: async (signal) => {
      await Promise.all([queue.run(signal), ...(eventDriven ? [] : [poll(signal)])])
    },
  }
}

/** Complete, Failed, or null while the job runs. */
function endOf(job: KubeObject): 'Complete' | 'Failed' | null {
  for (const { type, status } of objectsAt(statusOf(job)['conditions'])) if ((type === 'Complete' || type === 'Failed') && status === 'True') return type
  return null
}
