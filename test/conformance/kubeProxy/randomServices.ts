import type { Random } from '#shared/base/random.ts'
import { Chance } from '#test/support/chance.ts'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/** A Service as it is created, the addresses its load balancer then tells, and its slices. */
export interface RandomService {
  service: KubeObject
  ingress: string[]
  slices: KubeObject[]
}

export const NODE = { name: 'node-a', address: '192.168.77.5' }
const NODES = [NODE.name, 'node-b', 'node-c']

interface Port {
  name?: string
  port: number
  protocol: string
}

/** Every type of Service with random ports, policies, addresses and endpoints. @param name a DNS label that no other has */
export function randomService(random: Random, name: string): RandomService {
  const chance = new Chance(random)
  const namespace = chance.of(['default', 'shop', 'kube-system'])
  const type = chance.of(['ClusterIP', 'ClusterIP', 'NodePort', 'NodePort', 'LoadBalancer', 'LoadBalancer', 'ExternalName'])
  if (type === 'ExternalName') return { service: serviceOf(name, namespace, { type, externalName: 'example.com' }), ingress: [], slices: [] }
  const headless = type === 'ClusterIP' && chance.is(0.2)
  const ports = portsOf(chance, type)
  const spec: JsonObject = {
    type,
    ports: ports.map((port) => ({ ...port })),
    ...(headless ? { clusterIP: 'None' } : {}),
    ...(chance.is(0.3) && !headless ? affinity(chance) : {}),
    ...(type !== 'ClusterIP' && chance.is(0.5) ? { externalTrafficPolicy: 'Local' } : {}),
    ...(chance.is(0.3) ? { externalIPs: chance.some(1, 2, () => `198.51.100.${String(1 + chance.below(250))}`) } : {}),
    ...(type === 'LoadBalancer' && chance.is(0.5) ? { loadBalancerSourceRanges: chance.some(1, 3, () => sourceRange(chance)) } : {}),
  }
  const ingress = type === 'LoadBalancer' && chance.is(0.8) ? chance.some(1, 2, () => `203.0.113.${String(1 + chance.below(250))}`) : []
  const slices = chance.some(0, 2, (index) => sliceOf(chance, { name: `${name}-${String(index)}`, namespace, service: name, ports }))
  return { service: serviceOf(name, namespace, spec), ingress, slices }
}

const serviceOf = (name: string, namespace: string, spec: JsonObject): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec,
})

function portsOf(chance: Chance, type: string): Port[] {
  // A load balancer takes one protocol only.
  const one = chance.of(['TCP', 'UDP'])
  const protocol = (): string => (type === 'LoadBalancer' ? one : chance.of(['TCP', 'TCP', 'UDP', 'SCTP']))
  const count = 1 + chance.below(3)
  if (count === 1 && chance.is(0.5)) return [{ port: 80, protocol: protocol() }]
  return Array.from({ length: count }, (_, index) => ({
    name: chance.of(['http', 'web-ui', 'p', 'dns-tcp']) + String(index),
    port: 8000 + index,
    protocol: protocol(),
  }))
}

const affinity = (chance: Chance): JsonObject => ({
  sessionAffinity: 'ClientIP',
  ...(chance.is(0.5) ? { sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 + chance.below(86_400) } } } : {}),
})

/** Some hold the node's own address. */
const sourceRange = (chance: Chance): string => chance.of(['10.0.0.0/8', '192.168.0.0/16', '192.168.77.5/32', '203.0.113.7/24', ' 172.16.4.0/22'])

function sliceOf(
  chance: Chance,
  { name, namespace, service, ports }: { name: string; namespace: string; service: string; ports: readonly Port[] },
): KubeObject {
  const six = chance.is(0.1)
  const endpoints = chance.some(0, 4, () => {
    const node = chance.of(NODES)
    const ready = chance.of(['ready', 'ready', 'ready', 'not ready', 'not known'])
    return {
      addresses: [six ? `fd00::${String(1 + chance.below(30))}` : `10.244.${String(NODES.indexOf(node))}.${String(1 + chance.below(30))}`],
      conditions: ready === 'not known' ? {} : { ready: ready === 'ready' },
      ...(chance.is(0.9) ? { topology: { 'kubernetes.io/hostname': node } } : {}),
    }
  })
  const seen = new Set<string>()
  return {
    apiVersion: 'discovery.k8s.io/v1beta1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: six ? 'IPv6' : 'IPv4',
    endpoints: endpoints.filter(({ addresses: [address = ''] }) => !seen.has(address) && seen.add(address)) as unknown as JsonObject[],
    // A slice may lack a port of the Service, when no pod has it.
    ports: ports
      .filter((_, index) => index === 0 || chance.is(0.8))
      .map(({ name: port = '', protocol, port: number }) => ({ name: port, protocol, port: number + 1000 })),
  }
}
