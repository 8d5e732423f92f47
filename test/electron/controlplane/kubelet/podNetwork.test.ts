import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { ClusterNetwork, type NetworkPeer } from '#electron/controlplane/kubelet/podNetwork.ts'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const peer: NetworkPeer = {
  namespace: 'shop',
  hostname: 'client',
  podIP: '10.244.1.9',
  node: 'node-a',
  connectLocal: () => null,
  exchangeLocal: () => undefined,
}

describe('ClusterNetwork', () => {
  const dir = temporaryDirectory('pod-network')
  let api: EmbeddedApi | undefined
  const reached: string[] = []
  let network: ClusterNetwork | undefined

  beforeAll(async () => {
    api = await startEmbeddedApi(dir, 'v1.36.0')
    await api.call('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } })
    const services = [
      { name: 'any', spec: { clusterIP: '10.96.0.71' } },
      { name: 'near', spec: { clusterIP: '10.96.0.72', internalTrafficPolicy: 'Local' } },
      { name: 'far', spec: { clusterIP: '10.96.0.73', internalTrafficPolicy: 'Local' } },
      { name: 'none', spec: { clusterIP: '10.96.0.74' } },
      { name: 'outside', spec: { clusterIP: '10.96.0.75', type: 'LoadBalancer', externalTrafficPolicy: 'Local', externalIPs: ['198.51.100.7'] } },
    ]
    for (const { name, spec } of services) {
      await api.call('POST', '/api/v1/namespaces/shop/services', { metadata: { name }, spec: { ...spec, ports: [{ port: 80 }] } })
      const all = [
        { addresses: ['10.244.1.2'], nodeName: 'node-a' },
        { addresses: ['10.244.2.2'], nodeName: 'node-b' },
      ]
      await api.call('POST', '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices', {
        metadata: { name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        ports: [{ name: '', port: 8080 }],
        endpoints: name === 'none' ? [] : name === 'far' || name === 'outside' ? all.slice(1) : all,
      })
    }
    network = new ClusterNetwork({
      transport: api.transport,
      clock: new SystemClock(),
      random: new SeededRandom(3),
      dns: { ask: () => Promise.reject(new Error('nobody is asked')) },
      placeAt: (address) =>
        address.startsWith('10.244.')
          ? {
              isNode: false,
              connect: (port) => {
                reached.push(`${address}:${String(port)}`)
                return new PassThrough()
              },
              exchange: () => undefined,
            }
          : undefined,
    })
  })
  afterAll(() => api?.close())

  async function connect(address: string, times = 1): Promise<string[]> {
    reached.length = 0
    for (let time = 0; time < times; time++) await network?.connect({ address, port: 80 }, peer, new AbortController().signal)
    return [...new Set(reached)].sort()
  }

  it('spreads a Service over its endpoints', async () => {
    expect(await connect('10.96.0.71', 20)).toEqual(['10.244.1.2:8080', '10.244.2.2:8080'])
  })

  it('stays on the node with the internal policy Local', async () => {
    expect(await connect('10.96.0.72', 20)).toEqual(['10.244.1.2:8080'])
  })

  it('drops what this node has no endpoint of, and refuses what nobody has', async () => {
    await expect(connect('10.96.0.73')).rejects.toThrow('Connection timed out')
    await expect(connect('10.96.0.74')).rejects.toThrow('Connection refused')
  })

  it('leads a pod to an external address within the cluster, whatever the external policy is', async () => {
    expect(await connect('198.51.100.7')).toEqual(['10.244.2.2:8080'])
  })
})
