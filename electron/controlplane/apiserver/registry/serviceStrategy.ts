import { deepEqual, isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/** The release from which on a PUT may leave out what the server had allocated. */
const KEPT_SINCE = 21

const specOf = (service: KubeObject): JsonObject => (isObject(service['spec']) ? service['spec'] : {})
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const ports = (spec: JsonObject): JsonObject[] => list(spec['ports']).filter(isObject)

/** Clients that know one cluster IP alone write a list of one, in place. */
export function prepareService(service: KubeObject): void {
  const spec = specOf(service)
  if (text(spec['clusterIP']) !== '' && list(spec['clusterIPs']).length === 0) spec['clusterIPs'] = [spec['clusterIP']]
}

/**
 * Makes the single cluster IP and the list follow each other, and drops what the new type of the service has no use for.
 *
 * @see pkg/registry/core/service/strategy.go NormalizeClusterIPs, dropTypeDependentFields
 */
export function prepareServiceUpdate(after: KubeObject, before: KubeObject, minor: number): void {
  const [now, was] = [specOf(after), specOf(before)]
  if (minor >= KEPT_SINCE) keepAllocated(now, was)
  normalizeAddresses(now, was)
  if (was['type'] !== 'ExternalName' && now['type'] === 'ExternalName') {
    if (same(now, was, 'clusterIP') && deepEqual(list(now['clusterIPs']), list(was['clusterIPs']))) clear(now, 'clusterIP', 'clusterIPs')
    for (const field of ['ipFamilies', 'ipFamilyPolicy']) if (same(now, was, field)) clear(now, field)
  }
  if (hasNodePorts(was) && !hasNodePorts(now)) {
    const known = new Set<unknown>(ports(was).map((port) => port['nodePort'] ?? 0))
    if (ports(now).every((port) => (port['nodePort'] ?? 0) === 0 || known.has(port['nodePort']))) for (const port of ports(now)) clear(port, 'nodePort')
  }
  if (hasHealthCheck(was) && !hasHealthCheck(now) && same(now, was, 'healthCheckNodePort')) clear(now, 'healthCheckNodePort')
  if (was['type'] === 'LoadBalancer' && now['type'] !== 'LoadBalancer' && same(now, was, 'allocateLoadBalancerNodePorts'))
    clear(now, 'allocateLoadBalancerNodePorts')
}

/** An update that says nothing of what was allocated keeps it. */
function keepAllocated(now: JsonObject, was: JsonObject): void {
  if (now['type'] !== 'ExternalName' && was['type'] !== 'ExternalName' && text(now['clusterIP']) === '' && text(was['clusterIP']) !== '') {
    now['clusterIP'] = was['clusterIP']
    if (list(now['clusterIPs']).length === 0) now['clusterIPs'] = was['clusterIPs']
  }
  if (hasNodePorts(now) && hasNodePorts(was)) {
    const used = new Set(ports(now).map((port) => port['nodePort']))
    for (const port of ports(now)) {
      const old = ports(was).find((each) => each['port'] === port['port'] && each['protocol'] === port['protocol'])?.['nodePort']
      if ((port['nodePort'] ?? 0) === 0 && old !== undefined && !used.has(old)) port['nodePort'] = old
    }
  }
  if (hasHealthCheck(now) && hasHealthCheck(was) && (now['healthCheckNodePort'] ?? 0) === 0) now['healthCheckNodePort'] = was['healthCheckNodePort']
}

function normalizeAddresses(now: JsonObject, was: JsonObject): void {
  const [ip, old] = [text(now['clusterIP']), text(was['clusterIP'])]
  if (list(was['clusterIPs']).length > 0 && list(now['clusterIPs']).length === 0 && ip === old) now['clusterIPs'] = was['clusterIPs']
  if (ip === old || !deepEqual(list(now['clusterIPs']), list(was['clusterIPs']))) return
  if (ip === '') clear(now, 'clusterIPs')
  else now['clusterIPs'] = [ip]
}

export function hasNodePorts(spec: JsonObject): boolean {
  return spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer'
}

/** A load balancer that keeps traffic on the node asks each node whether it has a pod of the service. */
export function hasHealthCheck(spec: JsonObject): boolean {
  return spec['type'] === 'LoadBalancer' && spec['externalTrafficPolicy'] === 'Local'
}

function same(now: JsonObject, was: JsonObject, field: string): boolean {
  return deepEqual(now[field], was[field])
}

function clear(holder: JsonObject, ...fields: string[]): void {
  for (const field of fields) Reflect.deleteProperty(holder, field)
}
