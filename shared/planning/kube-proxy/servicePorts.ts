import type { KubeObject } from '../../kubernetes/object.ts'
import { objectsAt, specOf, textAt } from '../scheduling/pod.ts'
import { ipv4Of, ipv4Range } from './ipv4.ts'
import { objectAt } from '../../kubernetes/json.ts'

/** One port of a Service, as kube-proxy of the IPv4 family sees it. */
export interface ServicePortInfo {
  /** `namespace/name:port`; without the last part for a port without a name. */
  name: string
  /** `namespace/name` */
  service: string
  protocol: 'tcp' | 'udp' | 'sctp'
  clusterIP: string
  port: number
  /** 0: none */
  nodePort: number
  externalIPs: string[]
  loadBalancerIPs: string[]
  /** As they are written in the Service. */
  sourceRanges: string[]
  /** How long a client stays with its endpoint; null without session affinity. */
  stickySeconds: number | null
  externalLocal: boolean
  internalLocal: boolean
  /** 0: none */
  healthCheckNodePort: number
}

const DEFAULT_STICKY_SECONDS = 10_800

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])
const numberAt = (value: unknown): number => (typeof value === 'number' ? value : 0)

function clusterIpOf(spec: Record<string, unknown>): string {
  const all = texts(spec['clusterIPs'])
  return (all.length > 0 ? all : [textAt(spec['clusterIP'])]).find((address) => ipv4Of(address) !== null) ?? ''
}

/** The ports that kube-proxy makes rules for: not those of headless Services and of names of elsewhere. */
export function servicePorts(service: KubeObject): ServicePortInfo[] {
  const spec = specOf(service)
  const clusterIP = clusterIpOf(spec)
  const type = textAt(spec['type'])
  if (clusterIP === '' || type === 'ExternalName') return []
  const { namespace = '', name = '' } = service.metadata
  const externalIPs = texts(spec['externalIPs']).filter((address) => ipv4Of(address) !== null)
  const local = spec['externalTrafficPolicy'] === 'Local'
  const affinity = objectAt(objectAt(spec['sessionAffinityConfig'])['clientIP'])['timeoutSeconds']
  const common = {
    service: `${namespace}/${name}`,
    clusterIP,
    externalIPs,
    loadBalancerIPs: objectsAt(objectAt(objectAt(service['status'])['loadBalancer'])['ingress'])
      .map(({ ip }) => textAt(ip))
      .filter((address) => ipv4Of(address) !== null),
    sourceRanges: texts(spec['loadBalancerSourceRanges'])
      .map((range) => range.trim())
      .filter((range) => ipv4Range(range) !== null),
    stickySeconds: spec['sessionAffinity'] === 'ClientIP' ? (typeof affinity === 'number' ? affinity : DEFAULT_STICKY_SECONDS) : null,
    externalLocal: local && (type === 'NodePort' || type === 'LoadBalancer' || externalIPs.length > 0),
    internalLocal: spec['internalTrafficPolicy'] === 'Local',
    healthCheckNodePort: local && type === 'LoadBalancer' ? numberAt(spec['healthCheckNodePort']) : 0,
  }
  return objectsAt(spec['ports']).map((port) => ({
    ...common,
    name: portKey(namespace, name, textAt(port['name'])),
    protocol: protocolOf(port['protocol']),
    port: numberAt(port['port']),
    nodePort: numberAt(port['nodePort']),
  }))
}

export function portKey(namespace: string, service: string, port: string): string {
  return `${namespace}/${service}${port === '' ? '' : `:${port}`}`
}

export function protocolOf(value: unknown): ServicePortInfo['protocol'] {
  return value === 'UDP' ? 'udp' : value === 'SCTP' ? 'sctp' : 'tcp'
}
