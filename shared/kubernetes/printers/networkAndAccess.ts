import type { KubeObject } from '../object.ts'
import { age, at, columns, countAt, durationText, integer, labelSelectorText, labelsText, listAt, mapAt, orNone, textAt, wide, type Printer } from './column.ts'

function name(object: KubeObject): string {
  return object.metadata.name ?? ''
}

function servicePorts(service: KubeObject): string {
  const ports = listAt(service, 'spec', 'ports').map((port) => {
    const nodePort = countAt(port, 'nodePort')
    return `${textAt(port, 'port')}${nodePort > 0 ? `:${String(nodePort)}` : ''}/${textAt(port, 'protocol')}`
  })
  return orNone(ports.join(','))
}

function externalIps(service: KubeObject): string {
  const given = listAt(service, 'spec', 'externalIPs').map(String)
  switch (textAt(service, 'spec', 'type')) {
    case 'LoadBalancer': {
      const addresses = listAt(service, 'status', 'loadBalancer', 'ingress').map((each) => textAt(each, 'ip') || textAt(each, 'hostname'))
      const all = [...addresses.filter((each) => each !== ''), ...given]
      return all.length === 0 ? '<pending>' : all.join(',')
    }
    case 'ExternalName':
      return textAt(service, 'spec', 'externalName')
    default:
      return orNone(given.join(','))
  }
}

function firstThree(texts: string[]): string {
  return texts.length <= 3 ? orNone(texts.join(',')) : `${texts.slice(0, 3).join(',')} + ${String(texts.length - 3)} more...`
}

function endpointsText(endpoints: KubeObject): string {
  const texts = listAt(endpoints, 'subsets').flatMap((subset) => {
    const ports = listAt(subset, 'ports')
    const addresses = listAt(subset, 'addresses').map((each) => textAt(each, 'ip'))
    const join = (ip: string, port: unknown): string => `${ip.includes(':') ? `[${ip}]` : ip}:${textAt(port, 'port')}`
    return ports.length === 0 ? addresses : ports.flatMap((port) => addresses.map((ip) => join(ip, port)))
  })
  return firstThree(texts)
}

function ingressAddresses(ingress: KubeObject): string {
  return listAt(ingress, 'status', 'loadBalancer', 'ingress')
    .map((each) => textAt(each, 'ip') || textAt(each, 'hostname'))
    .join(',')
}

function csrStatus(csr: KubeObject): string {
  const types = listAt(csr, 'status', 'conditions').map((each) => textAt(each, 'type'))
  const status = types.includes('Denied') ? 'Denied' : types.includes('Approved') ? 'Approved' : 'Pending'
  const failed = types.includes('Failed') ? ',Failed' : ''
  return `${status}${failed}${textAt(csr, 'status', 'certificate') === '' ? '' : ',Issued'}`
}

function subjects(binding: KubeObject, kind: string): string {
  return listAt(binding, 'subjects')
    .filter((each) => textAt(each, 'kind') === kind)
    .map((each) => (kind === 'ServiceAccount' ? `${textAt(each, 'namespace')}/${textAt(each, 'name')}` : textAt(each, 'name')))
    .join(', ')
}

const role: Printer = { columns: columns('Name', 'Created At'), cells: (each) => [name(each), textAt(each, 'metadata', 'creationTimestamp')] }
const binding: Printer = {
  columns: columns('Name', 'Role', 'Age', wide('Users'), wide('Groups'), wide('ServiceAccounts')),
  cells: (each, now) => [
    name(each),
    `${textAt(each, 'roleRef', 'kind')}/${textAt(each, 'roleRef', 'name')}`,
    age(each, now),
    subjects(each, 'User'),
    subjects(each, 'Group'),
    subjects(each, 'ServiceAccount'),
  ],
}
const webhooks: Printer = {
  columns: columns('Name', integer('Webhooks'), 'Age'),
  cells: (each, now) => [name(each), listAt(each, 'webhooks').length, age(each, now)],
}

export const networkAndAccessPrinters: Readonly<Record<string, Printer>> = {
  Service: {
    columns: columns('Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', wide('Selector')),
    cells: (each, now) => [
      name(each),
      textAt(each, 'spec', 'type'),
      orNone(textAt(each, 'spec', 'clusterIPs', 0) || textAt(each, 'spec', 'clusterIP')),
      externalIps(each),
      servicePorts(each),
      age(each, now),
      labelsText(mapAt(each, 'spec', 'selector')),
    ],
  },
  Endpoints: { columns: columns('Name', 'Endpoints', 'Age'), cells: (each, now) => [name(each), endpointsText(each), age(each, now)] },
  EndpointSlice: {
    columns: columns('Name', 'AddressType', 'Ports', 'Endpoints', 'Age'),
    cells: (each, now) => {
      const ports = listAt(each, 'ports').map((port) => textAt(port, 'port') || '*')
      return [
        name(each),
        textAt(each, 'addressType'),
        ports.length === 0 ? '<unset>' : firstThree(ports),
        firstThree(listAt(each, 'endpoints').flatMap((one) => listAt(one, 'addresses').map(String))).replace(/^<none>$/, '<unset>'),
        age(each, now),
      ]
    },
  },
  Ingress: {
    columns: columns('Name', 'Class', 'Hosts', 'Address', 'Ports', 'Age'),
    cells: (each, now) => {
      const hosts = listAt(each, 'spec', 'rules').map((rule) => textAt(rule, 'host') || '*')
      return [
        name(each),
        orNone(textAt(each, 'spec', 'ingressClassName')),
        hosts.length === 0 ? '*' : firstThree(hosts),
        ingressAddresses(each),
        listAt(each, 'spec', 'tls').length > 0 ? '80, 443' : '80',
        age(each, now),
      ]
    },
  },
  IngressClass: {
    columns: columns('Name', 'Controller', 'Parameters', 'Age'),
    cells: (each, now) => {
      const parameters = at(each, 'spec', 'parameters')
      const group = textAt(parameters, 'apiGroup')
      return [
        name(each),
        textAt(each, 'spec', 'controller'),
        parameters === undefined ? '<none>' : `${textAt(parameters, 'kind')}${group === '' ? '' : `.${group}`}/${textAt(parameters, 'name')}`,
        age(each, now),
      ]
    },
  },
  NetworkPolicy: {
    columns: columns('Name', 'Pod-Selector', 'Age'),
    cells: (each, now) => [name(each), labelSelectorText(at(each, 'spec', 'podSelector')), age(each, now)],
  },
  IPAddress: {
    columns: columns('Name', 'ParentRef', 'Age'),
    cells: (each, now) => {
      const parent = at(each, 'spec', 'parentRef')
      const place = [textAt(parent, 'namespace'), textAt(parent, 'name')].filter((part) => part !== '').join('/')
      return [
        name(each),
        parent === undefined ? '<none>' : `${textAt(parent, 'resource')}${textAt(parent, 'group') === '' ? '' : `.${textAt(parent, 'group')}`}/${place}`,
        age(each, now),
      ]
    },
  },
  ServiceCIDR: {
    columns: columns('Name', 'CIDRs', 'Age'),
    cells: (each, now) => [name(each), listAt(each, 'spec', 'cidrs').map(String).join(','), age(each, now)],
  },
  Role: role,
  ClusterRole: role,
  RoleBinding: binding,
  ClusterRoleBinding: binding,
  CertificateSigningRequest: {
    columns: columns('Name', 'Age', 'SignerName', 'Requestor', 'RequestedDuration', 'Condition'),
    cells: (each, now) => {
      const seconds = at(each, 'spec', 'expirationSeconds')
      return [
        name(each),
        age(each, now),
        orNone(textAt(each, 'spec', 'signerName')),
        textAt(each, 'spec', 'username'),
        typeof seconds === 'number' ? durationText(seconds * 1000) : '<none>',
        csrStatus(each),
      ]
    },
  },
  MutatingWebhookConfiguration: webhooks,
  ValidatingWebhookConfiguration: webhooks,
  ValidatingAdmissionPolicy: {
    columns: columns('Name', integer('Validations'), 'ParamKind', 'Age'),
    cells: (each, now) => [
      name(each),
      listAt(each, 'spec', 'validations').length,
      at(each, 'spec', 'paramKind') === undefined
        ? '<unset>'
        : `${textAt(each, 'spec', 'paramKind', 'apiVersion')}/${textAt(each, 'spec', 'paramKind', 'kind')}`,
      age(each, now),
    ],
  },
  ValidatingAdmissionPolicyBinding: {
    columns: columns('Name', 'PolicyName', 'ParamRef', 'Age'),
    cells: (each, now) => {
      const ref = at(each, 'spec', 'paramRef')
      const place = textAt(ref, 'namespace') === '' ? '*' : textAt(ref, 'namespace')
      return [name(each), textAt(each, 'spec', 'policyName'), ref === undefined ? '<unset>' : `${place}/${textAt(ref, 'name') || '*'}`, age(each, now)]
    },
  },
  FlowSchema: {
    columns: columns('Name', 'PriorityLevel', integer('MatchingPrecedence'), 'DistinguisherMethod', 'Age', 'MissingPL'),
    cells: (each, now) => {
      const dangling = listAt(each, 'status', 'conditions').find((condition) => textAt(condition, 'type') === 'Dangling')
      return [
        name(each),
        textAt(each, 'spec', 'priorityLevelConfiguration', 'name'),
        countAt(each, 'spec', 'matchingPrecedence'),
        orNone(textAt(each, 'spec', 'distinguisherMethod', 'type')),
        age(each, now),
        dangling === undefined ? '?' : textAt(dangling, 'status'),
      ]
    },
  },
  PriorityLevelConfiguration: {
    columns: columns('Name', 'Type', 'NominalConcurrencyShares', 'Queues', 'HandSize', 'QueueLengthLimit', 'Age'),
    cells: (each, now) => {
      const limited = at(each, 'spec', 'limited')
      const queuing = at(limited, 'limitResponse', 'queuing')
      const shares = textAt(limited, 'nominalConcurrencyShares') || textAt(limited, 'assuredConcurrencyShares')
      return [
        name(each),
        textAt(each, 'spec', 'type'),
        orNone(shares),
        ...['queues', 'handSize', 'queueLengthLimit'].map((field) => orNone(textAt(queuing, field))),
        age(each, now),
      ]
    },
  },
  CustomResourceDefinition: { columns: columns('Name', 'Created At'), cells: (each) => [name(each), textAt(each, 'metadata', 'creationTimestamp')] },
  APIService: {
    columns: columns('Name', 'Service', 'Available', 'Age'),
    cells: (each, now) => {
      const service = at(each, 'spec', 'service')
      const available = listAt(each, 'status', 'conditions').find((condition) => textAt(condition, 'type') === 'Available')
      const status = available === undefined ? 'Unknown' : textAt(available, 'status')
      return [
        name(each),
        service === undefined || service === null ? 'Local' : `${textAt(service, 'namespace')}/${textAt(service, 'name')}`,
        status === 'True' || available === undefined ? status : `${status} (${textAt(available, 'reason')})`,
        age(each, now),
      ]
    },
  },
}
