import type { KubeObject } from '../../kubernetes/object.ts'
import { objectsAt, textAt } from '../scheduling/pod.ts'
import { ipv4Of } from './ipv4.ts'
import { portKey, protocolOf, type ServicePortInfo } from './servicePorts.ts'
import { objectAt } from '../../kubernetes/json.ts'

/** Where a port of a Service leads. */
export interface ProxyEndpoint {
  ip: string
  port: number
  /** On the node whose rules are made. */
  local: boolean
  ready: boolean
  /** Still answers although its pod is going away. */
  servingTerminating: boolean
  /** Zones that are to use it; null when nothing was said. */
  zones: string[] | null
}

/** Endpoints by name and protocol of the Service's port. */
export class ProxyEndpoints {
  readonly #byPort = new Map<string, Map<string, ProxyEndpoint>>()

  /** @param nodeName whose rules are made; '' for none */
  constructor(slices: readonly KubeObject[], nodeName: string) {
    for (const slice of slices) this.#add(slice, nodeName)
  }

  /** In kube-proxy's order: by the text of address and port. */
  of({ name, protocol }: Pick<ServicePortInfo, 'name' | 'protocol'>): ProxyEndpoint[] {
    const text = ({ ip, port }: ProxyEndpoint): string => `${ip}:${String(port)}`
    return [...(this.#byPort.get(`${name}/${protocol}`)?.values() ?? [])].sort((a, b) => (text(a) < text(b) ? -1 : 1))
  }

  #add(slice: KubeObject, nodeName: string): void {
    const { namespace = '', labels = {} } = slice.metadata
    const service = labels['kubernetes.io/service-name'] ?? ''
    if (service === '') return
    for (const each of objectsAt(slice['ports'])) {
      const port = each['port']
      if (typeof port !== 'number' || port === 0) continue
      const key = `${portKey(namespace, service, textAt(each['name']))}/${protocolOf(each['protocol'])}`
      const known = this.#byPort.get(key) ?? new Map<string, ProxyEndpoint>()
      this.#byPort.set(key, known)
      for (const endpoint of objectsAt(slice['endpoints'])) {
        const made = endpointOf(endpoint, port, nodeName)
        if (made === null) continue
        const there = known.get(made.ip)
        // The same address in two slices counts once: one that is ready wins, then one that is told to be on this node.
        if (there === undefined || (made.ready === there.ready ? made.local : made.ready)) known.set(made.ip, made)
      }
    }
  }
}

function endpointOf(endpoint: Record<string, unknown>, port: number, nodeName: string): ProxyEndpoint | null {
  const ip = Array.isArray(endpoint['addresses']) ? textAt(endpoint['addresses'][0]) : ''
  if (ipv4Of(ip) === null) return null
  const conditions = objectAt(endpoint['conditions'])
  const ready = conditions['ready'] !== false
  // discovery/v1beta1 names the node by a label of the topology.
  const topology = objectAt(endpoint['topology'] ?? endpoint['deprecatedTopology'])
  const node = textAt(endpoint['nodeName'] ?? topology['kubernetes.io/hostname'])
  const hints = objectAt(endpoint['hints'])['forZones']
  return {
    ip,
    port,
    local: nodeName !== '' && node === nodeName,
    ready,
    servingTerminating: !ready && conditions['serving'] === true && conditions['terminating'] === true,
    zones: hints === undefined || hints === null ? null : objectsAt(hints).map(({ name }) => textAt(name)),
  }
}
