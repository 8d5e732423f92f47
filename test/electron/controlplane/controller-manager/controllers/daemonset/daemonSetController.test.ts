import { describe, expect, it } from 'vitest'
import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { DAEMON_SETS, NODES, PODS } from '#electron/client/resources.ts'
import { objectsAt, specOf, statusOf } from '#electron/controlplane/controller-manager/controller.ts'
import { daemonSetController } from '#electron/controlplane/controller-manager/controllers/daemonset/daemonSetController.ts'
import { controllerFixture } from '../../../controllerFixture.ts'

const at = await controllerFixture()
await at.namespace('agents')

const patchNode = (name: string, patch: object): Promise<KubeObject> => at.client.patch(NODES, { name }, patch, { type: 'merge' }, at.signal)
async function node(name: string, labels: Record<string, string> = {}): Promise<void> {
  await at.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } })
  // Nobody lifts the taint that a new node gets here.
  await patchNode(name, { spec: { taints: null } })
}

const daemonSet = (name: string, spec: JsonObject = {}): object => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { ...spec, containers: [{ name: 'main', image: 'agent:1' }] } },
  },
})

/** The node that a pod was made for. */
function pinnedTo(pod: KubeObject): string {
  const required = objectAt(objectAt(objectAt(specOf(pod)['affinity'])['nodeAffinity'])['requiredDuringSchedulingIgnoredDuringExecution'])
  const [field] = objectsAt(required['nodeSelectorTerms']).flatMap(({ matchFields }) => objectsAt(matchFields))
  return (field?.['values'] as string[] | undefined)?.[0] ?? ''
}
const nodesOf = async (app: string): Promise<string[]> =>
  (await at.list(PODS))
    .filter(({ metadata }) => metadata.labels?.['app'] === app && metadata.deletionTimestamp === undefined)
    .map(pinnedTo)
    .sort()
const runsOn = (app: string, ...nodes: string[]): Promise<unknown> =>
  at.until(`${app} on ${nodes.join()}`, async () => ((await nodesOf(app)).join() === nodes.join() ? true : null))
const status = async (name: string): Promise<JsonObject> => statusOf(await at.get(DAEMON_SETS, name))

await node('one', { disk: 'ssd' })
await node('two')
at.run((context) => [daemonSetController(context)])

describe('daemonSetController', () => {
  it('keeps a pod on each node as nodes come, and one where the node selector is met as labels change', async () => {
    await at.create(DAEMON_SETS, daemonSet('all'))
    await at.create(DAEMON_SETS, daemonSet('fast', { nodeSelector: { disk: 'ssd' } }))
    await runsOn('all', 'one', 'two')
    await runsOn('fast', 'one')
    await node('three')
    await runsOn('all', 'one', 'three', 'two')
    await patchNode('three', { metadata: { labels: { disk: 'ssd' } } })
    await runsOn('fast', 'one', 'three')
    await patchNode('one', { metadata: { labels: { disk: 'hdd' } } })
    await runsOn('fast', 'three')
    await at.until('its status says so', async () => (await status('fast'))['desiredNumberScheduled'] === 1)
  })

  it('heeds taints: one with NoExecute ends its pods, one with NoSchedule leaves those that are there where they do not belong', async () => {
    await patchNode('two', { spec: { taints: [{ key: 'team', value: 'red', effect: 'NoExecute' }] } })
    await runsOn('all', 'one', 'three')
    await patchNode('three', { spec: { taints: [{ key: 'team', value: 'red', effect: 'NoSchedule' }] } })
    await at.until('one is misscheduled', async () => (await status('all'))['numberMisscheduled'] === 1)
    expect(await nodesOf('all')).toEqual(['one', 'three'])
    await patchNode('two', { spec: { taints: null } })
    await runsOn('all', 'one', 'three', 'two')
  })

  it('leaves the pods of a node that is cordoned, and makes one there again', async () => {
    await patchNode('one', { spec: { unschedulable: true } })
    const [pod] = (await at.list(PODS)).filter((each) => each.metadata.labels?.['app'] === 'all' && pinnedTo(each) === 'one')
    await at.removePod(pod?.metadata.name ?? '')
    await at.until('another one', async () =>
      (await at.list(PODS)).some((each) => each.metadata.labels?.['app'] === 'all' && pinnedTo(each) === 'one' && each.metadata.uid !== pod?.metadata.uid),
    )
    await runsOn('all', 'one', 'three', 'two')
  })
})
