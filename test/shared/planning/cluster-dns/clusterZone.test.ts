import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { ClusterZone, type ClusterNames } from '#shared/planning/cluster-dns/clusterZone.ts'
import { recordText } from '#shared/planning/cluster-dns/records.ts'

const service = (name: string, spec: object): KubeObject => ({ metadata: { name, namespace: 'shop' }, spec })
const services = [
  service('db', {
    clusterIP: '10.96.7.7',
    ports: [
      { name: 'sql', port: 5432 },
      { name: 'web', port: 80 },
    ],
  }),
  service('dual', { clusterIP: '10.96.7.8', clusterIPs: ['10.96.7.8', 'fd00:96::8'], ports: [{ name: 'sql', port: 5432 }] }),
  service('peers', { clusterIP: 'None', ports: [{ name: 'sync', port: 7000 }] }),
  service('portless', { clusterIP: 'None' }),
  service('nobody', { clusterIP: 'None', ports: [{ port: 1 }] }),
  service('away', { type: 'ExternalName', externalName: 'db.shop.svc.cluster.local' }),
  service('far', { type: 'ExternalName', externalName: 'example.com' }),
  service('round', { type: 'ExternalName', externalName: 'round.shop.svc.cluster.local' }),
  { metadata: { name: 'kube-dns', namespace: 'kube-system' }, spec: { clusterIP: '10.96.0.10', ports: [{ port: 53 }] } },
]
const slice = (of: string, more: object): KubeObject => ({
  metadata: { name: `${of}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': of } },
  ...more,
})
const slices = [
  slice('peers', {
    ports: [{ name: 'sync', port: 7000, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['10.244.1.2'], hostname: 'peer-0', conditions: { ready: true } },
      { addresses: ['10.244.1.3'], conditions: {} },
      { addresses: ['10.244.1.4'], conditions: { ready: false } },
      { addresses: ['fd00::5'] },
    ],
  }),
  slice('portless', { endpoints: [{ addresses: ['10.244.1.20'] }] }),
  slice('db', {
    ports: [
      { name: 'sql', port: 5432 },
      { name: 'web', port: 80 },
    ],
    endpoints: [{ addresses: ['10.244.1.9'] }],
  }),
]
const names: ClusterNames = {
  service: (namespace, name) => services.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace),
  servicesAt: (address) => services.filter(({ spec }) => (spec as { clusterIP?: string }).clusterIP === address),
  slices: (_, of) => slices.filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === of),
  slicesAt: (address) => slices.filter((each) => JSON.stringify(each['endpoints']).includes(`"${address}"`)),
  hasNamespace: (name) => name === 'shop' || name === 'kube-system',
  serial: 7,
}
const zone = new ClusterZone(names, { domain: 'cluster.local', ttlSeconds: 30, dnsService: { namespace: 'kube-system', name: 'kube-dns' } })
const ask = (name: string, type: string): string[] => zone.answer(name, type).answers.map((record) => `${record.type} ${recordText(record)}`)
const S = 'svc.cluster.local'

describe('ClusterZone', () => {
  // The table of the kubernetes plugin's documentation and of the DNS specification it names.
  it.each<[string, string, string[]]>([
    [`db.shop.${S}`, 'A', ['A 10.96.7.7']],
    [`DB.shop.${S}.`, 'A', ['A 10.96.7.7']],
    [`_sql._tcp.db.shop.${S}`, 'A', ['A 10.96.7.7']],
    [`10-244-1-9.db.shop.${S}`, 'A', ['A 10.244.1.9']],
    [`dual.shop.${S}`, 'A', ['A 10.96.7.8']],
    [`dual.shop.${S}`, 'AAAA', ['AAAA fd00:96::8']],
    [`dual.shop.${S}`, 'SRV', [`SRV 0 50 5432 dual.shop.${S}.`]],
    [`db.shop.${S}`, 'SRV', [`SRV 0 50 5432 db.shop.${S}.`, `SRV 0 50 80 db.shop.${S}.`]],
    [`_sql._tcp.db.shop.${S}`, 'SRV', [`SRV 0 100 5432 db.shop.${S}.`]],
    [`peers.shop.${S}`, 'A', ['A 10.244.1.2', 'A 10.244.1.3']],
    [`peers.shop.${S}`, 'AAAA', ['AAAA fd00::5']],
    [`portless.shop.${S}`, 'A', ['A 10.244.1.20']],
    [`peer-0.peers.shop.${S}`, 'A', ['A 10.244.1.2']],
    [`10-244-1-3.peers.shop.${S}`, 'A', ['A 10.244.1.3']],
    [`fd00--5.peers.shop.${S}`, 'AAAA', ['AAAA fd00::5']],
    [
      `_sync._tcp.peers.shop.${S}`,
      'SRV',
      [`SRV 0 33 7000 peer-0.peers.shop.${S}.`, `SRV 0 33 7000 10-244-1-3.peers.shop.${S}.`, `SRV 0 33 7000 fd00--5.peers.shop.${S}.`],
    ],
    ['10-244-1-3.shop.pod.cluster.local', 'A', ['A 10.244.1.3']],
    ['fd00--1.shop.pod.cluster.local', 'AAAA', ['AAAA fd00::1']],
    [`away.shop.${S}`, 'CNAME', [`CNAME db.shop.${S}.`]],
    [`away.shop.${S}`, 'A', [`CNAME db.shop.${S}.`, 'A 10.96.7.7']],
    [`far.shop.${S}`, 'A', ['CNAME example.com.']],
    ['7.7.96.10.in-addr.arpa', 'PTR', [`PTR db.shop.${S}.`]],
    ['2.1.244.10.in-addr.arpa', 'PTR', [`PTR peer-0.peers.shop.${S}.`]],
    ['9.1.244.10.in-addr.arpa', 'PTR', [`PTR 10-244-1-9.db.shop.${S}.`]],
    [`5.${'0.'.repeat(29)}d.f.ip6.arpa`, 'PTR', [`PTR fd00--5.peers.shop.${S}.`]],
    ['dns-version.cluster.local', 'TXT', ['TXT "1.1.0"']],
    ['cluster.local', 'NS', ['NS ns.dns.cluster.local.']],
    ['ns.dns.cluster.local', 'A', ['A 10.96.0.10']],
    ['cluster.local', 'SOA', ['SOA ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 30']],
  ])('answers %s %s', (name, type, expected) => {
    expect(ask(name, type)).toEqual(expected)
  })

  it.each<[string, string, string]>([
    [`none.shop.${S}`, 'A', 'NXDOMAIN'],
    [`db.other.${S}`, 'A', 'NXDOMAIN'],
    [`_sql._udp.db.shop.${S}`, 'SRV', 'NXDOMAIN'],
    [`x.db.shop.${S}`, 'A', 'NXDOMAIN'],
    [`a.b.c.db.shop.${S}`, 'A', 'NXDOMAIN'],
    [`endpoint.away.shop.${S}`, 'CNAME', 'NXDOMAIN'],
    [`nobody.shop.${S}`, 'A', 'NXDOMAIN'],
    [`10-244-1-4.peers.shop.${S}`, 'A', 'NXDOMAIN'],
    ['10-244-1-3.other.pod.cluster.local', 'A', 'NXDOMAIN'],
    ['999-1-1-1.shop.pod.cluster.local', 'A', 'NXDOMAIN'],
    ['foo.cluster.local', 'NS', 'NXDOMAIN'],
    ['8.8.8.8.in-addr.arpa', 'PTR', 'NXDOMAIN'],
    [`db.shop.${S}`, 'AAAA', 'NOERROR'],
    [`db.shop.${S}`, 'MX', 'NOERROR'],
    [`db.shop.${S}`, 'SOA', 'NOERROR'],
    [S, 'A', 'NOERROR'],
    ['pod.cluster.local', 'A', 'NOERROR'],
    [`shop.${S}`, 'NS', 'NOERROR'],
    ['cluster.local', 'A', 'NOERROR'],
  ])('has nothing for %s %s: %s, with the SOA record', (name, type, status) => {
    const answer = zone.answer(name, type)
    expect(answer).toMatchObject({ status, answers: [] })
    expect(answer.authority.map(({ type: kind, name: owner }) => `${owner} ${kind}`)).toEqual(['cluster.local. SOA'])
  })

  it('refuses names of elsewhere', () => {
    expect(zone.answer('example.com', 'A')).toEqual({ status: 'REFUSED', answers: [], authority: [], additional: [] })
  })

  it('sends the addresses of targets along, and keeps the case of the question', () => {
    const { answers, additional } = zone.answer(`_Sync._tcp.Peers.shop.${S}`, 'SRV')
    expect(new Set(answers.map(({ name }) => name))).toEqual(new Set([`_Sync._tcp.Peers.shop.${S}.`]))
    expect(additional.map((record) => `${record.name} ${recordText(record)}`)).toEqual([
      `peer-0.peers.shop.${S}. 10.244.1.2`,
      `10-244-1-3.peers.shop.${S}. 10.244.1.3`,
      `fd00--5.peers.shop.${S}. fd00::5`,
    ])
  })

  it('ends a chain of aliases that leads to itself', () => {
    expect(ask(`round.shop.${S}`, 'A')).toHaveLength(8)
  })
})
