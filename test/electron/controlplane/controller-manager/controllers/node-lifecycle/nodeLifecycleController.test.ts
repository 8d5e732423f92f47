import { setImmediate } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { LEASES, NODES, PODS } from '#electron/client/resources.ts'
import { objectsAt, specOf, statusOf } from '#electron/controlplane/controller-manager/controller.ts'
import { nodeLifecycleController } from '#electron/controlplane/controller-manager/controllers/node-lifecycle/nodeLifecycleController.ts'
import { controllerFixture } from '#test/electron/controlplane/controllerFixture.ts'

// Before 1.32 a node may be silent for 40 seconds.
const at = await controllerFixture('v1.30.0')
await at.namespace('lifecycle')
beforeAll(() => {
  at.run((context) => [nodeLifecycleController(context)])
})

const seconds = (count: number): Promise<void> => at.clock.advance(count * 1000)
const stamp = (): string => `${new Date(at.clock.now()).toISOString().slice(0, 19)}Z`
const condition = (type: string, status: string): JsonObject => ({
  type,
  status,
  reason: 'KubeletHasSufficient',
  lastHeartbeatTime: stamp(),
  lastTransitionTime: stamp(),
})

/** A node as its kubelet registers it, with a lease. */
async function register(name: string, conditions: JsonObject[]): Promise<void> {
  await at.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { conditions } })
  await at.client.create(
    LEASES,
    { namespace: 'kube-node-lease' },
    {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name },
      spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime: microTime() },
    },
    at.signal,
  )
}
const microTime = (): string => new Date(at.clock.now()).toISOString().replace('Z', '000Z')
const renew = (name: string): Promise<unknown> =>
  at.client.patch(LEASES, { namespace: 'kube-node-lease', name }, { spec: { renewTime: microTime() } }, { type: 'merge' }, at.signal)
const healthy = (): JsonObject[] => [
  condition('Ready', 'True'),
  condition('MemoryPressure', 'False'),
  condition('DiskPressure', 'False'),
  condition('PIDPressure', 'False'),
]

const node = (name: string): Promise<KubeObject> => at.get(NODES, name, '')
const conditionsOf = async (name: string): Promise<string[]> =>
  objectsAt(statusOf(await node(name))['conditions']).map(({ type, status }) => `${String(type)}=${String(status)}`)
const taintsOf = async (name: string): Promise<string[]> =>
  objectsAt(specOf(await node(name))['taints'])
    .map(({ key, effect }) => `${String(key)}:${String(effect)}`)
    .sort()
const untilTaints = (name: string, taints: string[]): Promise<unknown> =>
  at.until(`${name} has ${taints.join()}`, async () => (await taintsOf(name)).join() === taints.join())

const pod = (name: string, nodeName: string, tolerations: JsonObject[] = []): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { nodeName, terminationGracePeriodSeconds: 0, tolerations, containers: [{ name: 'main', image: 'main:1' }] },
})
const exists = async (name: string): Promise<boolean> => {
  try {
    return (await at.get(PODS, name)).metadata.deletionTimestamp === undefined
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}
/** What is under way without time passing has been done. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 200; turn++) await setImmediate()
}
const UNREACHABLE = 'node.kubernetes.io/unreachable'

describe('nodeLifecycleController', () => {
  it('takes the first taint of a node off once its kubelet says that it is ready', async () => {
    await register('first', healthy())
    await untilTaints('first', [])
  })

  it('leaves a node whose lease is renewed alone, whatever its own clock says', async () => {
    await register('renewing', [{ ...condition('Ready', 'True'), lastHeartbeatTime: '2020-01-01T00:00:00Z' }])
    for (let beat = 0; beat < 8; beat++) {
      await seconds(10)
      await renew('renewing')
      await settled()
    }
    expect(await conditionsOf('renewing')).toEqual(['Ready=True'])
  })

  it('finds a node unknown that was silent for 40 seconds, taints it and says so of its pods', async () => {
    await register('silent', healthy())
    await untilTaints('silent', [])
    await at.create(PODS, pod('told', 'silent', [{ key: UNREACHABLE, operator: 'Exists', effect: 'NoExecute' }]))
    await at.setPod('told', 'Ready')
    await settled()
    await seconds(35)
    await settled()
    expect(await conditionsOf('silent')).toContain('Ready=True')
    await seconds(5)
    await untilTaints('silent', [`${UNREACHABLE}:NoExecute`, `${UNREACHABLE}:NoSchedule`])
    expect(await conditionsOf('silent')).toEqual(['Ready=Unknown', 'MemoryPressure=Unknown', 'DiskPressure=Unknown', 'PIDPressure=Unknown'])
    const ready = await at.until('the pod is not ready', async () =>
      objectsAt(statusOf(await at.get(PODS, 'told'))['conditions']).find(({ type, status }) => type === 'Ready' && status === 'False'),
    )
    expect(ready['lastTransitionTime']).toBe(stamp())
    await at.until('the event', async () => (await at.events('told')).includes('NodeNotReady: Node is not ready'))
  })

  it('evicts by each pod’s toleration, counted from when it was first seen beside the taint', async () => {
    const bears = (tolerationSeconds?: number): JsonObject[] => [
      { key: 'team', operator: 'Exists', effect: 'NoExecute', ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }) },
    ]
    await register('shunned', healthy())
    await untilTaints('shunned', [])
    await at.create(PODS, pod('bears-nothing', 'shunned'))
    await at.create(PODS, pod('bears-a-while', 'shunned', bears(30)))
    await at.create(PODS, pod('bears-all', 'shunned', bears()))
    await settled()
    // Taints by hand need not say since when.
    await at.client.patch(NODES, { name: 'shunned' }, { spec: { taints: [{ key: 'team', value: 'red', effect: 'NoExecute' }] } }, { type: 'merge' }, at.signal)
    await at.until('it goes at once', async () => !(await exists('bears-nothing')))
    await seconds(29)
    await settled()
    expect([await exists('bears-a-while'), await exists('bears-all')]).toEqual([true, true])
    await seconds(1)
    await at.until('it goes when its time is over', async () => !(await exists('bears-a-while')))
    // Its kubelet goes on all the while: a silent node's taint, which this pod does not bear for ever, would be another matter.
    for (let beat = 0; beat < 30; beat++) {
      await renew('shunned')
      await settled()
      await seconds(20)
    }
    expect(await exists('bears-all')).toBe(true)
    expect(await at.events('bears-nothing')).toContain('TaintManagerEviction: Marking for deletion Pod lifecycle/bears-nothing')
  })

  it('evicts nobody when the taint goes before the time is over', async () => {
    await register('forgiven', healthy())
    await untilTaints('forgiven', [])
    const taint = (taints: JsonObject[] | null): Promise<unknown> =>
      at.client.patch(NODES, { name: 'forgiven' }, { spec: { taints } }, { type: 'merge' }, at.signal)
    await at.create(PODS, pod('patient', 'forgiven', [{ key: 'team', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 20 }]))
    await taint([{ key: 'team', value: 'red', effect: 'NoExecute' }])
    await settled()
    await seconds(15)
    await taint(null)
    await settled()
    await renew('forgiven')
    await seconds(10)
    await settled()
    expect(await exists('patient')).toBe(true)
  })

  it('taints by conditions and by hand-made cordons, and takes those off alone', async () => {
    await register('pressed', [...healthy().slice(0, 2), condition('DiskPressure', 'True'), condition('PIDPressure', 'False')])
    await untilTaints('pressed', ['node.kubernetes.io/disk-pressure:NoSchedule'])
    await at.client.patch(NODES, { name: 'pressed' }, { spec: { unschedulable: true } }, { type: 'merge' }, at.signal)
    await untilTaints('pressed', ['node.kubernetes.io/disk-pressure:NoSchedule', 'node.kubernetes.io/unschedulable:NoSchedule'])
    const own = { key: 'team', value: 'red', effect: 'PreferNoSchedule' }
    const present = objectsAt(specOf(await node('pressed'))['taints'])
    await at.client.patch(NODES, { name: 'pressed' }, { spec: { unschedulable: false, taints: [...present, own] } }, { type: 'merge' }, at.signal)
    await untilTaints('pressed', ['node.kubernetes.io/disk-pressure:NoSchedule', 'team:PreferNoSchedule'])
  })
})
