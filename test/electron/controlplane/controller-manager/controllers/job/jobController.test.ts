import { describe, expect, it } from 'vitest'
import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { JOBS, PODS } from '#electron/client/resources.ts'
import { objectsAt, specOf, statusOf } from '#electron/controlplane/controller-manager/controller.ts'
import { jobController } from '#electron/controlplane/controller-manager/controllers/job/jobController.ts'
import { controllerFixture } from '../../../controllerFixture.ts'

const at = await controllerFixture()
await at.namespace('jobs')
let stop = at.run((context) => [jobController(context)])
const restart = async (): Promise<void> => {
  await stop()
  stop = at.run((context) => [jobController(context)])
}

const job = (name: string, spec: JsonObject = {}, container: JsonObject = {}): object => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'work:1', ...container }] } }, ...spec },
})

const pods = async (name: string): Promise<KubeObject[]> => (await at.list(PODS)).filter(({ metadata }) => metadata.ownerReferences?.[0]?.name === name)
const active = async (name: string): Promise<KubeObject[]> =>
  (await pods(name)).filter((pod) => !['Succeeded', 'Failed'].includes(String(statusOf(pod)['phase'])) && pod.metadata.deletionTimestamp === undefined)
const podsWhen = (name: string, count: number): Promise<KubeObject[]> =>
  at.until(`${String(count)} active pods of ${name}`, async () => ((await active(name)).length === count ? active(name) : null))
const status = async (name: string): Promise<JsonObject> => statusOf(await at.get(JOBS, name))
const condition = async (name: string, type: string): Promise<JsonObject | undefined> =>
  objectsAt((await status(name))['conditions']).find((each) => each['type'] === type && each['status'] === 'True')
const ended = (name: string, type: 'Complete' | 'Failed'): Promise<JsonObject> => at.until(`${name} ${type}`, () => condition(name, type))
const terminated = (exitCode: number): JsonObject => ({
  containerStatuses: [
    {
      name: 'main',
      image: 'work:1',
      imageID: '',
      ready: false,
      restartCount: 0,
      state: { terminated: { exitCode, finishedAt: `${new Date(at.clock.now()).toISOString().slice(0, 19)}Z` } },
    },
  ],
})
const end = async (pod: KubeObject, phase: 'Succeeded' | 'Failed', exitCode = phase === 'Failed' ? 1 : 0): Promise<void> => {
  await at.setPod(pod.metadata.name ?? '', phase, terminated(exitCode))
}
const indexOf = (pod: KubeObject): string => pod.metadata.annotations?.['batch.kubernetes.io/job-completion-index'] ?? ''

describe('jobController', () => {
  it('runs as many at a time as asked until enough have succeeded', async () => {
    await at.create(JOBS, job('count', { parallelism: 2, completions: 3 }))
    const first = await podsWhen('count', 2)
    expect(first[0]?.metadata.finalizers).toEqual(['batch.kubernetes.io/job-tracking'])
    for (const pod of first) await end(pod, 'Succeeded')
    const [last] = await podsWhen('count', 1)
    if (last !== undefined) await end(last, 'Succeeded')
    expect(await ended('count', 'Complete')).toMatchObject({ reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' })
    expect(await status('count')).toMatchObject({ succeeded: 3, uncountedTerminatedPods: {}, terminating: 0, ready: 0 })
    await at.until('pods are let go', async () => (await pods('count')).every(({ metadata }) => metadata.finalizers === undefined))
    expect((await at.events('count')).at(-1)).toBe('Completed: Job completed')
  })

  it('replaces a failed pod after 10 seconds, then 20, and gives up past the limit', async () => {
    await at.create(JOBS, job('poor', { backoffLimit: 2 }))
    for (const waitMs of [10_000, 20_000]) {
      const [pod] = await podsWhen('poor', 1)
      const failed = (await status('poor'))['failed'] ?? 0
      if (pod !== undefined) await end(pod, 'Failed')
      await at.until('failure counted', async () => (await status('poor'))['failed'] === Number(failed) + 1)
      await at.clock.advance(waitMs - 1_100)
      expect(await active('poor')).toEqual([])
      await at.clock.advance(1_200)
    }
    const [pod] = await podsWhen('poor', 1)
    if (pod !== undefined) await end(pod, 'Failed')
    expect(await ended('poor', 'Failed')).toMatchObject({ reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' })
    expect((await at.events('poor')).at(-1)).toBe('BackoffLimitExceeded: Job has reached the specified backoff limit')
  })

  it('ends at its deadline and removes what runs', async () => {
    await at.create(JOBS, job('slow', { activeDeadlineSeconds: 60 }))
    await podsWhen('slow', 1)
    await at.until('started', async () => (await status('slow'))['startTime'] !== undefined)
    await at.clock.advance(61_000)
    expect(await ended('slow', 'Failed')).toMatchObject({ reason: 'DeadlineExceeded' })
    expect(await active('slow')).toEqual([])
  })

  it('gives each index one success, with its number in the environment', async () => {
    await at.create(JOBS, job('parts', { completionMode: 'Indexed', completions: 4, parallelism: 4 }))
    const made = await podsWhen('parts', 4)
    expect(made.map(indexOf).sort()).toEqual(['0', '1', '2', '3'])
    const zero = made.find((pod) => indexOf(pod) === '0')
    expect(specOf(zero ?? { metadata: {} })['hostname']).toBe('parts-0')
    expect(objectsAt(objectsAt(specOf(zero ?? { metadata: {} })['containers'])[0]?.['env'])).toContainEqual({
      name: 'JOB_COMPLETION_INDEX',
      valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" } },
    })
    for (const pod of made) if (indexOf(pod) !== '2') await end(pod, 'Succeeded')
    await at.until('three', async () => (await status('parts'))['completedIndexes'] === '0,1,3')
    for (const pod of made) if (indexOf(pod) === '2') await end(pod, 'Succeeded')
    await ended('parts', 'Complete')
    expect((await status('parts'))['completedIndexes']).toBe('0-3')
  })

  it('fails at once for an exit code that its failure policy names, and does not count ignored failures', async () => {
    const rules = [
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
    ]
    await at.create(JOBS, job('strict', { podFailurePolicy: { rules } }))
    const [first] = await podsWhen('strict', 1)
    if (first !== undefined)
      await at.setPod(first.metadata.name ?? '', 'Failed', {
        ...terminated(137),
        conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }],
      })
    const [second] = await at.until('replaced', async () => {
      const list = await active('strict')
      return list[0] !== undefined && list[0].metadata.name !== first?.metadata.name ? list : null
    })
    expect((await status('strict'))['failed']).toBeUndefined()
    if (second !== undefined) await end(second, 'Failed', 42)
    expect(await ended('strict', 'Failed')).toMatchObject({
      reason: 'PodFailurePolicy',
      message: `Container main for pod jobs/${second?.metadata.name ?? ''} failed with exit code 42 matching FailJob rule at index 1`,
    })
  })

  it('succeeds early by its success policy', async () => {
    await at.create(
      JOBS,
      job('leader', { completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy: { rules: [{ succeededIndexes: '0', succeededCount: 1 }] } }),
    )
    const made = await podsWhen('leader', 3)
    for (const pod of made) if (indexOf(pod) === '0') await end(pod, 'Succeeded')
    expect(await at.until('met', () => condition('leader', 'SuccessCriteriaMet'))).toMatchObject({
      reason: 'SuccessPolicy',
      message: 'Matched rules at index 0',
    })
    expect(await ended('leader', 'Complete')).toMatchObject({ reason: 'SuccessPolicy' })
  })

  it('fails indexes one by one with a limit per index', async () => {
    await at.create(JOBS, job('each', { completionMode: 'Indexed', completions: 2, parallelism: 2, backoffLimitPerIndex: 0 }))
    const made = await podsWhen('each', 2)
    for (const pod of made) await end(pod, indexOf(pod) === '1' ? 'Succeeded' : 'Failed')
    expect(await ended('each', 'Failed')).toMatchObject({ reason: 'FailedIndexes', message: 'Job has failed indexes' })
    expect(await status('each')).toMatchObject({ failedIndexes: '0', completedIndexes: '1' })
  })

  it('stops while suspended and starts its clock anew when resumed', async () => {
    await at.create(JOBS, job('held', { suspend: true }))
    expect(await at.until('suspended', () => condition('held', 'Suspended'))).toMatchObject({ reason: 'JobSuspended' })
    expect(await pods('held')).toEqual([])
    await at.patch(JOBS, 'held', { spec: { suspend: false } })
    await podsWhen('held', 1)
    await at.patch(JOBS, 'held', { spec: { suspend: true } })
    await podsWhen('held', 0)
    expect(await at.events('held')).toEqual(expect.arrayContaining(['Suspended: Job suspended', 'Resumed: Job resumed']))
  })

  it('counts each failure once when the controllers restart after every one, and gives up past the limit', async () => {
    await at.create(JOBS, job('restarted', { backoffLimit: 3 }))
    const seen = new Set<string>()
    for (let failures = 1; failures <= 4; failures++) {
      const [pod] = await podsWhen('restarted', 1)
      seen.add(pod?.metadata.name ?? '')
      // Every other pod ends while no controller looks; the others are counted and let go, and may be deleted meanwhile.
      if (failures % 2 === 0) await stop()
      if (pod !== undefined) await end(pod, 'Failed')
      if (failures % 2 === 0) await restart()
      await at.until('failure counted', async () => (await status('restarted'))['failed'] === failures)
      await at.until('pod let go', async () =>
        (await pods('restarted')).every((each) => each.metadata.finalizers === undefined || each.metadata.name !== pod?.metadata.name),
      )
      if (failures % 2 === 1) {
        await restart()
        await at.removePod(pod?.metadata.name ?? '')
      }
      await at.clock.advance(90_000)
    }
    expect(await ended('restarted', 'Failed')).toMatchObject({ reason: 'BackoffLimitExceeded' })
    await at.clock.advance(3_600_000)
    expect(seen.size).toBe(4)
    expect(await status('restarted')).toMatchObject({ failed: 4, uncountedTerminatedPods: {} })
    expect(await active('restarted')).toEqual([])
  })

  it('counts what a crash left between the list of uncounted pods and the figures', async () => {
    await stop()
    const made = await at.create(JOBS, job('crashed', { completions: 2, parallelism: 1 }))
    const uid = made.metadata.uid ?? ''
    await at.patch(
      JOBS,
      'crashed',
      { status: { startTime: '2026-01-01T00:00:00Z', uncountedTerminatedPods: { succeeded: ['gone-with-its-finalizer'] } } },
      'status',
    )
    await restart()
    const [last] = await podsWhen('crashed', 1)
    if (last !== undefined) await end(last, 'Succeeded')
    await ended('crashed', 'Complete')
    expect(await status('crashed')).toMatchObject({ succeeded: 2, uncountedTerminatedPods: {} })
    expect((await pods('crashed')).filter(({ metadata }) => metadata.ownerReferences?.[0]?.uid === uid)).toHaveLength(1)
  })

  it('makes no pod for a job of an older build that has no selector, and says so', async () => {
    const bare = await at.create(JOBS, job('bare', { suspend: true }))
    const spec = { ...specOf(bare), suspend: false, selector: undefined, template: { ...objectAt(specOf(bare)['template']), metadata: {} } }
    await at.store('/registry/jobs/jobs/bare', { ...bare, apiVersion: 'batch/v1', kind: 'Job', metadata: { ...bare.metadata, managedFields: undefined }, spec })
    await at.until('told', async () => (await at.events('bare')).some((text) => text.includes('does not select the pods of its own template')))
    await at.clock.advance(3_600_000)
    expect(await pods('bare')).toEqual([])
    expect((await at.list(PODS)).filter(({ metadata }) => metadata.generateName === 'bare-')).toEqual([])
  })
})
