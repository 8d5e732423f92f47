import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { duplicate, forbidden, invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors } from './metadata.ts'
import { labelName, subdomainName } from './names.ts'
import { number, object, objects, pointer, text, texts } from './values.ts'

const SCOPE = { namespaced: false, name: subdomainName }
const MAX_PRECEDENCE = 10_000
const MAX_QUEUES = 10_000_000
/** Bits of the hash from which a flow's queues are dealt. */
const MAX_HASH_BITS = 60
const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch']
const METHODS = ['ByNamespace', 'ByUser']
const KINDS = ['Group', 'ServiceAccount', 'User']

function* conditionErrors(object_: KubeObject): Iterable<FieldError> {
  const types = new Set<string>()
  for (const [index, condition] of objects(object(object_['status'])['conditions']).entries()) {
    const type = text(condition['type'])
    if (types.has(type)) yield duplicate(`status.conditions[${String(index)}].type`, type)
    types.add(type)
    if (type === '') yield required(`status.conditions[${String(index)}].type`, 'must not be empty')
  }
}

const MEMBERS = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const

function* subjectErrors(subject: JsonObject, field: string): Iterable<FieldError> {
  const kind = text(subject['kind'])
  if (kind !== 'ServiceAccount' && kind !== 'User' && kind !== 'Group') {
    yield notSupported(`${field}.kind`, kind, KINDS)
    return
  }
  const member = MEMBERS[kind]
  const given = pointer(subject[member])
  const at = `${field}.${member}`
  if (given === null) yield required(at, `${member} is required when subject kind is '${kind}'`)
  else {
    const name = text(given['name'])
    if (name === '') yield required(`${at}.name`)
    else if (kind === 'ServiceAccount' && name !== '*') for (const detail of subdomainName(name, false)) yield invalid(`${at}.name`, name, detail)
    if (kind === 'ServiceAccount') {
      const namespace = text(given['namespace'])
      if (namespace === '') yield required(`${at}.namespace`, 'must specify namespace for service account')
      else for (const detail of labelName(namespace, false)) yield invalid(`${at}.namespace`, namespace, detail)
    }
  }
  for (const [otherKind, other] of [
    ['ServiceAccount', 'serviceAccount'],
    ['User', 'user'],
    ['Group', 'group'],
  ] as const)
    if (other !== member && pointer(subject[other]) !== null)
      yield forbidden(`${field}.${other}`, `${other} is forbidden when subject kind is not '${otherKind}'`)
}

function* listErrors(values: string[], field: string, missing: string, what: string): Iterable<FieldError> {
  if (values.length === 0) yield required(field, missing)
  else if (values.length > 1 && values.includes('*')) yield invalid(field, typed('[]string', values), `if '*' is present, must not specify other ${what}`)
}

function* verbErrors(verbs: string[], field: string): Iterable<FieldError> {
  yield* listErrors(verbs, field, 'verbs must contain at least one value', 'verbs')
  if (verbs.length > 0 && !verbs.includes('*') && verbs.some((verb) => !VERBS.includes(verb))) yield notSupported(field, typed('[]string', verbs), VERBS)
}

function urlError(url: string): string | null {
  if (url === '') return 'must not be empty'
  if (url === '/') return null
  if (!url.startsWith('/')) return 'must start with slash'
  if (url.includes(' ')) return 'must not contain white-space'
  if (url.includes('//')) return 'must not contain double slash'
  const stars = url.split('*').length - 1
  return stars > 1 || (stars === 1 && !url.endsWith('/*')) ? 'wildcard can only do suffix matching' : null
}

function* ruleErrors(rule: JsonObject, field: string): Iterable<FieldError> {
  const subjects = objects(rule['subjects'])
  const [resources, urls] = [objects(rule['resourceRules']), objects(rule['nonResourceRules'])]
  for (const [index, subject] of subjects.entries()) yield* subjectErrors(subject, `${field}.subjects[${String(index)}]`)
  if (subjects.length === 0) yield required(`${field}.subjects`, 'subjects must contain at least one value')
  if (resources.length + urls.length === 0) yield required(field, 'at least one of resourceRules and nonResourceRules has to be non-empty')
  for (const [index, each] of resources.entries()) {
    const at = `${field}.resourceRules[${String(index)}]`
    yield* verbErrors(texts(each['verbs']), `${at}.verbs`)
    yield* listErrors(texts(each['apiGroups']), `${at}.apiGroups`, 'resource rules must supply at least one api group', 'api groups')
    yield* listErrors(texts(each['resources']), `${at}.resources`, 'resource rules must supply at least one resource', 'resources')
    const namespaces = texts(each['namespaces'])
    if (namespaces.length > 0 || each['clusterScope'] !== true)
      yield* listErrors(namespaces, `${at}.namespaces`, 'resource rules that are not cluster scoped must supply at least one namespace', 'namespaces')
    if (namespaces.includes('*')) continue
    for (const [name, namespace] of namespaces.entries())
      for (const detail of labelName(namespace, false))
        yield invalid(`${at}.namespaces[${String(name)}]`, namespace, `each member of this list must be '*' or a DNS-1123 label; ${detail}`)
  }
  for (const [index, each] of urls.entries()) {
    const at = `${field}.nonResourceRules[${String(index)}]`
    const list = texts(each['nonResourceURLs'])
    yield* verbErrors(texts(each['verbs']), `${at}.verbs`)
    yield* listErrors(list, `${at}.nonResourceURLs`, 'nonResourceURLs must contain at least one value', 'non-resource URLs')
    if (list.includes('*')) continue
    for (const [name, url] of list.entries()) {
      const error = urlError(url)
      if (error !== null) yield invalid(`${at}.nonResourceURLs[${String(name)}]`, url, error)
    }
  }
}

function* flowSchemaErrors(schema: KubeObject): Iterable<FieldError> {
  const spec = object(schema['spec'])
  const precedence = number(spec['matchingPrecedence'])
  const field = 'spec.matchingPrecedence'
  yield* metadataErrors(schema, SCOPE)
  if (precedence <= 0) yield invalid(field, precedence, 'must be a positive value')
  if (precedence > MAX_PRECEDENCE) yield invalid(field, precedence, `must not be greater than ${String(MAX_PRECEDENCE)}`)
  if (precedence === 1 && schema.metadata.name !== 'exempt') yield invalid(field, precedence, "only the schema named 'exempt' may have matchingPrecedence 1")
  const method = pointer(spec['distinguisherMethod'])
  if (method !== null && !METHODS.includes(text(method['type'])))
    yield notSupported('spec.distinguisherMethod.type', typed('flowcontrol.v1beta1.FlowDistinguisherMethod', method), METHODS)
  const level = text(object(spec['priorityLevelConfiguration'])['name'])
  if (level === '') yield required('spec.priorityLevelConfiguration.name', 'must reference a priority level')
  else for (const detail of subdomainName(level, false)) yield invalid('spec.priorityLevelConfiguration.name', level, detail)
  for (const [index, rule] of objects(spec['rules']).entries()) yield* ruleErrors(rule, `spec.rules[${String(index)}]`)
  yield* conditionErrors(schema)
}

/** Bits that dealing `hand` of `deck` queues takes. */
function entropyBits(deck: number, hand: number): number {
  return Math.ceil(Math.log2(deck) * hand)
}

function* queuingErrors(queuing: JsonObject, field: string): Iterable<FieldError> {
  const [length, queues, hand] = [number(queuing['queueLengthLimit']), number(queuing['queues']), number(queuing['handSize'])]
  if (length <= 0) yield invalid(`${field}.queueLengthLimit`, length, 'must be positive')
  if (queues <= 0) yield invalid(`${field}.queues`, queues, 'must be positive')
  else if (queues > MAX_QUEUES) yield invalid(`${field}.queues`, queues, `must not be greater than ${String(MAX_QUEUES)}`)
  if (hand <= 0) yield invalid(`${field}.handSize`, hand, 'must be positive')
  else if (hand > queues) yield invalid(`${field}.handSize`, hand, `should not be greater than queues (${String(queues)})`)
  else if (entropyBits(queues, hand) > MAX_HASH_BITS)
    yield invalid(
      `${field}.handSize`,
      hand,
      `required entropy bits of deckSize ${String(queues)} and handSize ${String(hand)} should not be greater than ${String(MAX_HASH_BITS)}`,
    )
}

function* limitedErrors(limited: JsonObject, version: string): Iterable<FieldError> {
  const shares = version === 'v1alpha1' || version === 'v1beta1' || version === 'v1beta2' ? 'assuredConcurrencyShares' : 'nominalConcurrencyShares'
  const given = limited[shares]
  const least = shares === 'assuredConcurrencyShares' ? 1 : 0
  if (number(given) < least) yield invalid(`spec.limited.${shares}`, number(given), least === 1 ? 'must be positive' : 'must be a non-negative integer')
  const response = object(limited['limitResponse'])
  const queuing = pointer(response['queuing'])
  const field = 'spec.limited.limitResponse'
  if (response['type'] === 'Reject') {
    if (queuing !== null) yield forbidden(`${field}.queuing`, 'must be nil if limited.limitResponse.type is not Limited')
  } else if (response['type'] === 'Queue') {
    if (queuing === null) yield required(`${field}.queuing`, 'must not be empty if limited.limitResponse.type is Limited')
    else yield* queuingErrors(queuing, `${field}.queuing`)
  } else yield notSupported(`${field}.type`, text(response['type']), ['Queue', 'Reject'])
}

function* priorityLevelErrors(level: KubeObject, version: string): Iterable<FieldError> {
  const spec = object(level['spec'])
  const type = text(spec['type'])
  const limited = pointer(spec['limited'])
  yield* metadataErrors(level, SCOPE)
  if ((level.metadata.name === 'exempt') !== (type === 'Exempt')) yield invalid('spec.type', type, "type must be 'Exempt' if and only if name is 'exempt'")
  if (type === 'Exempt') {
    if (limited !== null) yield forbidden('spec.limited', 'must be nil if the type is not Limited')
  } else if (type === 'Limited') {
    if (limited === null) yield required('spec.limited', 'must not be empty when type is Limited')
    else yield* limitedErrors(limited, version)
  } else yield notSupported('spec.type', type, ['Exempt', 'Limited'])
  yield* conditionErrors(level)
}

export const flowSchemaRules: Rules = { create: flowSchemaErrors, update: flowSchemaErrors, status: conditionErrors }

export const priorityLevelConfigurationRules: Rules = {
  create: (level, { version }) => priorityLevelErrors(level, version),
  update: (level, _, { version }) => priorityLevelErrors(level, version),
  status: conditionErrors,
}
