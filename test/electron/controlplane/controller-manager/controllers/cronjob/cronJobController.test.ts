import { describe, expect, it } from 'vitest'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { CRON_JOBS, JOBS } from '#electron/client/resources.ts'
import { objectsAt, statusOf } from '#electron/controlplane/controller-manager/controller.ts'
import { cronJobController } from '#electron/controlplane/controller-manager/controllers/cronjob/cronJobController.ts'
import { controllerFixture } from '../../../controllerFixture.ts'

const START = Date.parse('2026-01-01T00:00:30Z')
const modern = await controllerFixture('v1.36.0', START)
const old = await controllerFixture('v1.20.2', START)
const V1BETA1 = { group: 'batch', version: 'v1beta1', resource: 'cronjobs' }

for (const each of [modern, old]) {
  await each.namespace('crons')
  each.run((context) => [cronJobController(context)])
}

const cronJob = (name: string, spec: JsonObject = {}, apiVersion = 'batch/v1'): object => ({
  apiVersion,
  kind: 'CronJob',
  metadata: { name },
  spec: {
    schedule: '* * * * *',
    jobTemplate: {
      metadata: { labels: { from: name } },
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'work:1' }] } } },
    },
    ...spec,
  },
})
const jobsOf = async (at: typeof modern, name: string): Promise<string[]> =>
  (await at.list(JOBS)).filter(({ metadata }) => metadata.labels?.['from'] === name).map(({ metadata }) => metadata.name ?? '')
const seen = (at: typeof modern, name: string): Promise<unknown> =>
  at.until('seen', async () => (await at.list(at === old ? V1BETA1 : CRON_JOBS)).some(({ metadata }) => metadata.name === name))
const minute = (offset: number): number => Math.floor(Date.parse('2026-01-01T00:00:00Z') / 60_000) + offset
const finish = (at: typeof modern, name: string, type: 'Complete' | 'Failed', startTime: string): Promise<KubeObject> =>
  at.patch(
    JOBS,
    name,
    {
      status: {
        startTime,
        ...(type === 'Complete' ? { completionTime: startTime, succeeded: 1 } : { failed: 1 }),
        conditions: [...(type === 'Complete' ? ['SuccessCriteriaMet'] : ['FailureTarget']), type].map((each) => ({
          type: each,
          status: 'True',
          lastTransitionTime: startTime,
        })),
      },
    },
    'status',
  )

/** Moves time in steps, so that what a run starts is seen before the next one is due. */
async function pass(at: typeof modern, seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left -= 10) {
    await at.clock.advance(Math.min(10, left) * 1000)
    await at.list(JOBS)
  }
}

describe('cronJobController', () => {
  it('starts a job per run, named after the minute, and remembers it', async () => {
    await modern.create(CRON_JOBS, cronJob('tick'))
    await seen(modern, 'tick')
    await pass(modern, 40)
    const [name = ''] = await modern.until('job', async () => ((await jobsOf(modern, 'tick')).length === 1 ? jobsOf(modern, 'tick') : null))
    expect(name).toBe(`tick-${String(minute(1))}`)
    const job = await modern.get(JOBS, name)
    expect(job.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp']).toBe('2026-01-01T00:01:00Z')
    const status = await modern.until('status', async () => {
      const now = statusOf(await modern.get(CRON_JOBS, 'tick'))
      return objectsAt(now['active']).length === 1 ? now : null
    })
    expect(status['lastScheduleTime']).toBe('2026-01-01T00:01:00Z')
    await finish(modern, name, 'Complete', '2026-01-01T00:01:10Z')
    await modern.until('noticed', async () => objectsAt(statusOf(await modern.get(CRON_JOBS, 'tick'))['active']).length === 0)
    expect(await modern.events('tick')).toEqual([`SuccessfulCreate: Created job ${name}`, `SawCompletedJob: Saw completed job: ${name}, condition: Complete`])
    expect(statusOf(await modern.get(CRON_JOBS, 'tick'))['lastSuccessfulTime']).toBe('2026-01-01T00:01:10Z')
    await modern.patch(CRON_JOBS, 'tick', { spec: { suspend: true } })
  })

  it('waits for the running job with Forbid and removes it with Replace', async () => {
    await modern.create(CRON_JOBS, cronJob('one', { concurrencyPolicy: 'Forbid' }))
    await modern.create(CRON_JOBS, cronJob('new', { concurrencyPolicy: 'Replace' }))
    await seen(modern, 'new')
    await pass(modern, 60)
    await modern.until('both started', async () => (await jobsOf(modern, 'one')).length === 1 && (await jobsOf(modern, 'new')).length === 1)
    const [first = ''] = await jobsOf(modern, 'new')
    await pass(modern, 60)
    await modern.until('replaced', async () => !(await jobsOf(modern, 'new')).includes(first))
    expect(await jobsOf(modern, 'one')).toHaveLength(1)
    await modern.until('told', async () =>
      (await modern.events('one')).includes('JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid'),
    )
    expect(await modern.events('new')).toContain(`SuccessfulDelete: Deleted job ${first}`)
    for (const name of ['one', 'new']) await modern.patch(CRON_JOBS, name, { spec: { suspend: true } })
  })

  it('keeps as much history as asked', async () => {
    await modern.create(CRON_JOBS, cronJob('brief', { successfulJobsHistoryLimit: 1 }))
    await seen(modern, 'brief')
    for (let run = 0; run < 3; run++) {
      const before = await jobsOf(modern, 'brief')
      await pass(modern, 60)
      const name = await modern.until('another', async () => (await jobsOf(modern, 'brief')).find((each) => !before.includes(each)))
      await modern.until('listed', async () => objectsAt(statusOf(await modern.get(CRON_JOBS, 'brief'))['active']).some((each) => each['name'] === name))
      await finish(modern, name, 'Complete', new Date(modern.clock.now()).toISOString().replace(/\.\d+/, ''))
      await modern.until('trimmed', async () => (await jobsOf(modern, 'brief')).join() === name)
    }
  })

  it('tells of a time zone that is none', async () => {
    await modern.create(CRON_JOBS, cronJob('lost', { timeZone: 'Mars/Olympus' })).catch(() => undefined)
    const made = (await modern.list(CRON_JOBS)).some(({ metadata }) => metadata.name === 'lost')
    if (made)
      await modern.until('told', async () => (await modern.events('lost')).some((text) => text.startsWith('UnknownTimeZone: invalid timeZone: "Mars/Olympus"')))
    expect(await jobsOf(modern, 'lost')).toEqual([])
  })

  it('names jobs after the second and looks every 10 seconds in 1.20', async () => {
    await old.create(V1BETA1, cronJob('tick', {}, 'batch/v1beta1'))
    await seen(old, 'tick')
    await pass(old, 50)
    expect(await old.until('job', async () => (await jobsOf(old, 'tick'))[0])).toBe(`tick-${String(minute(1) * 60)}`)
  })
})
