import { afterAll, describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { LEASES } from '#electron/client/resources.ts'
import { ApiClient } from '#electron/controlplane/kubelet/apiClient.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { ownApiServer } from '#test/support/ownApiServer.ts'

const where = (name: string): { gvr: typeof LEASES; namespace: string; name: string } => ({ gvr: LEASES, namespace: 'kube-node-lease', name })
const { signal } = new AbortController()
const at = (object: KubeObject, renewTime: string, change: object = {}): KubeObject => ({
  ...object,
  spec: { ...(object['spec'] as object), renewTime, ...change },
})

describe.each(['v1.20.2', 'v1.30.0'])('a renewal of a lease, %s', async (kubernetesVersion) => {
  const clock = new FakeClock()
  const { api, etcd } = await ownApiServer({ clock, kubernetesVersion })
  afterAll(async () => {
    await api.close()
    await etcd.close()
  })
  const user = { username: 'admin', groups: ['system:masters'] }
  /** Shares objects, so that its renewals take the short way. */
  const short = new ApiClient(api.transport(user))
  /** Shares none. */
  const long = new RestClient(api.transport(user), { userAgent: 'kubelet' })
  const make = async (name: string): Promise<KubeObject> => {
    const spec = { holderIdentity: 'n1', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' }
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace: 'kube-node-lease' }, spec }
    return short.create({ gvr: LEASES, namespace: 'kube-node-lease' }, lease, signal)
  }
  const comparable = ({ metadata: { name: _, uid: __, resourceVersion: ___, ...metadata }, ...rest }: KubeObject): unknown => ({ ...rest, metadata })

  it('writes what the long way writes, owners and their times with it', async () => {
    let [one, other] = [await make('one'), await make('other')]
    for (const second of [10, 20]) {
      await clock.advance(10_000)
      const renewTime = `2026-01-01T00:00:${String(second)}.000000Z`
      one = await short.update(where('one'), at(one, renewTime), signal)
      other = await long.update(LEASES, where('other'), at(other, renewTime), signal)
      expect((one['spec'] as { renewTime: string }).renewTime).toBe(renewTime)
      expect(comparable(one)).toEqual(comparable(other))
    }
    expect(comparable(await long.get(LEASES, where('one'), signal))).toEqual(comparable(await long.get(LEASES, where('other'), signal)))
  })

  it('is refused as a conflict after another write, and as invalid with what is wrong beside it', async () => {
    const lease = await make('refused')
    const renewTime = '2026-01-01T00:01:00.000000Z'
    await long.patch(LEASES, where('refused'), { metadata: { labels: { team: 'red' } } }, { type: 'merge' }, signal)
    await expect(short.update(where('refused'), at(lease, renewTime), signal)).rejects.toMatchObject({ code: 409 })
    const newer = await short.get(where('refused'), signal)
    await expect(short.update(where('refused'), at(newer, renewTime, { leaseDurationSeconds: -1 }), signal)).rejects.toMatchObject({ code: 422 })
    expect((await short.update(where('refused'), at(newer, renewTime), signal)).metadata.labels).toEqual({ team: 'red' })
  })
})
