import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { ipErrors, isDualStack, isV6, parseAddress, parseNetwork, specialAddressErrors } from './addresses.ts'
import { portErrors, protocolErrors } from './containers.ts'
import { duplicate, forbidden, invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { labelErrors, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { dnsLabelErrors, dnsSubdomainErrors, label1035Name, portNumberErrors, qualifiedNameErrors } from './names.ts'
import { has, number, object, objects, pointer, text, texts } from './values.ts'

const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges'
const KUBELET_PORT = 10_250
const MAX_AFFINITY_SECONDS = 86_400
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const FAMILIES = ['IPv4', 'IPv6']
const POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack']
/** First release whose load balancers may mix protocols. */
const MIXED_PROTOCOLS_SINCE = 24

const specOf = (service: KubeObject): JsonObject => object(service['spec'])
const clusterIpsOf = (spec: JsonObject): string[] => texts(spec['clusterIPs'])
const ips = (value: unknown): ReturnType<typeof typed> => typed('[]string', value)

function isHeadless(spec: JsonObject): boolean {
  const list = clusterIpsOf(spec)
  return list.length === 1 && list[0] === 'None'
}

function* typeErrors(spec: JsonObject): Iterable<FieldError> {
  switch (spec['type']) {
    case 'LoadBalancer':
      for (const [index, port] of objects(spec['ports']).entries())
        if (number(port['port']) === KUBELET_PORT)
          yield invalid(`spec.ports[${String(index)}]`, KUBELET_PORT, `may not expose port ${String(KUBELET_PORT)} externally since it is used by kubelet`)
      if (isHeadless(spec)) yield invalid('spec.clusterIPs[0]', 'None', "may not be set to 'None' for LoadBalancer services")
      break
    case 'NodePort':
      if (isHeadless(spec)) yield invalid('spec.clusterIPs[0]', 'None', "may not be set to 'None' for NodePort services")
      break
    case 'ExternalName': {
      if (clusterIpsOf(spec).length > 0) yield forbidden('spec.clusterIPs', 'may not be set for ExternalName services')
      if (texts(spec['ipFamilies']).length > 0) yield forbidden('spec.ipFamilies', 'may not be set for ExternalName services')
      if (has(spec['ipFamilyPolicy'])) yield forbidden('spec.ipFamilyPolicy', 'may not be set for ExternalName services')
      const name = text(spec['externalName']).replace(/\.$/, '')
      if (name === '') yield required('spec.externalName')
      else for (const detail of dnsSubdomainErrors(name)) yield invalid('spec.externalName', name, detail)
    }
  }
}

function* servicePortErrors(spec: JsonObject): Iterable<FieldError> {
  const ports = objects(spec['ports'])
  const names = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const at = `spec.ports[${String(index)}]`
    const name = text(port['name'])
    if (ports.length > 1 && name === '') yield required(`${at}.name`)
    else if (name !== '') {
      for (const detail of dnsLabelErrors(name)) yield invalid(`${at}.name`, name, detail)
      if (names.has(name)) yield duplicate(`${at}.name`, name)
      names.add(name)
    }
    for (const detail of portNumberErrors(number(port['port']))) yield invalid(`${at}.port`, number(port['port']), detail)
    yield* protocolErrors(port['protocol'], `${at}.protocol`)
    yield* portErrors(port['targetPort'], `${at}.targetPort`)
    const protocol = port['appProtocol']
    if (has(protocol)) for (const detail of qualifiedNameErrors(text(protocol))) yield invalid(`${at}.appProtocol`, protocol, detail)
  }
}

function* affinityErrors(spec: JsonObject): Iterable<FieldError> {
  const affinity = text(spec['sessionAffinity'])
  if (affinity === '') yield required('spec.sessionAffinity')
  else if (affinity !== 'ClientIP' && affinity !== 'None') yield notSupported('spec.sessionAffinity', affinity, ['ClientIP', 'None'])
  const config = pointer(spec['sessionAffinityConfig'])
  const field = 'spec.sessionAffinityConfig'
  if (affinity === 'None' && config !== null) yield forbidden(field, 'must not be set when session affinity is None')
  if (affinity !== 'ClientIP') return
  const why = 'when session affinity type is ClientIP'
  const client = pointer(config?.['clientIP'])
  const seconds = client?.['timeoutSeconds']
  if (config === null) yield required(field, why)
  else if (client === null) yield required(`${field}.clientIP`, why)
  else if (!has(seconds)) yield required(`${field}.clientIP.timeoutSeconds`, why)
  else if (number(seconds) <= 0 || number(seconds) > MAX_AFFINITY_SECONDS)
    yield invalid(`${field}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${String(MAX_AFFINITY_SECONDS)}`)
}

function* clusterIpErrors(spec: JsonObject): Iterable<FieldError> {
  if (spec['type'] === 'ExternalName') return
  const field = 'spec.clusterIPs'
  const list = clusterIpsOf(spec)
  const families = texts(spec['ipFamilies'])
  const shown = ips(spec['clusterIPs'])
  const primary = text(spec['clusterIP'])
  if (primary !== '') {
    if (list.length === 0) yield required(field)
    else if (list[0] !== primary) yield invalid(field, shown, 'element [0] must match clusterIP')
  } else if (list.length > 0) yield invalid(field, shown, 'must be empty when clusterIP is empty')
  for (const [index, family] of families.entries()) {
    if (!FAMILIES.includes(family)) yield notSupported(`spec.ipFamilies[${String(index)}]`, family, FAMILIES)
    if (families.indexOf(family) < index) yield duplicate(`spec.ipFamilies[${String(index)}]`, family)
  }
  const policy = spec['ipFamilyPolicy']
  if (has(policy) && !POLICIES.includes(text(policy))) yield notSupported('spec.ipFamilyPolicy', policy, POLICIES)
  let wrong = false
  for (const [index, ip] of list.entries()) {
    if (index === 0 && ip === 'None') {
      if (list.length > 1) {
        wrong = true
        yield invalid(field, shown, "'None' must be the first and only value")
      }
      continue
    }
    for (const detail of ipErrors(ip)) {
      wrong = true
      yield invalid(`${field}[${String(index)}]`, ip, detail)
    }
  }
  if (list.length > 2) yield invalid(field, shown, 'may only hold up to 2 values')
  if (wrong) return
  if (list.length > 1 && !isDualStack(list)) yield invalid(field, shown, 'may specify no more than one IP for each IP family')
  if (isHeadless(spec)) return
  for (const [index, ip] of list.slice(0, families.length).entries()) {
    const family = families[index]
    if (family === 'IPv4' && isV6(ip))
      yield invalid(`${field}[${String(index)}]`, ip, `expected an IPv4 value as indicated by \`ipFamilies[${String(index)}]\``)
    if (family === 'IPv6' && !isV6(ip))
      yield invalid(`${field}[${String(index)}]`, ip, `expected an IPv6 value as indicated by \`ipFamilies[${String(index)}]\``)
  }
}

function* duplicatePortErrors(spec: JsonObject): Iterable<FieldError> {
  const ports = objects(spec['ports'])
  if (spec['type'] === 'ClusterIP')
    for (const [index, port] of ports.entries())
      if (number(port['nodePort']) !== 0) yield forbidden(`spec.ports[${String(index)}].nodePort`, "may not be used when `type` is 'ClusterIP'")
  const key = (port: JsonObject, name: string): string => `${text(port['protocol'])}/${String(number(port[name]))}`
  const first = (index: number, name: string): boolean => ports.findIndex((each) => key(each, name) === key(ports[index] ?? {}, name)) === index
  for (const [index, port] of ports.entries())
    if (number(port['nodePort']) !== 0 && !first(index, 'nodePort')) yield duplicate(`spec.ports[${String(index)}].nodePort`, number(port['nodePort']))
  for (const [index, port] of ports.entries())
    if (!first(index, 'port')) yield duplicate(`spec.ports[${String(index)}]`, typed('core.v1.ServicePort', { protocol: port['protocol'], port: port['port'] }))
}

function* sourceRangeErrors(service: KubeObject): Iterable<FieldError> {
  const spec = specOf(service)
  const ranges = texts(spec['loadBalancerSourceRanges'])
  const annotation = service.metadata.annotations?.[SOURCE_RANGES]
  if (ranges.length === 0 && annotation === undefined) return
  const field = ranges.length > 0 ? 'spec.LoadBalancerSourceRanges' : `metadata.annotations[${SOURCE_RANGES}]`
  if (spec['type'] !== 'LoadBalancer') yield forbidden(field, "may only be used when `type` is 'LoadBalancer'")
  const given = ranges.length > 0 ? ranges : (annotation ?? '').trim() === '' ? [] : (annotation ?? '').trim().split(',')
  if (given.some((each) => parseNetwork(each.trim()) === null))
    yield invalid(field, ranges.length > 0 ? `[${ranges.join(' ')}]` : annotation, 'must be a list of IP ranges. For example, 10.240.0.0/24,10.250.0.0/24 ')
}

function* serviceErrors(service: KubeObject): Iterable<FieldError> {
  const spec = specOf(service)
  yield* metadataErrors(service, { namespaced: true, name: label1035Name })
  if (objects(spec['ports']).length === 0 && !isHeadless(spec) && spec['type'] !== 'ExternalName') yield required('spec.ports')
  yield* typeErrors(spec)
  yield* servicePortErrors(spec)
  yield* labelErrors(spec['selector'], 'spec.selector')
  yield* affinityErrors(spec)
  yield* clusterIpErrors(spec)
  for (const [index, ip] of texts(spec['externalIPs']).entries()) {
    const at = `spec.externalIPs[${String(index)}]`
    const errors = ipErrors(ip)
    for (const detail of errors) yield invalid(at, ip, detail)
    if (errors.length === 0) yield* specialAddressErrors(ip, at)
  }
  const type = text(spec['type'])
  if (type === '') yield required('spec.type')
  else if (!TYPES.includes(type)) yield notSupported('spec.type', type, TYPES)
  yield* duplicatePortErrors(spec)
  yield* sourceRangeErrors(service)
  if (has(spec['allocateLoadBalancerNodePorts']) && type !== 'LoadBalancer')
    yield forbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'")
  const policy = text(spec['externalTrafficPolicy'])
  if (policy !== '' && policy !== 'Cluster' && policy !== 'Local')
    yield invalid('spec.externalTrafficPolicy', policy, 'ExternalTrafficPolicy must be empty, Cluster or Local')
  if (number(spec['healthCheckNodePort']) < 0)
    yield invalid('spec.healthCheckNodePort', number(spec['healthCheckNodePort']), 'HealthCheckNodePort must be not less than 0')
}

/** Fields that only some types have; the registry checks them after the rest. */
export function* externalTrafficErrors(spec: JsonObject): Iterable<FieldError> {
  const [type, policy, port] = [spec['type'], text(spec['externalTrafficPolicy']), number(spec['healthCheckNodePort'])]
  if (type !== 'LoadBalancer' && type !== 'NodePort' && policy !== '')
    yield invalid('spec.externalTrafficPolicy', policy, 'ExternalTrafficPolicy can only be set on NodePort and LoadBalancer service')
  if (!(type === 'LoadBalancer' && policy === 'Local') && port !== 0)
    yield invalid('spec.healthCheckNodePort', port, 'HealthCheckNodePort can only be set on LoadBalancer service with ExternalTrafficPolicy=Local')
}

const isMixed = (service: KubeObject | null): boolean =>
  service !== null && new Set(objects(specOf(service)['ports']).map((port) => text(port['protocol']))).size > 1

function* mixedErrors(service: KubeObject, before: KubeObject | null, minor: number): Iterable<FieldError> {
  const spec = specOf(service)
  if (minor < MIXED_PROTOCOLS_SINCE && spec['type'] === 'LoadBalancer' && isMixed(service) && !isMixed(before))
    yield invalid('spec.ports', typed('[]core.v1.ServicePort', spec['ports']), "may not contain more than 1 protocol when type is 'LoadBalancer'")
}

function* clusterIpUpdateErrors(now: JsonObject, was: JsonObject): Iterable<FieldError> {
  if (now['type'] === 'ExternalName' || was['type'] === 'ExternalName' || (isHeadless(now) && isHeadless(was))) return
  const [list, old] = [clusterIpsOf(now), clusterIpsOf(was)]
  const shown = ips(now['clusterIPs'])
  const changed = (index: number): FieldError => invalid(`spec.clusterIPs[${String(index)}]`, shown, 'may not change once set')
  if (old.length === list.length) {
    for (const [index, ip] of old.entries()) if (ip !== list[index]) yield changed(index)
    return
  }
  if (old.length > list.length && list.length === 0) yield invalid('spec.clusterIPs[0]', shown, 'primary clusterIP can not be unset')
  if (old.length > 0 && list.length > 0 && list[0] !== old[0]) yield changed(0)
  if (old.length > list.length && list.length === 1 && now['ipFamilyPolicy'] !== 'SingleStack')
    yield invalid('spec.clusterIPs[0]', shown, "`ipFamilyPolicy` must be set to 'SingleStack' when releasing the secondary clusterIP")
}

function* familyUpdateErrors(now: JsonObject, was: JsonObject): Iterable<FieldError> {
  if (now['type'] === 'ExternalName' || was['type'] === 'ExternalName' || isHeadless(now) || isHeadless(was)) return
  const [list, old] = [texts(now['ipFamilies']), texts(was['ipFamilies'])]
  const [families, clusterIps] = [ips(now['ipFamilies']), ips(now['clusterIPs'])]
  if (old.length === list.length) {
    for (const [index, family] of old.entries()) if (family !== list[index]) yield invalid('spec.ipFamilies[0]', families, 'may not change once set')
    return
  }
  if (old.length > list.length && clusterIpsOf(now).length === 0) yield invalid('spec.ipFamilies[0]', families, 'primary ipFamily can not be unset')
  if (old.length > 0 && list.length > 0 && list[0] !== old[0]) yield invalid('spec.ipFamilies[0]', clusterIps, 'may not change once set')
  if (old.length > list.length && list.length === 1 && now['ipFamilyPolicy'] !== 'SingleStack')
    yield invalid('spec.clusterIPs[0]', clusterIps, "`ipFamilyPolicy` must be set to 'SingleStack' when releasing the secondary ipFamily")
}

/** Addresses and names that a load balancer reports. */
export function* loadBalancerStatusErrors(status: JsonObject, field: string): Iterable<FieldError> {
  for (const [index, ingress] of objects(status['ingress']).entries()) {
    const at = `${field}.ingress[${String(index)}]`
    const [ip, hostname] = [text(ingress['ip']), text(ingress['hostname'])]
    if (ip !== '' && parseAddress(ip) === null) yield invalid(`${at}.ip`, ip, 'must be a valid IP address')
    if (hostname === '') continue
    for (const detail of dnsSubdomainErrors(hostname)) yield invalid(`${at}.hostname`, hostname, detail)
    if (parseAddress(hostname) !== null) yield invalid(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address')
  }
}

export const serviceRules: Rules = {
  *create(service, { minor }) {
    yield* serviceErrors(service)
    yield* mixedErrors(service, null, minor)
  },
  *update(after, before, { minor }) {
    yield* metadataUpdateErrors(after, before)
    yield* clusterIpUpdateErrors(specOf(after), specOf(before))
    yield* familyUpdateErrors(specOf(after), specOf(before))
    yield* serviceErrors(after)
    yield* mixedErrors(after, before, minor)
  },
  *status(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* loadBalancerStatusErrors(object(object(after['status'])['loadBalancer']), 'status.loadBalancer')
  },
}
