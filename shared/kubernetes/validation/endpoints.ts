import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { ipErrors, specialAddressErrors } from './addresses.ts'
import { protocolErrors } from './containers.ts'
import { invalid, required, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { dnsLabelErrors, portNumberErrors, qualifiedNameErrors, subdomainName } from './names.ts'
import { has, number, objects, text } from './values.ts'

function* addressErrors(address: JsonObject, field: string): Iterable<FieldError> {
  const ip = text(address['ip'])
  for (const detail of ipErrors(ip)) yield invalid(`${field}.ip`, ip, detail)
  const hostname = text(address['hostname'])
  if (hostname !== '') for (const detail of dnsLabelErrors(hostname)) yield invalid(`${field}.hostname`, hostname, detail)
  const node = address['nodeName']
  if (has(node)) for (const detail of subdomainName(text(node), false)) yield invalid(`${field}.nodeName`, node, detail)
  yield* specialAddressErrors(ip, `${field}.ip`)
}

function* portErrors(port: JsonObject, named: boolean, field: string): Iterable<FieldError> {
  const name = text(port['name'])
  if (named && name === '') yield required(`${field}.name`)
  else if (name !== '') for (const detail of dnsLabelErrors(name)) yield invalid(`${field}.name`, name, detail)
  for (const detail of portNumberErrors(number(port['port']))) yield invalid(`${field}.port`, number(port['port']), detail)
  yield* protocolErrors(port['protocol'], `${field}.protocol`)
  const protocol = port['appProtocol']
  if (has(protocol)) for (const detail of qualifiedNameErrors(text(protocol))) yield invalid(`${field}.appProtocol`, protocol, detail)
}

function* errors(endpoints: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(endpoints, { namespaced: true, name: subdomainName })
  for (const [index, subset] of objects(endpoints['subsets']).entries()) {
    const field = `subsets[${String(index)}]`
    if (objects(subset['addresses']).length + objects(subset['notReadyAddresses']).length === 0)
      yield required(field, 'must specify `addresses` or `notReadyAddresses`')
    for (const list of ['addresses', 'notReadyAddresses'])
      for (const [at, address] of objects(subset[list]).entries()) yield* addressErrors(address, `${field}.${list}[${String(at)}]`)
    const ports = objects(subset['ports'])
    for (const [at, port] of ports.entries()) yield* portErrors(port, ports.length > 1, `${field}.ports[${String(at)}]`)
  }
}

export const endpointsRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* errors(after)
  },
}
