import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { containsAddress, parseNetwork } from './addresses.ts'
import { forbidden, invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { portNameErrors, portNumberErrors, subdomainName } from './names.ts'
import { labelSelectorErrors } from './selectors.ts'
import { has, number, object, objects, pointer, text, texts } from './values.ts'

const PROTOCOLS = ['TCP', 'UDP', 'SCTP']
const POLICY_TYPES = ['Ingress', 'Egress']

function* portErrors(port: JsonObject, field: string): Iterable<FieldError> {
  const protocol = port['protocol']
  if (has(protocol) && !PROTOCOLS.includes(text(protocol))) yield notSupported(`${field}.protocol`, protocol, PROTOCOLS)
  const given = port['port']
  const end = port['endPort']
  if (has(given)) {
    const errors = typeof given === 'string' ? portNameErrors(given) : portNumberErrors(number(given))
    for (const detail of errors) yield invalid(`${field}.port`, given, detail)
    if (has(end) && typeof given === 'string') yield invalid(`${field}.endPort`, end, 'may not be specified when `port` is non-numeric')
    else if (has(end)) {
      if (number(end) < number(given)) yield invalid(`${field}.endPort`, end, 'must be greater than or equal to `port`')
      for (const detail of portNumberErrors(number(end))) yield invalid(`${field}.endPort`, end, detail)
    }
  } else if (has(end)) yield invalid(`${field}.endPort`, end, 'may not be specified when `port` is not specified')
}

function* blockErrors(block: JsonObject, field: string): Iterable<FieldError> {
  const cidr = text(block['cidr'])
  if (cidr === '') {
    yield required(`${field}.cidr`)
    return
  }
  const network = parseNetwork(cidr)
  if (network === null) {
    yield invalid(`${field}.cidr`, cidr, 'not a valid CIDR')
    return
  }
  for (const [index, except] of texts(block['except']).entries()) {
    const at = `${field}.except[${String(index)}]`
    const inner = parseNetwork(except)
    if (inner === null) {
      yield invalid(at, except, 'not a valid CIDR')
      return
    }
    if (!containsAddress(network, inner.address) || network.bits >= inner.bits) yield invalid(at, except, 'must be a strict subset of `cidr`')
  }
}

function* peerErrors(peer: JsonObject, field: string): Iterable<FieldError> {
  const [pods, namespaces, block] = [pointer(peer['podSelector']), pointer(peer['namespaceSelector']), pointer(peer['ipBlock'])]
  yield* labelSelectorErrors(pods, `${field}.podSelector`)
  yield* labelSelectorErrors(namespaces, `${field}.namespaceSelector`)
  if (block !== null) yield* blockErrors(block, `${field}.ipBlock`)
  const count = [pods, namespaces, block].filter((each) => each !== null).length
  if (count === 0) yield required(field, 'must specify a peer')
  else if (count > 1 && block !== null) yield forbidden(field, 'may not specify both ipBlock and another peer')
}

function* specErrors(spec: JsonObject): Iterable<FieldError> {
  yield* labelSelectorErrors(object(spec['podSelector']), 'spec.podSelector')
  for (const [direction, peers] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const)
    for (const [index, rule] of objects(spec[direction]).entries()) {
      const field = `spec.${direction}[${String(index)}]`
      for (const [at, port] of objects(rule['ports']).entries()) yield* portErrors(port, `${field}.ports[${String(at)}]`)
      for (const [at, peer] of objects(rule[peers]).entries()) yield* peerErrors(peer, `${field}.${peers}[${String(at)}]`)
    }
  const types = texts(spec['policyTypes'])
  if (types.length > POLICY_TYPES.length) {
    yield invalid('spec.policyTypes', typed('[]networking.PolicyType', types), 'may not specify more than two policyTypes')
    return
  }
  for (const [index, type] of types.entries()) if (!POLICY_TYPES.includes(type)) yield notSupported(`spec.policyTypes[${String(index)}]`, type, POLICY_TYPES)
}

function* errors(policy: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(policy, { namespaced: true, name: subdomainName })
  yield* specErrors(object(policy['spec']))
}

export const networkPolicyRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* errors(after)
    yield* metadataUpdateErrors(after, before)
    yield* specErrors(object(after['spec']))
  },
}
