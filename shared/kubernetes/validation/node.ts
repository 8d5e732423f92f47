import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { isDualStack, parseNetwork } from './addresses.ts'
import { duplicate, forbidden, internal, invalid, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { labelNameErrors, metadataErrors, metadataUpdateErrors, sameValue } from './metadata.ts'
import { configKeyErrors, labelName, labelValueErrors, subdomainName } from './names.ts'
import { resourceQuantityErrors } from './resources.ts'
import { taintEffectErrors } from './selectors.ts'
import { entries, has, object, objects, pointer, text, texts } from './values.ts'

function* taintErrors(taints: JsonObject[], field: string): Iterable<FieldError> {
  const seen = new Set<string>()
  for (const [index, taint] of taints.entries()) {
    const at = `${field}[${String(index)}]`
    yield* labelNameErrors(text(taint['key']), `${at}.key`)
    const value = labelValueErrors(text(taint['value']))
    if (value.length > 0) yield invalid(`${at}.value`, text(taint['value']), value.join(';'))
    yield* taintEffectErrors(text(taint['effect']), false, `${at}.effect`)
    const id = `${text(taint['effect'])}/${text(taint['key'])}`
    if (seen.has(id)) yield duplicate(at, typed('core.v1.Taint', taint), 'taints must be unique by key and effect pair')
    seen.add(id)
  }
}

function* resourceErrors(node: KubeObject): Iterable<FieldError> {
  const status = object(node['status'])
  for (const list of ['capacity', 'allocatable'])
    for (const [name, value] of entries(status[list])) yield* resourceQuantityErrors(name, value, `status.${list}${name === '' ? NO_NAME : `.${name}`}`)
}

function* networkErrors(spec: JsonObject): Iterable<FieldError> {
  const field = 'spec.podCIDRs'
  const networks = texts(spec['podCIDRs'])
  const shown = typed('[]string', networks)
  for (const [index, network] of networks.entries())
    if (parseNetwork(network) === null) yield invalid(`${field}[${String(index)}]`, shown, 'must be valid CIDR')
  if (networks.length <= 1) return
  const bad = networks.find((each) => parseNetwork(each) === null)
  if (bad !== undefined) yield internal(field, `invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR address: ${bad}`)
  if (bad !== undefined || !isDualStack(networks) || networks.length > 2) yield invalid(field, shown, 'may specify no more than one CIDR for each IP family')
  for (const [index, network] of networks.entries()) if (networks.indexOf(network) < index) yield duplicate(`${field}[${String(index)}]`, network)
}

function* configReferenceErrors(source: JsonObject, field: string, inStatus: boolean): Iterable<FieldError> {
  const reference = pointer(source['configMap'])
  if (reference !== null) {
    const at = `${field}.configMap`
    for (const name of ['uid', 'resourceVersion']) {
      const set = text(reference[name]) !== ''
      if (inStatus && !set) yield required(`${at}.${name}`, `${name} must be set in status`)
      if (!inStatus && set) yield forbidden(`${at}.${name}`, `${name} must not be set in spec`)
    }
    for (const [name, rule] of [
      ['namespace', (each: string) => labelName(each, false)],
      ['name', (each: string) => subdomainName(each, false)],
      ['kubeletConfigKey', configKeyErrors],
    ] as const) {
      const value = text(reference[name])
      if (value === '') yield required(`${at}.${name}`, `${name} must be set`)
      else for (const detail of rule(value)) yield invalid(`${at}.${name}`, value, detail)
    }
  } else yield invalid(field, typed('core.v1.NodeConfigSource', source), 'exactly one reference subfield must be non-nil')
}

/** How upstream writes a part of a path that is empty. */
const NO_NAME = '[]'
const CIDR_FIXED = 'node updates may not change podCIDR except from "" to valid'
const FIXED = 'node updates may only change labels, taints, or capacity (or configSource, if the DynamicKubeletConfig feature gate is enabled)'

function* errors(node: KubeObject): Iterable<FieldError> {
  const spec = object(node['spec'])
  yield* metadataErrors(node, { namespaced: false, name: subdomainName })
  yield* taintErrors(objects(spec['taints']), 'metadata.taints')
  yield* resourceErrors(node)
  yield* networkErrors(spec)
}

function* updateErrors(after: KubeObject, before: KubeObject): Iterable<FieldError> {
  const [now, was, status] = [object(after['spec']), object(before['spec']), object(after['status'])]
  yield* metadataUpdateErrors(after, before)
  yield* resourceErrors(after)
  const addresses = objects(status['addresses'])
  for (const [index, address] of addresses.entries())
    if (addresses.findIndex((each) => sameValue(each, address)) < index)
      yield duplicate(`status.addresses[${String(index)}]`, typed('core.v1.NodeAddress', address))
  const [networks, oldNetworks] = [texts(now['podCIDRs']), texts(was['podCIDRs'])]
  if (oldNetworks.length > 0) {
    if (oldNetworks.length !== networks.length) yield forbidden('spec.podCIDRs', CIDR_FIXED)
    else for (const [index, network] of oldNetworks.entries()) if (network !== networks[index]) yield forbidden('spec.podCIDRs', CIDR_FIXED)
  }
  const [provider, oldProvider] = [text(now['providerID']), text(was['providerID'])]
  if (oldProvider !== '' && provider !== oldProvider) yield forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid')
  const source = pointer(now['configSource'])
  if (source !== null) yield* configReferenceErrors(source, 'spec.configSource', false)
  const config = pointer(status['config'])
  for (const name of ['assigned', 'active', 'lastKnownGood']) {
    const reference = pointer(config?.[name])
    if (reference !== null) yield* configReferenceErrors(reference, `status.config.${name}`, true)
  }
  yield* taintErrors(objects(now['taints']), 'metadata.taints')
  const rest = ({ podCIDR: _, podCIDRs, providerID, configSource: __, unschedulable: ___, taints: ____, ...others }: JsonObject, old: boolean): JsonObject => ({
    ...others,
    ...(old && !has(oldNetworks[0]) ? { podCIDRs: networks } : { podCIDRs: podCIDRs ?? [] }),
    // Absent and empty are the same here.
    providerID: old && oldProvider === '' ? provider : text(providerID),
  })
  if (!sameValue(rest(now, false), rest(was, true))) yield forbidden(NO_NAME, FIXED)
}

export const nodeRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* errors(after)
    yield* updateErrors(after, before)
  },
  status: updateErrors,
}
