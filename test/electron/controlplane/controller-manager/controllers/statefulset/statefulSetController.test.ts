import { describe, expect, it } from 'vitest'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from '#electron/client/resources.ts'
import { specOf, statusOf } from '#electron/controlplane/controller-manager/controller.ts'
import { statefulSetController } from '#electron/controlplane/controller-manager/controllers/statefulset/statefulSetController.ts'
import { controllerFixture } from '../../../controllerFixture.ts'

const at = await controllerFixture()
await at.namespace('sets')
at.run((context) => [statefulSetController(context)])

const statefulSet = (name: string, spec: JsonObject = {}): object => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name },
  spec: {
    serviceName: name,
    replicas: 3,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'web:1' }] } },
    ...spec,
  },
})

const names = async (app: string): Promise<string[]> =>
  (await at.list(PODS))
    .filter((pod) => pod.metadata.labels?.['app'] === app && pod.metadata.deletionTimestamp === undefined)
    .map((pod) => pod.metadata.name ?? '')
const exists = (name: string) => async (): Promise<KubeObject | undefined> =>
  (await at.list(PODS)).find((pod) => pod.metadata.name === name && pod.metadata.deletionTimestamp === undefined)
const ready = async (name: string): Promise<void> => {
  await at.until(name, exists(name))
  await at.setPod(name, 'Ready')
}
const image = (pod: KubeObject): unknown => (specOf(pod)['containers'] as { image: string }[] | undefined)?.[0]?.image
const status = async (name: string): Promise<JsonObject> => statusOf(await at.get(STATEFUL_SETS, name))

describe('statefulSetController', () => {
  it('makes pods one after the other, each once the one before is ready, with its claims', async () => {
    const claims = [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }]
    await at.create(STATEFUL_SETS, statefulSet('web', { volumeClaimTemplates: claims }))
    const first = await at.until('web-0', exists('web-0'))
    expect(first.metadata.labels).toMatchObject({ 'statefulset.kubernetes.io/pod-name': 'web-0', 'apps.kubernetes.io/pod-index': '0' })
    expect(first.metadata.labels?.['controller-revision-hash']).toMatch(/^web-[0-9a-z]+$/)
    expect(specOf(first)).toMatchObject({ hostname: 'web-0', subdomain: 'web' })
    expect(specOf(first)['volumes']).toContainEqual({ name: 'data', persistentVolumeClaim: { claimName: 'data-web-0' } })
    await at.until('status', async () => (await status('web'))['replicas'] === 1)
    expect(await names('web')).toEqual(['web-0'])
    await ready('web-0')
    await ready('web-1')
    await ready('web-2')
    const done = await at.until('three ready', async () => ((await status('web'))['readyReplicas'] === 3 ? status('web') : null))
    expect(done).toMatchObject({ replicas: 3, currentReplicas: 3, updatedReplicas: 3, availableReplicas: 3, collisionCount: 0, observedGeneration: 1 })
    expect((await at.list(PERSISTENT_VOLUME_CLAIMS)).map(({ metadata }) => metadata.name)).toEqual(['data-web-0', 'data-web-1', 'data-web-2'])
    expect((await at.events('web')).slice(0, 4)).toEqual([
      'SuccessfulCreate: create Claim data-web-0 Pod web-0 in StatefulSet web success',
      'SuccessfulCreate: create Pod web-0 in StatefulSet web successful',
      'SuccessfulCreate: create Claim data-web-1 Pod web-1 in StatefulSet web success',
      'SuccessfulCreate: create Pod web-1 in StatefulSet web successful',
    ])
  })

  it('rolls from the highest ordinal down to the partition and keeps revisions', async () => {
    const before = await status('web')
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'web:2' }] } }
    await at.patch(STATEFUL_SETS, 'web', { spec: { template, updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } } })
    for (const name of ['web-2', 'web-1']) {
      await at.until(`${name} is replaced`, async () => image((await exists(name)()) ?? { metadata: {} }) !== 'web:1')
      await at.removePod(name)
      expect(image(await at.until(name, exists(name)))).toBe('web:2')
      await at.setPod(name, 'Ready')
    }
    const after = await at.until('rolled', async () =>
      (await status('web'))['updatedReplicas'] === 2 && (await status('web'))['readyReplicas'] === 3 ? status('web') : null,
    )
    expect(image(await at.get(PODS, 'web-0'))).toBe('web:1')
    expect(after['currentRevision']).toBe(before['updateRevision'])
    expect(after['updateRevision']).not.toBe(before['updateRevision'])
    expect((await at.list(CONTROLLER_REVISIONS)).map((each) => each['revision'])).toEqual(expect.arrayContaining([1, 2]))
    // Back to the first template: its revision becomes the newest.
    await at.patch(STATEFUL_SETS, 'web', { spec: { template: { ...template, spec: { containers: [{ name: 'main', image: 'web:1' }] } } } })
    await at.until('back', async () => (await status('web'))['updateRevision'] === before['updateRevision'])
    expect((await at.list(CONTROLLER_REVISIONS)).map((each) => each['revision']).sort()).toEqual([2, 3])
  })

  it('makes and removes all at once with the Parallel policy', async () => {
    await at.create(STATEFUL_SETS, statefulSet('fast', { podManagementPolicy: 'Parallel' }))
    await at.until('three', async () => (await names('fast')).length === 3)
    await at.patch(STATEFUL_SETS, 'fast', { spec: { replicas: 1 } })
    await at.until('one', async () => (await names('fast')).join() === 'fast-0')
  })

  it('does not touch pods of an old revision with OnDelete', async () => {
    await at.create(STATEFUL_SETS, statefulSet('kept', { replicas: 1, updateStrategy: { type: 'OnDelete' } }))
    await ready('kept-0')
    await at.patch(STATEFUL_SETS, 'kept', {
      spec: { template: { metadata: { labels: { app: 'kept' } }, spec: { containers: [{ name: 'main', image: 'web:2' }] } } },
    })
    await at.until('seen', async () => (await status('kept'))['observedGeneration'] === 2)
    expect(image(await at.get(PODS, 'kept-0'))).toBe('web:1')
    await at.removePod('kept-0')
    expect(image(await at.until('kept-0', exists('kept-0')))).toBe('web:2')
  })

  it('replaces a failed pod and says so', async () => {
    await at.setPod('kept-0', 'Failed')
    await at.until('deleted', async () => (await at.events('kept')).includes('RecreatingFailedPod: StatefulSet sets/kept is recreating failed Pod kept-0'))
  })

  it('numbers pods from ordinals.start', async () => {
    await at.create(STATEFUL_SETS, statefulSet('late', { replicas: 2, podManagementPolicy: 'Parallel', ordinals: { start: 5 } }))
    await at.until('late-6', async () => (await names('late')).join() === 'late-5,late-6')
  })

  it('gives claims to the set or the pod that they are to go with', async () => {
    const claims = [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }]
    const policy = { whenDeleted: 'Delete', whenScaled: 'Delete' }
    await at.create(
      STATEFUL_SETS,
      statefulSet('gone', { replicas: 2, podManagementPolicy: 'Parallel', volumeClaimTemplates: claims, persistentVolumeClaimRetentionPolicy: policy }),
    )
    const owner = (name: string) => async (): Promise<unknown> =>
      (await at.list(PERSISTENT_VOLUME_CLAIMS)).find(({ metadata }) => metadata.name === name)?.metadata.ownerReferences?.[0]?.kind
    await ready('gone-0')
    await ready('gone-1')
    await at.until('owned by the set', async () => (await owner('data-gone-1')()) === 'StatefulSet')
    await at.patch(STATEFUL_SETS, 'gone', { spec: { replicas: 1 } })
    await at.until('owned by the pod', async () => (await owner('data-gone-1')()) === 'Pod')
    expect(await owner('data-gone-0')()).toBe('StatefulSet')
  })
})
