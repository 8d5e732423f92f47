import { isObject, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { objectsIn, setDefault, setDefaultText } from './podSpec.ts'

function defaultService(spec: JsonObject, minor: number): void {
  setDefaultText(spec, 'sessionAffinity', 'None')
  if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig']
  if (spec['sessionAffinity'] === 'ClientIP') {
    const config = isObject(spec['sessionAffinityConfig']) ? spec['sessionAffinityConfig'] : {}
    const clientIp = isObject(config['clientIP']) ? config['clientIP'] : {}
    setDefault(clientIp, 'timeoutSeconds', 10_800)
    spec['sessionAffinityConfig'] = { ...config, clientIP: clientIp }
  }
  setDefaultText(spec, 'type', 'ClusterIP')
  for (const port of objectsIn(spec['ports'])) {
    setDefaultText(port, 'protocol', 'TCP')
    if (port['targetPort'] === undefined || port['targetPort'] === 0 || port['targetPort'] === '') port['targetPort'] = port['port']
  }
  const external = spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer'
  if (external) setDefaultText(spec, 'externalTrafficPolicy', 'Cluster')
  if (minor >= 22 && spec['type'] === 'LoadBalancer') setDefault(spec, 'allocateLoadBalancerNodePorts', true)
  if (minor >= 22 && spec['type'] !== 'ExternalName') setDefaultText(spec, 'internalTrafficPolicy', 'Cluster')
}

/** @returns whether the kind is one of networking's */
export function defaultNetworking(object: KubeObject, spec: JsonObject, minor: number): boolean {
  switch (object.kind) {
    case 'Service':
      defaultService(spec, minor)
      return true
    case 'Endpoints':
      for (const subset of objectsIn(object['subsets'])) for (const port of objectsIn(subset['ports'])) setDefaultText(port, 'protocol', 'TCP')
      return true
    case 'EndpointSlice':
      for (const port of objectsIn(object['ports'])) {
        setDefault(port, 'name', '')
        setDefault(port, 'protocol', 'TCP')
      }
      return true
    case 'NetworkPolicy': {
      for (const direction of ['ingress', 'egress'])
        for (const rule of objectsIn(spec[direction])) for (const port of objectsIn(rule['ports'])) setDefault(port, 'protocol', 'TCP')
      if (!Array.isArray(spec['policyTypes']) || spec['policyTypes'].length === 0)
        spec['policyTypes'] = Array.isArray(spec['egress']) && spec['egress'].length > 0 ? ['Ingress', 'Egress'] : ['Ingress']
      return true
    }
    case 'Ingress':
      if (object.apiVersion !== 'networking.k8s.io/v1')
        for (const rule of objectsIn(spec['rules'])) {
          const http = rule['http']
          for (const path of isObject(http) ? objectsIn(http['paths']) : []) setDefault(path, 'pathType', 'ImplementationSpecific')
        }
      return true
    case 'IngressClass': {
      const parameters = spec['parameters']
      if (minor >= 22 && isObject(parameters)) setDefaultText(parameters, 'scope', 'Cluster')
      return true
    }
    default:
      return false
  }
}
