import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { parseAddress } from './addresses.ts'
import { invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules, Target } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { dnsSubdomainErrors, label1035Name, pathSegmentErrors, portNameErrors, portNumberErrors, subdomainName, wildcardSubdomainErrors } from './names.ts'
import { loadBalancerStatusErrors } from './service.ts'
import { has, number, object, objects, pointer, text, texts } from './values.ts'

const CLASS_ANNOTATION = 'kubernetes.io/ingress.class'
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix']
const FORBIDDEN_IN_PATHS = ['//', '/./', '/../', '%2f', '%2F']
const FORBIDDEN_ENDS = ['/..', '/.']

/** What an update may keep because it was there, and names that differ between versions. */
interface Options {
  beta: boolean
  badSecretName: boolean
  badWildcardRule: boolean
}

/** An object in the same namespace. */
export function* localReferenceErrors(reference: JsonObject | null, field: string): Iterable<FieldError> {
  if (reference === null) return
  if (has(reference['apiGroup']))
    for (const detail of dnsSubdomainErrors(text(reference['apiGroup']))) yield invalid(`${field}.apiGroup`, reference['apiGroup'], detail)
  for (const name of ['kind', 'name']) {
    const value = text(reference[name])
    if (value === '') yield required(`${field}.${name}`, `${name} is required`)
    else for (const detail of pathSegmentErrors(value)) yield invalid(`${field}.${name}`, value, detail)
  }
}

/** The service of a backend by v1's names; v1beta1 has two fields in its place. */
function serviceOf(backend: JsonObject, beta: boolean): { name: string; portName: string; portNumber: number } | null {
  if (!beta) {
    const service = pointer(backend['service'])
    const port = object(service?.['port'])
    return service === null ? null : { name: text(service['name']), portName: text(port['name']), portNumber: number(port['number']) }
  }
  const { serviceName, servicePort } = backend
  if (text(serviceName) === '' && (!has(servicePort) || servicePort === 0 || servicePort === '')) return null
  return {
    name: text(serviceName),
    portName: typeof servicePort === 'string' ? servicePort : '',
    portNumber: typeof servicePort === 'number' ? servicePort : 0,
  }
}

function* backendErrors(backend: JsonObject, field: string, { beta }: Options): Iterable<FieldError> {
  const resource = pointer(backend['resource'])
  const service = serviceOf(backend, beta)
  const at = (v1: string, v1beta1: string): string => `${field}.${beta ? v1beta1 : v1}`
  if (resource !== null && service !== null) yield invalid(field, '', 'cannot set both resource and service backends')
  else if (resource !== null) yield* localReferenceErrors(resource, `${field}.resource`)
  else if (service !== null) {
    const { name, portName, portNumber } = service
    if (name === '') yield required(at('service.name', 'serviceName'))
    else for (const detail of label1035Name(name, false)) yield invalid(at('service.name', 'serviceName'), name, detail)
    if (portName !== '' && portNumber !== 0) yield invalid(field, '', 'cannot set both port name & port number')
    else if (portName !== '') for (const detail of portNameErrors(portName)) yield invalid(at('service.port.name', 'servicePort'), portName, detail)
    else if (portNumber !== 0) for (const detail of portNumberErrors(portNumber)) yield invalid(at('service.port.number', 'servicePort'), portNumber, detail)
    else yield required(field, 'port name or number is required')
  } else yield invalid(field, '', 'resource or service backend is required')
}

function* pathErrors(path: JsonObject, field: string, options: Options): Iterable<FieldError> {
  const type = path['pathType']
  const value = text(path['path'])
  if (!has(type)) {
    yield required(`${field}.pathType`, 'pathType must be specified')
    return
  }
  if (type === 'Exact' || type === 'Prefix') {
    if (!value.startsWith('/')) yield invalid(`${field}.path`, value, 'must be an absolute path')
    for (const each of FORBIDDEN_IN_PATHS) if (value.includes(each)) yield invalid(`${field}.path`, value, `must not contain '${each}'`)
    for (const each of FORBIDDEN_ENDS) if (value.endsWith(each)) yield invalid(`${field}.path`, value, `cannot end with '${each}'`)
  } else if (type === 'ImplementationSpecific') {
    if (value !== '' && !value.startsWith('/')) yield invalid(`${field}.path`, value, 'must be an absolute path')
  } else yield notSupported(`${field}.pathType`, type, PATH_TYPES)
  yield* backendErrors(object(path['backend']), `${field}.backend`, options)
}

function* ruleValueErrors(rule: JsonObject, field: string, options: Options): Iterable<FieldError> {
  const http = pointer(rule['http'])
  if (http === null) return
  const paths = objects(http['paths'])
  if (paths.length === 0) yield required(`${field}.http.paths`)
  for (const [index, path] of paths.entries()) yield* pathErrors(path, `${field}.http.paths[${String(index)}]`, options)
}

function* hostErrors(host: string, field: string): Iterable<FieldError> {
  for (const detail of host.includes('*') ? wildcardSubdomainErrors(host) : dnsSubdomainErrors(host)) yield invalid(field, host, detail)
}

function* specErrors(spec: JsonObject, options: Options): Iterable<FieldError> {
  const backendName = options.beta ? 'backend' : 'defaultBackend'
  const backend = pointer(spec[backendName])
  const rules = objects(spec['rules'])
  if (rules.length === 0 && backend === null)
    yield invalid('spec', typed('[]networking.IngressRule', spec['rules']), `either \`${backendName}\` or \`rules\` must be specified`)
  if (backend !== null) yield* backendErrors(backend, `spec.${backendName}`, options)
  for (const [index, rule] of rules.entries()) {
    const field = `spec.rules[${String(index)}]`
    const host = text(rule['host'])
    if (host !== '') {
      if (parseAddress(host) !== null) yield invalid(`${field}.host`, host, 'must be a DNS name, not an IP address')
      yield* hostErrors(host, `${field}.host`)
    }
    if (!host.includes('*') || !options.badWildcardRule) yield* ruleValueErrors(rule, field, options)
  }
  for (const [index, tls] of objects(spec['tls']).entries()) {
    const field = `spec.tls[${String(index)}]`
    for (const [at, host] of texts(tls['hosts']).entries()) yield* hostErrors(host, `${field}.hosts[${String(at)}]`)
    const secret = text(tls['secretName'])
    if (secret !== '' && !options.badSecretName) for (const detail of subdomainName(secret, false)) yield invalid(`${field}.secretName`, secret, detail)
  }
  const className = spec['ingressClassName']
  if (has(className)) for (const detail of subdomainName(text(className), false)) yield invalid('spec.ingressClassName', className, detail)
}

function optionsFor({ version }: Target, before: KubeObject | null): Options {
  const beta = version === 'v1beta1'
  const spec = object(before?.['spec'])
  const plain: Options = { beta, badSecretName: false, badWildcardRule: false }
  return {
    beta,
    badSecretName: beta || objects(spec['tls']).some((tls) => text(tls['secretName']) !== '' && subdomainName(text(tls['secretName']), false).length > 0),
    badWildcardRule: beta || objects(spec['rules']).some((rule) => text(rule['host']).includes('*') && [...ruleValueErrors(rule, '', plain)].length > 0),
  }
}

export const ingressRules: Rules = {
  *create(ingress, target) {
    const spec = object(ingress['spec'])
    yield* metadataErrors(ingress, { namespaced: true, name: subdomainName })
    yield* specErrors(spec, optionsFor(target, null))
    const annotation = ingress.metadata.annotations?.[CLASS_ANNOTATION]
    if (annotation !== undefined && has(spec['ingressClassName']))
      yield invalid(`annotations.${CLASS_ANNOTATION}`, annotation, 'can not be set when the class field is also set')
  },
  *update(after, before, target) {
    yield* metadataUpdateErrors(after, before)
    yield* metadataErrors(after, { namespaced: true, name: subdomainName })
    yield* specErrors(object(after['spec']), optionsFor(target, before))
  },
  *status(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* loadBalancerStatusErrors(object(object(after['status'])['loadBalancer']), 'status.loadBalancer')
  },
}
