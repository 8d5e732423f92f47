import type { KubeObject } from '#shared/kubernetes/object.ts'
import { number, text, type ResourceColumns } from './columns.ts'
import { common, namespaced } from './commonColumns.ts'
import { at, listAt, mapAt, ownerText, pairsText, textAt } from './fields.ts'

// services: type clusterIp externalIp ports (`80:30080/TCP`, comma separated) selector. ingresses: className hosts address ports.
// endpointslices: addressType ports endpoints (addresses) ready (count) total service owner.

function ports(service: KubeObject): string {
  return listAt(service, 'spec', 'ports')
    .map((each) => `${textAt(each, 'port')}${textAt(each, 'nodePort') === '' ? '' : `:${textAt(each, 'nodePort')}`}/${textAt(each, 'protocol') || 'TCP'}`)
    .join(',')
}

function balancerAddresses(object: KubeObject): string {
  return listAt(object, 'status', 'loadBalancer', 'ingress')
    .map((each) => textAt(each, 'ip') || textAt(each, 'hostname'))
    .join(',')
}

/** kubectl's EXTERNAL-IP, '' where it prints `<none>`. */
function externalIp(service: KubeObject): string {
  if (textAt(service, 'spec', 'type') === 'ExternalName') return textAt(service, 'spec', 'externalName')
  const fixed = listAt(service, 'spec', 'externalIPs').map(String).join(',')
  if (textAt(service, 'spec', 'type') !== 'LoadBalancer') return fixed
  return [balancerAddresses(service), fixed].filter((each) => each !== '').join(',') || '<pending>'
}

const isReady = (endpoint: unknown): boolean => at(endpoint, 'conditions', 'ready') !== false

export const network: ResourceColumns[] = [
  {
    resource: 'services',
    group: '',
    version: 'v1',
    kind: 'Service',
    namespaced: true,
    columns: {
      ...common,
      ...namespaced,
      type: text((object) => textAt(object, 'spec', 'type')),
      clusterIp: text((object) => textAt(object, 'spec', 'clusterIP')),
      externalIp: text(externalIp),
      ports: text(ports),
      selector: text((object) => pairsText(mapAt(object, 'spec', 'selector'))),
    },
  },
  {
    resource: 'ingresses',
    group: 'networking.k8s.io',
    version: 'v1',
    kind: 'Ingress',
    namespaced: true,
    columns: {
      ...common,
      ...namespaced,
      className: text((object) => textAt(object, 'spec', 'ingressClassName') || (object.metadata.annotations?.['kubernetes.io/ingress.class'] ?? '')),
      hosts: text((object) =>
        listAt(object, 'spec', 'rules')
          .map((each) => textAt(each, 'host') || '*')
          .join(','),
      ),
      address: text(balancerAddresses),
      ports: text((object) => (listAt(object, 'spec', 'tls').length > 0 ? '80, 443' : '80')),
    },
  },
  {
    resource: 'endpointslices',
    group: 'discovery.k8s.io',
    version: 'v1',
    kind: 'EndpointSlice',
    namespaced: true,
    columns: {
      ...common,
      ...namespaced,
      owner: text(ownerText),
      service: text((object) => object.metadata.labels?.['kubernetes.io/service-name'] ?? ''),
      addressType: text((object) => textAt(object, 'addressType')),
      ports: text((object) =>
        listAt(object, 'ports')
          .map((each) => textAt(each, 'port'))
          .join(','),
      ),
      endpoints: text((object) =>
        listAt(object, 'endpoints')
          .flatMap((each) => listAt(each, 'addresses').map(String))
          .join(','),
      ),
      ready: number((object) => listAt(object, 'endpoints').filter(isReady).length),
      total: number((object) => listAt(object, 'endpoints').length),
    },
  },
]
