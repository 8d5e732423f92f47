import { afterAll, describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import type { TransportRequest } from '#shared/kubernetes/transport.ts'
import { LEASES } from '#electron/client/resources.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { ApiClient } from '#electron/controlplane/kubelet/apiClient.ts'
import { NodeLease } from '#electron/controlplane/kubelet/nodeLease.ts'
import { ownApiServer } from '#test/support/ownApiServer.ts'

const clock = new FakeClock()
const { api, etcd } = await ownApiServer({ clock, kubernetesVersion: 'v1.30.0' })
afterAll(async () => {
  await api.close()
  await etcd.close()
})
const { signal } = new AbortController()
const admin = new RestClient(api.transport({ username: 'admin', groups: ['system:masters'] }))
const where = { namespace: 'kube-node-lease', name: 'n1' }
const asked: string[] = []
const inner = api.transport({ username: 'system:node:n1', groups: ['system:nodes'] })
const transport = {
  request: (request: TransportRequest) => {
    asked.push(request.method)
    return inner.request(request)
  },
  stream: inner.stream.bind(inner),
}
let nodeUid = 'u-1'
const lease = new NodeLease({ api: new ApiClient(transport), clock, name: 'n1', nodeUid: () => nodeUid })
const renew = async (): Promise<string[]> => {
  asked.length = 0
  await clock.advance(10_000)
  await lease.renew(signal)
  return [...asked]
}
const renewTime = async (): Promise<unknown> => ((await admin.get(LEASES, where, signal))['spec'] as { renewTime: string }).renewTime
const now = (): string => new Date(clock.now()).toISOString().replace('Z', '000Z')

describe('NodeLease', () => {
  it('makes the lease, owned by its node', async () => {
    expect(await renew()).toEqual(['GET', 'POST'])
    expect((await admin.get(LEASES, where, signal)).metadata.ownerReferences).toEqual([{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u-1' }])
  })

  it('writes it again without reading it before', async () => {
    expect(await renew()).toEqual(['PUT'])
    expect(await renewTime()).toBe(now())
  })

  it('reads it when somebody else has written it, and keeps what they wrote', async () => {
    await admin.patch(LEASES, where, { metadata: { labels: { team: 'red' } } }, { type: 'merge' }, signal)
    expect(await renew()).toEqual(['PUT', 'GET', 'PUT'])
    expect((await admin.get(LEASES, where, signal)).metadata.labels).toEqual({ team: 'red' })
    expect(await renewTime()).toBe(now())
    expect(await renew()).toEqual(['PUT'])
  })

  it('makes it anew when it is gone with its node, owned by the new one', async () => {
    await admin.delete(LEASES, where, {}, signal)
    nodeUid = 'u-2'
    // A PUT makes a lease that is not there.
    expect(await renew()).toEqual(['PUT'])
    expect(await renewTime()).toBe(now())
    expect((await admin.get(LEASES, where, signal)).metadata.ownerReferences).toEqual([{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u-2' }])
  })
})
