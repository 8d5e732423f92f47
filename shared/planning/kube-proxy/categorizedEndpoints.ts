import type { ProxyEndpoint } from './proxyEndpoints.ts'
import type { ServicePortInfo } from './servicePorts.ts'

/** Which endpoints each traffic policy of a port uses on this node. */
export interface CategorizedEndpoints {
  /** Of the policy Cluster. */
  cluster: ProxyEndpoint[]
  /** Of the policy Local. */
  local: ProxyEndpoint[]
  /** Those that any rule leads to. */
  reachable: ProxyEndpoint[]
  /** Whether there is one on any node. */
  any: boolean
}

export const isExternallyAccessible = ({ nodePort, externalIPs, loadBalancerIPs }: ServicePortInfo): boolean =>
  nodePort !== 0 || externalIPs.length > 0 || loadBalancerIPs.length > 0

/** Pods on the node reach what is external by the policy Cluster, whatever the policy for outside is. */
const usesCluster = (port: ServicePortInfo): boolean => !port.internalLocal || isExternallyAccessible(port)
const usesLocal = (port: ServicePortInfo): boolean => port.internalLocal || (port.externalLocal && isExternallyAccessible(port))

/** Endpoints that are going away serve only where no other is left. */
export function categorizeEndpoints(port: ServicePortInfo, endpoints: readonly ProxyEndpoint[], zone: string): CategorizedEndpoints {
  const ready = endpoints.filter((endpoint) => endpoint.ready)
  const leaving = endpoints.filter(({ servingTerminating }) => servingTerminating)
  const cluster = usesCluster(port) ? (ready.length > 0 ? nearest(ready, zone) : leaving) : []
  if (!usesLocal(port)) return { cluster, local: [], reachable: cluster, any: cluster.length > 0 }
  const localReady = ready.filter((endpoint) => endpoint.local)
  const local = localReady.length > 0 ? localReady : leaving.filter((endpoint) => endpoint.local)
  return {
    cluster,
    local,
    reachable: endpoints.filter((endpoint) => cluster.includes(endpoint) || local.includes(endpoint)),
    any: ready.length > 0 || leaving.length > 0,
  }
}

/** Hints count only when every endpoint has some and one is for this zone. */
function nearest(ready: readonly ProxyEndpoint[], zone: string): ProxyEndpoint[] {
  if (zone === '' || ready.some(({ zones }) => zones === null || zones.length === 0)) return [...ready]
  const near = ready.filter(({ zones }) => zones?.includes(zone) === true)
  return near.length > 0 ? near : [...ready]
}
