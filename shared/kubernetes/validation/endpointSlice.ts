import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { parseAddress } from './addresses.ts'
import { PROTOCOLS } from './containers.ts'
import { duplicate, invalid, notSupported, required, tooMany, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { immutable, labelErrors, metadataErrors } from './metadata.ts'
import { dnsLabelErrors, dnsSubdomainErrors, qualifiedNameErrors, subdomainName } from './names.ts'
import { entries, has, objects, text, texts } from './values.ts'

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6']
const MAX_ENDPOINTS = 1000
const MAX_EACH = 100
const MAX_TOPOLOGY = 16

function* domainErrors(name: string, field: string): Iterable<FieldError> {
  if (name === '') {
    yield required(field)
    return
  }
  const plain = name.replace(/\.$/, '')
  const errors = dnsSubdomainErrors(plain)
  const labels = plain.split('.')
  const bad = labels.find((label) => dnsLabelErrors(label).length > 0)
  if (errors.length > 0) yield invalid(field, plain, errors.join(','))
  else if (labels.length < 2) yield invalid(field, plain, 'should be a domain with at least two segments separated by dots')
  else if (bad !== undefined) yield invalid(field, bad, dnsLabelErrors(bad).join(','))
}

function* addressErrors(address: string, type: string, field: string): Iterable<FieldError> {
  const bytes = parseAddress(address)?.length
  if (type === 'IPv4' && bytes !== 4) yield invalid(field, address, 'must be a valid IPv4 address')
  if (type === 'IPv6' && bytes !== 16) yield invalid(field, address, 'must be a valid IPv6 address')
  if (type === 'FQDN') yield* domainErrors(address, field)
}

function* endpointErrors(endpoint: JsonObject, type: string, field: string): Iterable<FieldError> {
  const addresses = texts(endpoint['addresses'])
  if (addresses.length === 0) yield required(`${field}.addresses`, 'must contain at least 1 address')
  else if (addresses.length > MAX_EACH) yield tooMany(`${field}.addresses`, addresses.length, MAX_EACH)
  for (const [index, address] of addresses.entries()) yield* addressErrors(address, type, `${field}.addresses[${String(index)}]`)
  const node = endpoint['nodeName']
  if (has(node)) for (const detail of subdomainName(text(node), false)) yield invalid(`${field}.nodeName`, node, detail)
  // v1 calls what v1beta1 has as topology by another name.
  const topology = endpoint['topology'] ?? endpoint['deprecatedTopology']
  const named = has(endpoint['deprecatedTopology']) ? 'deprecatedTopology' : 'topology'
  const count = entries(topology).length
  if (count > MAX_TOPOLOGY) yield tooMany(`${field}.${named}`, count, MAX_TOPOLOGY)
  yield* labelErrors(topology, `${field}.${named}`)
  const hostname = endpoint['hostname']
  if (has(hostname)) for (const detail of dnsLabelErrors(text(hostname))) yield invalid(`${field}.hostname`, hostname, detail)
}

function* portErrors(ports: JsonObject[]): Iterable<FieldError> {
  if (ports.length > MAX_EACH) {
    yield tooMany('ports', ports.length, MAX_EACH)
    return
  }
  const names = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const field = `ports[${String(index)}]`
    const name = text(port['name'])
    if (name !== '') for (const detail of dnsLabelErrors(name)) yield invalid(`${field}.name`, name, detail)
    if (names.has(name)) yield duplicate(`${field}.name`, name)
    names.add(name)
    const { protocol, appProtocol } = port
    if (!has(protocol)) yield required(`${field}.protocol`)
    else if (!PROTOCOLS.includes(text(protocol))) yield notSupported(`${field}.protocol`, protocol, PROTOCOLS)
    if (has(appProtocol)) for (const detail of qualifiedNameErrors(text(appProtocol))) yield invalid(`${field}.appProtocol`, appProtocol, detail)
  }
}

function* errors(slice: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(slice, { namespaced: true, name: subdomainName })
  const type = text(slice['addressType'])
  if (type === '') yield required('addressType')
  else if (!ADDRESS_TYPES.includes(type)) yield notSupported('addressType', type, ADDRESS_TYPES)
  const endpoints = objects(slice['endpoints'])
  if (endpoints.length > MAX_ENDPOINTS) yield tooMany('endpoints', endpoints.length, MAX_ENDPOINTS)
  else for (const [index, endpoint] of endpoints.entries()) yield* endpointErrors(endpoint, type, `endpoints[${String(index)}]`)
  yield* portErrors(objects(slice['ports']))
}

export const endpointSliceRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* errors(after)
    yield* immutable(after['addressType'], before['addressType'], 'addressType')
  },
}
