import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { proxyRules, restoreText, serviceRulesText, type ProxyRulesInput } from '#shared/planning/kube-proxy/proxyRules.ts'
import { comparable } from '#test/support/iptablesText.ts'

const fixture = (name: string): string => readFileSync(new URL(`../../../fixtures/kube-proxy/${name}`, import.meta.url), 'utf8')
const node = { name: 'node-a', address: '192.168.77.5', zone: '' }

const service = (name: string, spec: object, ingress: string[] = []): KubeObject => ({
  metadata: { namespace: 'shop', name },
  spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP' }], ...spec },
  status: { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } },
})

const slice = (name: string, endpoints: object[]): KubeObject => ({
  metadata: { namespace: 'shop', name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints,
})

const endpoint = (address: string, more: object = {}): object => ({ addresses: [address], conditions: { ready: true }, ...more })

/** Lines of the rules that speak of a Service or are in its chains, without `-A`. */
function rulesOf(input: Partial<ProxyRulesInput>, about: RegExp): string[] {
  const { filter, nat } = proxyRules({ services: [], endpointSlices: [], node, clusterCIDR: '10.244.0.0/16', minor: 36, ...input })
  return [...filter.rules, ...nat.rules].filter((rule) => about.test(rule)).map((rule) => rule.slice(3))
}

describe('proxyRules', () => {
  it('makes what kube-proxy 1.20.2 made of the same objects', () => {
    const { services, endpointSlices } = JSON.parse(fixture('objects.json')) as { services: KubeObject[]; endpointSlices: KubeObject[] }
    const own = {
      metadata: { namespace: 'default', name: 'kubernetes' },
      spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, protocol: 'TCP' }] },
    }
    const rules = proxyRules({ services: [own, ...services], endpointSlices, node, clusterCIDR: '10.244.0.0/16', minor: 20 })
    expect(comparable(restoreText(rules))).toBe(fixture('v1.20.2.rules').trimEnd())
  })

  it('sends a cluster IP to each endpoint with the same chance', () => {
    const rules = rulesOf(
      {
        services: [service('web', { clusterIP: '10.96.0.20' })],
        endpointSlices: [
          slice(
            'web',
            ['10.244.1.3', '10.244.1.2', '10.244.1.4'].map((address) => endpoint(address)),
          ),
        ],
      },
      /shop\/web:http ->/,
    )
    expect(rules.map((rule) => rule.replace(/KUBE-S(VC|EP)-\w+/g, '$1'))).toEqual([
      'VC -m comment --comment "shop/web:http -> 10.244.1.2:8080" -m statistic --mode random --probability 0.3333333333 -j EP',
      'VC -m comment --comment "shop/web:http -> 10.244.1.3:8080" -m statistic --mode random --probability 0.5000000000 -j EP',
      'VC -m comment --comment "shop/web:http -> 10.244.1.4:8080" -j EP',
    ])
  })

  it('refuses what has no endpoints, and drops what this node alone has none of', () => {
    const spec = {
      clusterIP: '10.96.0.20',
      type: 'NodePort',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30080 }],
      externalTrafficPolicy: 'Local',
    }
    const none = rulesOf({ services: [service('web', spec)] }, /shop\/web/)
    expect(none).toEqual([
      'KUBE-SERVICES -m comment --comment "shop/web:http has no endpoints" -m tcp -p tcp -d 10.96.0.20 --dport 80 -j REJECT',
      'KUBE-EXTERNAL-SERVICES -m comment --comment "shop/web:http has no endpoints" -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30080 -j REJECT',
    ])
    const elsewhere = rulesOf({ services: [service('web', spec)], endpointSlices: [slice('web', [endpoint('10.244.2.2', { nodeName: 'node-b' })])] }, /has no/)
    expect(elsewhere).toEqual([
      'KUBE-EXTERNAL-SERVICES -m comment --comment "shop/web:http has no local endpoints" -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30080 -j DROP',
    ])
  })

  it('leads internal traffic of the policy Local to endpoints of the node only', () => {
    const web = service('web', { clusterIP: '10.96.0.20', internalTrafficPolicy: 'Local' })
    const endpointSlices = [slice('web', [endpoint('10.244.1.2', { nodeName: 'node-a' }), endpoint('10.244.2.2', { nodeName: 'node-b' })])]
    expect(rulesOf({ services: [web], endpointSlices }, /-j DNAT/).map((rule) => rule.split(' ').at(-1))).toEqual(['10.244.1.2:8080'])
    expect(rulesOf({ services: [web], endpointSlices }, /KUBE-SERVICES .*cluster IP/)[0]).toMatch(/-j KUBE-SVL-\w{16}$/)
    expect(rulesOf({ services: [web], endpointSlices: [slice('web', [endpoint('10.244.2.2', { nodeName: 'node-b' })])] }, /-j DROP/)).toContain(
      'KUBE-SERVICES -m comment --comment "shop/web:http has no local endpoints" -m tcp -p tcp -d 10.96.0.20 --dport 80 -j DROP',
    )
  })

  it('lets only the source ranges, and this node when one holds it, to a load balancer', () => {
    const balanced = service('web', { clusterIP: '10.96.0.20', type: 'LoadBalancer', loadBalancerSourceRanges: ['192.168.77.9/24', '203.0.113.0/25'] }, [
      '198.51.100.7',
    ])
    const rules = rulesOf({ services: [balanced], endpointSlices: [slice('web', [endpoint('10.244.1.2')])] }, /^-A KUBE-FW|FIREWALL .*not accepted/)
    expect(rules.map((rule) => rule.replace(/-\w{16}/g, ''))).toEqual([
      'KUBE-PROXY-FIREWALL -m comment --comment "shop/web:http traffic not accepted by KUBE-FW" -m tcp -p tcp -d 198.51.100.7 --dport 80 -j DROP',
      'KUBE-FW -m comment --comment "shop/web:http loadbalancer IP" -s 192.168.77.0/24 -j KUBE-EXT',
      'KUBE-FW -m comment --comment "shop/web:http loadbalancer IP" -s 203.0.113.0/25 -j KUBE-EXT',
      'KUBE-FW -m comment --comment "shop/web:http loadbalancer IP" -s 198.51.100.7 -j KUBE-EXT',
      'KUBE-FW -m comment --comment "other traffic to shop/web:http will be dropped by KUBE-PROXY-FIREWALL"',
    ])
  })

  it('uses endpoints that are going away only while there is no other', () => {
    const leaving = endpoint('10.244.1.9', { conditions: { ready: false, serving: true, terminating: true } })
    const web = service('web', { clusterIP: '10.96.0.20' })
    const targets = (endpoints: object[]): (string | undefined)[] =>
      rulesOf({ services: [web], endpointSlices: [slice('web', endpoints)] }, /-j DNAT/).map((rule) => rule.split(' ').at(-1))
    expect(targets([leaving, endpoint('10.244.1.2')])).toEqual(['10.244.1.2:8080'])
    expect(targets([leaving])).toEqual(['10.244.1.9:8080'])
  })

  it('keeps to the zone of the node when every endpoint has a hint', () => {
    const hinted = (address: string, zone: string): object => endpoint(address, { hints: { forZones: [{ name: zone }] } })
    const targets = (endpoints: object[]): (string | undefined)[] =>
      rulesOf(
        { services: [service('web', { clusterIP: '10.96.0.20' })], endpointSlices: [slice('web', endpoints)], node: { ...node, zone: 'east' } },
        /-j DNAT/,
      ).map((rule) => rule.split(' ').at(-1))
    expect(targets([hinted('10.244.1.2', 'east'), hinted('10.244.2.2', 'west')])).toEqual(['10.244.1.2:8080'])
    expect(targets([hinted('10.244.1.2', 'east'), endpoint('10.244.2.2')])).toHaveLength(2)
    expect(targets([hinted('10.244.1.2', 'north'), hinted('10.244.2.2', 'west')])).toHaveLength(2)
  })

  it('leaves comments on endpoints out in a large cluster', () => {
    const many = Array.from({ length: 1001 }, (_, index) => endpoint(`10.244.${String(Math.floor(index / 250))}.${String(index % 250)}`))
    const rules = rulesOf({ services: [service('web', { clusterIP: '10.96.0.20' })], endpointSlices: [slice('web', many)] }, /-j KUBE-SEP/)
    expect(rules).toHaveLength(1001)
    expect(rules.filter((rule) => rule.includes('--comment'))).toEqual([])
  })
})

describe('serviceRulesText', () => {
  it('tells what the tables hold because of one Service, and nothing else', () => {
    const web = service('web', { clusterIP: '10.96.0.20', type: 'NodePort', ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30080 }] })
    const rest = { node, clusterCIDR: '10.244.0.0/16', minor: 36 }
    const text = serviceRulesText({ ...rest, service: web, endpointSlices: [slice('web', [endpoint('10.244.1.2')])] })
    expect(text.replace(/-\w{16}/g, '').split('\n')).toEqual([
      '*nat',
      '-A KUBE-SERVICES -m comment --comment "shop/web:http cluster IP" -m tcp -p tcp -d 10.96.0.20 --dport 80 -j KUBE-SVC',
      '-A KUBE-NODEPORTS -m comment --comment shop/web:http -m tcp -p tcp --dport 30080 -j KUBE-EXT',
      '-A KUBE-SVC -m comment --comment "shop/web:http cluster IP" -m tcp -p tcp -d 10.96.0.20 --dport 80 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ',
      '-A KUBE-EXT -m comment --comment "masquerade traffic for shop/web:http external destinations" -j KUBE-MARK-MASQ',
      '-A KUBE-EXT -j KUBE-SVC',
      '-A KUBE-SVC -m comment --comment "shop/web:http -> 10.244.1.2:8080" -j KUBE-SEP',
      '-A KUBE-SEP -m comment --comment shop/web:http -s 10.244.1.2 -j KUBE-MARK-MASQ',
      '-A KUBE-SEP -m comment --comment shop/web:http -m tcp -p tcp -j DNAT --to-destination 10.244.1.2:8080',
      '',
    ])
    expect(serviceRulesText({ ...rest, service: web, endpointSlices: [] })).toMatch(
      /^\*filter\n-A KUBE-SERVICES [^\n]* -j REJECT\n-A KUBE-EXTERNAL-SERVICES [^\n]* -j REJECT\n$/,
    )
    expect(serviceRulesText({ ...rest, service: service('names', { clusterIP: 'None' }), endpointSlices: [] })).toBe('')
  })
})
