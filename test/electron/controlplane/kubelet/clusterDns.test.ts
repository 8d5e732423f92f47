import { describe, expect, it } from 'vitest'
import { dnsRecords } from '#electron/controlplane/kubelet/clusterDns.ts'
import type { EndpointSlice, Service, ServiceView } from '#electron/controlplane/kubelet/serviceView.ts'
import type { DnsType } from '#electron/controlplane/kubelet/shell/process.ts'

const services: Service[] = [
  { metadata: { name: 'db', namespace: 'shop' }, spec: { clusterIP: '10.96.7.7', ports: [{ name: 'sql', port: 5432 }] } },
  { metadata: { name: 'peers', namespace: 'shop' }, spec: { clusterIP: 'None', ports: [{ name: 'sync', port: 7000 }] } },
  { metadata: { name: 'away', namespace: 'shop' }, spec: { type: 'ExternalName', externalName: 'db.shop.svc.cluster.local' } },
]
const slices: EndpointSlice[] = [
  {
    metadata: { name: 'peers-1', namespace: 'shop' },
    ports: [{ name: 'sync', port: 7000, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['10.244.1.2'], hostname: 'peer-0', conditions: { ready: true } },
      { addresses: ['10.244.1.3'], conditions: { ready: true } },
      { addresses: ['10.244.1.4'], conditions: { ready: false } },
    ],
  },
]
const view = {
  all: () => Promise.resolve(services),
  service: (namespace: string, name: string) => Promise.resolve(services.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)),
  slices: ({ metadata }: Service) => Promise.resolve(metadata.name === 'peers' ? slices : []),
} as unknown as ServiceView

describe('dnsRecords', () => {
  it.each<[string, DnsType, string[]]>([
    ['db.shop.svc.cluster.local', 'A', ['10.96.7.7']],
    ['DB.shop.svc.cluster.local.', 'A', ['10.96.7.7']],
    ['x.db.shop.svc.cluster.local', 'A', []],
    ['db.other.svc.cluster.local', 'A', []],
    ['peers.shop.svc.cluster.local', 'A', ['10.244.1.2', '10.244.1.3']],
    ['peer-0.peers.shop.svc.cluster.local', 'A', ['10.244.1.2']],
    ['10-244-1-3.peers.shop.svc.cluster.local', 'A', ['10.244.1.3']],
    ['10-244-1-3.shop.pod.cluster.local', 'A', ['10.244.1.3']],
    ['_sql._tcp.db.shop.svc.cluster.local', 'SRV', ['0 100 5432 db.shop.svc.cluster.local.']],
    ['_sql._udp.db.shop.svc.cluster.local', 'SRV', []],
    [
      '_sync._tcp.peers.shop.svc.cluster.local',
      'SRV',
      ['0 100 7000 peer-0.peers.shop.svc.cluster.local.', '0 100 7000 10-244-1-3.peers.shop.svc.cluster.local.'],
    ],
    ['away.shop.svc.cluster.local', 'CNAME', ['db.shop.svc.cluster.local.']],
    ['away.shop.svc.cluster.local', 'A', ['db.shop.svc.cluster.local.', '10.96.7.7']],
    ['7.7.96.10.in-addr.arpa', 'PTR', ['db.shop.svc.cluster.local.']],
    ['2.1.244.10.in-addr.arpa', 'PTR', ['peer-0.peers.shop.svc.cluster.local.']],
    ['dns-version.cluster.local', 'TXT', ['"1.1.0"']],
    ['example.org', 'A', []],
  ])('of %s %s', async (name, type, expected) => {
    expect((await dnsRecords(name, type, view)).map(({ data }) => data)).toEqual(expected)
  })
})
