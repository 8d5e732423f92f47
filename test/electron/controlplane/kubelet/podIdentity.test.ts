import { describe, expect, it } from 'vitest'
import { hostnameOf, hostsFile, resolvFile } from '#electron/controlplane/kubelet/podIdentity.ts'
import type { Pod, PodSpec } from '#electron/controlplane/kubelet/types.ts'

const pod = (spec: Partial<PodSpec> = {}, name = 'web'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop' },
  spec: { containers: [], ...spec },
})
const hosts = (spec: Partial<PodSpec>): string => hostsFile(pod(spec), { podIP: '10.244.1.7', node: 'node01', nodeHosts: '127.0.0.1\tlocalhost\n' })

describe('hostnameOf', () => {
  it.each([
    ["the pod's name", pod(), 'web'],
    ['what the pod asks for', pod({ hostname: 'front' }), 'front'],
    ['with the domain when asked', pod({ hostname: 'front', subdomain: 'svc', setHostnameAsFQDN: true }), 'front.svc.shop.svc.cluster.local'],
    ['the node in its network', pod({ hostNetwork: true }), 'node01'],
    ['at most 63 characters, none of them a dash at the end', pod({}, `${'a'.repeat(62)}-bcd`), 'a'.repeat(62)],
  ])('is %s', (_, object, expected) => {
    expect(hostnameOf(object, 'node01')).toBe(expected)
  })
})

describe('hostsFile', () => {
  it('names the pod by address, with its domain where it has one', () => {
    expect(hosts({})).toMatch(/^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n[\s\S]*\n10\.244\.1\.7\tweb\n$/)
    expect(hosts({ hostname: 'a', subdomain: 'b' })).toContain('\n10.244.1.7\ta.b.shop.svc.cluster.local\ta\n')
  })

  it('adds host aliases', () => {
    expect(hosts({ hostAliases: [{ ip: '1.2.3.4', hostnames: ['foo', 'bar'] }] })).toMatch(/\n\n# Entries added by HostAliases\.\n1\.2\.3\.4\tfoo\tbar\n$/)
  })

  it("is the node's own in the node's network", () => {
    expect(hosts({ hostNetwork: true })).toBe('# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n')
  })
})

describe('resolvFile', () => {
  const node = 'search example.org\nnameserver 192.0.2.1\n'
  it.each([
    ['the cluster first', {}, 'search shop.svc.cluster.local svc.cluster.local cluster.local example.org\nnameserver 10.96.0.10\noptions ndots:5\n'],
    ["the node's", { dnsPolicy: 'Default' }, 'search example.org\nnameserver 192.0.2.1\n'],
    ["the node's in its network", { hostNetwork: true }, 'search example.org\nnameserver 192.0.2.1\n'],
    [
      "only the pod's own",
      { dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'], searches: ['a.b'], options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }] } },
      'search a.b\nnameserver 1.1.1.1\noptions ndots:2 edns0\n',
    ],
    [
      "the cluster's with the pod's added",
      { dnsConfig: { searches: ['a.b'], options: [{ name: 'ndots', value: '1' }] } },
      'search shop.svc.cluster.local svc.cluster.local cluster.local example.org a.b\nnameserver 10.96.0.10\noptions ndots:1\n',
    ],
  ] as const)('asks %s', (_, spec, expected) => {
    expect(resolvFile(pod(spec as Partial<PodSpec>), node)).toBe(expected)
  })
})
