import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { invalid, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { isQuotaResource, quotaResourceNameErrors, resourceQuantityErrors } from './resources.ts'
import { entries, object, objects, pointer, text, texts } from './values.ts'

const SCOPES = new Set(['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort', 'PriorityClass', 'CrossNamespacePodAffinity', 'VolumeAttributesClass'])
const EXISTS_ONLY = new Set(['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort'])
const COMPUTE = new Set(['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'])

function isValidFor(scope: string, resource: string): boolean {
  switch (scope) {
    case 'Terminating':
    case 'NotTerminating':
    case 'NotBestEffort':
    case 'PriorityClass':
    case 'CrossNamespacePodAffinity':
      return resource === 'pods' || COMPUTE.has(resource)
    case 'BestEffort':
      return resource === 'pods'
    default:
      return true
  }
}

function* listErrors(list: unknown, field: string): Iterable<FieldError> {
  for (const [name, value] of entries(list)) {
    yield* quotaResourceNameErrors(name, `${field}[${name}]`)
    yield* resourceQuantityErrors(name, value, `${field}[${name}]`)
  }
}

function* conflictErrors(scopes: readonly string[], field: string, shown: unknown): Iterable<FieldError> {
  for (const scope of ['BestEffort', 'Terminating'])
    if (scopes.includes(scope) && scopes.includes(`Not${scope}`)) yield invalid(field, shown, 'conflicting scopes')
}

function* scopeErrors(spec: JsonObject): Iterable<FieldError> {
  const scopes = texts(spec['scopes'])
  if (scopes.length === 0) return
  const shown = typed('[]core.ResourceQuotaScope', scopes)
  const hard = Object.keys(object(spec['hard'])).sort()
  for (const scope of scopes) {
    if (!SCOPES.has(scope)) yield invalid('spec.scopes', shown, 'unsupported scope')
    for (const name of hard) if (isQuotaResource(name) && !isValidFor(scope, name)) yield invalid('spec.scopes', shown, 'unsupported scope applied to resource')
  }
  yield* conflictErrors(scopes, 'spec.scopes', shown)
}

function* selectorErrors(spec: JsonObject): Iterable<FieldError> {
  const selector = pointer(spec['scopeSelector'])
  if (selector === null) return
  const field = 'spec.scopeSelector.matchExpressions'
  const hard = Object.keys(object(spec['hard'])).sort()
  const requirements = objects(selector['matchExpressions'])
  for (const requirement of requirements) {
    const [scope, operator, values] = [text(requirement['scopeName']), text(requirement['operator']), texts(requirement['values'])]
    if (!SCOPES.has(scope)) yield invalid(`${field}.scopeName`, scope, 'unsupported scope')
    for (const name of hard)
      if (isQuotaResource(name) && !isValidFor(scope, name))
        yield invalid(field, typed('core.v1.ScopeSelector', selector), 'unsupported scope applied to resource')
    if (EXISTS_ONLY.has(scope) && operator !== 'Exists')
      yield invalid(
        `${field}.operator`,
        operator,
        "must be 'Exist' only operator when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort and ResourceQuotaScopeNotBestEffort",
      )
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) yield required(`${field}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0)
        yield invalid(`${field}.values`, typed('[]string', values), "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector")
    } else yield invalid(`${field}.operator`, operator, 'not a valid selector operator')
  }
  const scopes = requirements.map((each) => text(each['scopeName']))
  yield* conflictErrors(scopes, field, typed('[]core.ResourceQuotaScope', spec['scopes']))
}

function* specErrors(spec: JsonObject): Iterable<FieldError> {
  yield* listErrors(spec['hard'], 'spec.hard')
  yield* scopeErrors(spec)
  yield* selectorErrors(spec)
}

function* statusErrors(status: JsonObject): Iterable<FieldError> {
  for (const list of ['hard', 'used']) yield* listErrors(status[list], `status.${list}`)
}

function* errors(quota: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(quota, { namespaced: true, name: subdomainName })
  yield* specErrors(object(quota['spec']))
  yield* statusErrors(object(quota['status']))
}

export const resourceQuotaRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* errors(after)
    yield* metadataUpdateErrors(after, before)
    yield* specErrors(object(after['spec']))
    const scopesOf = (quota: KubeObject): Set<string> => new Set(texts(object(quota['spec'])['scopes']))
    const [now, was] = [scopesOf(after), scopesOf(before)]
    if (now.size !== was.size || [...now].some((each) => !was.has(each)))
      yield invalid('spec.scopes', typed('[]core.ResourceQuotaScope', object(after['spec'])['scopes']), 'field is immutable')
  },
  *status(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* statusErrors(object(after['status']))
  },
}
