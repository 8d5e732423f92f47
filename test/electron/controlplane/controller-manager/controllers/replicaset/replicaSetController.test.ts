import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { PODS, REPLICA_SETS, REPLICATION_CONTROLLERS } from '#electron/client/resources.ts'
import { controllerRef, isPodActive, isPodReady, statusOf } from '#electron/controlplane/controller-manager/controller.ts'
import { replicaSetController } from '#electron/controlplane/controller-manager/controllers/replicaset/replicaSetController.ts'
import { controllerFixture } from '../../../controllerFixture.ts'

const at = await controllerFixture()
await at.namespace('sets')
at.run((context) => [
  replicaSetController(context),
  replicaSetController(context, { gvr: REPLICATION_CONTROLLERS, kind: 'ReplicationController', name: 'replicationmanager' }),
])

const template = (name: string): JsonObject => ({
  metadata: { labels: { app: name, tier: 'web' } },
  spec: { containers: [{ name: 'main', image: 'web:1' }] },
})
const replicaSet = (name: string, spec: JsonObject = {}): object => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name },
  spec: { replicas: 3, selector: { matchLabels: { app: name } }, template: template(name), ...spec },
})
const barePod = (name: string, labels: Record<string, string>): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: { containers: [{ name: 'main', image: 'web:1' }] },
})

const ownedBy = async (owner: string): Promise<KubeObject[]> => (await at.list(PODS)).filter((pod) => controllerRef(pod)?.name === owner)
const activeOf = async (owner: string): Promise<KubeObject[]> => (await ownedBy(owner)).filter(isPodActive)
const namesOf = async (owner: string): Promise<string[]> => (await activeOf(owner)).map(({ metadata }) => metadata.name ?? '')

/** What the status should be, counted over the pods that there are. */
async function counted(name: string): Promise<JsonObject> {
  const pods = await activeOf(name)
  const ready = pods.filter(isPodReady).length
  const labeled = pods.filter(({ metadata }) => metadata.labels?.['tier'] === 'web').length
  return {
    replicas: pods.length,
    ...(labeled === 0 ? {} : { fullyLabeledReplicas: labeled }),
    ...(ready === 0 ? {} : { readyReplicas: ready, availableReplicas: ready }),
    observedGeneration: 1,
  }
}

async function settled(name: string, gvr = REPLICA_SETS): Promise<JsonObject> {
  return at.until(`the status of ${name} is what its pods are`, async () => {
    const { terminatingReplicas: _, ...status } = statusOf(await at.get(gvr, name))
    const expected = await counted(name)
    const isThere = Object.keys({ ...expected, ...status }).every((field) => status[field] === expected[field])
    return isThere && (await activeOf(name)).length === 3 ? status : null
  })
}

describe('replicaSetController', () => {
  it('tells how many pods there are, are ready and have all labels, after whatever became of them', async () => {
    const random = new SeededRandom(11)
    await at.create(REPLICA_SETS, replicaSet('web'))
    await settled('web')
    for (let round = 0; round < 30; round++) {
      const names = await namesOf('web')
      const name = names[random.below(names.length)] ?? ''
      switch (random.below(5)) {
        case 0:
          await at.setPod(name, 'Failed')
          break
        case 1:
          await at.removePod(name)
          break
        case 2:
          await at.patch(PODS, name, { metadata: { labels: { tier: random.below(2) === 0 ? null : 'web' } } })
          break
        case 3:
          await at.setPod(name, 'Running')
          break
        default:
          await at.setPod(name, 'Ready')
      }
      await settled('web')
    }
    expect(await settled('web')).toMatchObject({ replicas: 3 })
  })

  it('takes a pod of nobody that matches, and lets go one that does not match any more', async () => {
    await at.create(PODS, barePod('found', { app: 'kept' }))
    await at.create(PODS, barePod('other', { app: 'else' }))
    await at.create(REPLICA_SETS, replicaSet('kept'))
    await settled('kept')
    expect(await namesOf('kept')).toContain('found')
    expect(controllerRef(await at.get(PODS, 'other'))).toBeUndefined()
    await at.patch(PODS, 'found', { metadata: { labels: { app: 'else' } } })
    await at.until('it is let go', async () => controllerRef(await at.get(PODS, 'found')) === undefined)
    await settled('kept')
    const made = await namesOf('kept')
    await at.setPod('found', 'Ready')
    await at.patch(PODS, 'found', { metadata: { labels: { app: 'kept' } } })
    // It is one too many; the only one that is ready stays.
    await at.until('one of the others goes', async () => {
      const now = await namesOf('kept')
      return now.length === 3 && now.includes('found')
    })
    expect((await namesOf('kept')).filter((name) => made.includes(name))).toHaveLength(2)
    await settled('kept')
  })

  it('removes pods that are not ready before those that are', async () => {
    await at.create(REPLICA_SETS, replicaSet('less'))
    await settled('less')
    const [, second = ''] = await namesOf('less')
    await at.setPod(second, 'Ready')
    await settled('less')
    await at.patch(REPLICA_SETS, 'less', { spec: { replicas: 1 } })
    await at.until('two go', async () => (await namesOf('less')).length === 1)
    expect(await namesOf('less')).toEqual([second])
  })

  it('counts a ready pod as available once it was ready for long enough', async () => {
    await at.create(REPLICA_SETS, replicaSet('slow', { replicas: 1, minReadySeconds: 10 }))
    const [name = ''] = await at.until('a pod', async () => ((await namesOf('slow')).length === 1 ? namesOf('slow') : null))
    await at.setPod(name, 'Ready')
    await at.until('it is ready', async () => statusOf(await at.get(REPLICA_SETS, 'slow'))['readyReplicas'] === 1)
    expect(statusOf(await at.get(REPLICA_SETS, 'slow'))['availableReplicas']).toBeUndefined()
    at.clock.advance(10_000)
    await at.until('it is available', async () => statusOf(await at.get(REPLICA_SETS, 'slow'))['availableReplicas'] === 1)
  })

  it('does the same for a ReplicationController, whose selector may change', async () => {
    await at.create(REPLICATION_CONTROLLERS, {
      apiVersion: 'v1',
      kind: 'ReplicationController',
      metadata: { name: 'old' },
      spec: { replicas: 3, selector: { app: 'old' }, template: template('old') },
    })
    await settled('old', REPLICATION_CONTROLLERS)
    const before = await namesOf('old')
    await at.patch(REPLICATION_CONTROLLERS, 'old', {
      spec: { selector: { app: 'new' }, template: { metadata: { labels: { app: 'new', tier: 'web' } } } },
    })
    await at.until('all are let go and others made', async () => {
      const now = await namesOf('old')
      return now.length === 3 && now.every((name) => !before.includes(name))
    })
    for (const name of before) expect(controllerRef(await at.get(PODS, name))).toBeUndefined()
  })
})
