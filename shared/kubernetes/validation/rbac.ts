import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors, sameValue } from './metadata.ts'
import { pathSegmentErrors, rbacName, subdomainName } from './names.ts'
import { isUsableSelector, labelSelectorErrors } from './selectors.ts'
import { object, objects, pointer, text, texts } from './values.ts'

const GROUP = 'rbac.authorization.k8s.io'

/** One rule of a role. */
export function* policyRuleErrors(rule: JsonObject, namespaced: boolean, field: string): Iterable<FieldError> {
  const urls = texts(rule['nonResourceURLs'])
  const [groups, resources, names] = [texts(rule['apiGroups']), texts(rule['resources']), texts(rule['resourceNames'])]
  if (texts(rule['verbs']).length === 0) yield required(`${field}.verbs`, 'verbs must contain at least one value')
  if (urls.length > 0) {
    const shown = typed('[]string', urls)
    if (namespaced) yield invalid(`${field}.nonResourceURLs`, shown, 'namespaced rules cannot apply to non-resource URLs')
    if (groups.length + resources.length + names.length > 0)
      yield invalid(`${field}.nonResourceURLs`, shown, 'rules cannot apply to both regular resources and non-resource URLs')
    return
  }
  if (groups.length === 0) yield required(`${field}.apiGroups`, 'resource rules must supply at least one api group')
  if (resources.length === 0) yield required(`${field}.resources`, 'resource rules must supply at least one resource')
}

function* roleErrors(role: KubeObject, namespaced: boolean): Iterable<FieldError> {
  yield* metadataErrors(role, { namespaced, name: rbacName })
  for (const [index, rule] of objects(role['rules']).entries()) yield* policyRuleErrors(rule, namespaced, `rules[${String(index)}]`)
  const aggregation = pointer(role['aggregationRule'])
  if (namespaced || aggregation === null) return
  const selectors = objects(aggregation['clusterRoleSelectors'])
  const field = 'aggregationRule.clusterRoleSelectors'
  if (selectors.length === 0) yield required(field, 'at least one clusterRoleSelector required if aggregationRule is non-nil')
  for (const [index, selector] of selectors.entries()) {
    yield* labelSelectorErrors(selector, `${field}[${String(index)}]`)
    // Upstream shows the selector that it could not make, which is nil.
    if (!isUsableSelector(selector)) yield invalid(`${field}[${String(index)}]`, null, 'invalid label selector.')
  }
}

const roleRules = (namespaced: boolean): Rules => ({
  create: (role) => roleErrors(role, namespaced),
  *update(after, before) {
    // Twice, as upstream does: causes count.
    yield* roleErrors(after, namespaced)
    yield* roleErrors(after, namespaced)
    yield* metadataUpdateErrors(after, before)
  },
})

function* subjectErrors(subject: JsonObject, namespaced: boolean, field: string): Iterable<FieldError> {
  const [name, group] = [text(subject['name']), text(subject['apiGroup'])]
  if (name === '') yield required(`${field}.name`)
  switch (subject['kind']) {
    case 'ServiceAccount':
      if (name !== '') for (const detail of subdomainName(name, false)) yield invalid(`${field}.name`, name, detail)
      if (group !== '') yield notSupported(`${field}.apiGroup`, group, [''])
      if (!namespaced && text(subject['namespace']) === '') yield required(`${field}.namespace`)
      break
    case 'User':
    case 'Group':
      if (group !== GROUP) yield notSupported(`${field}.apiGroup`, group, [GROUP])
      break
    default:
      yield notSupported(`${field}.kind`, text(subject['kind']), ['ServiceAccount', 'User', 'Group'])
  }
}

function* bindingErrors(binding: KubeObject, namespaced: boolean): Iterable<FieldError> {
  yield* metadataErrors(binding, { namespaced, name: rbacName })
  const role = object(binding['roleRef'])
  const [group, kind, name] = [text(role['apiGroup']), text(role['kind']), text(role['name'])]
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  if (group !== GROUP) yield notSupported('roleRef.apiGroup', group, [GROUP])
  if (!kinds.includes(kind)) yield notSupported('roleRef.kind', kind, kinds)
  if (name === '') yield required('roleRef.name')
  else for (const detail of pathSegmentErrors(name)) yield invalid('roleRef.name', name, detail)
  for (const [index, subject] of objects(binding['subjects']).entries()) yield* subjectErrors(subject, namespaced, `subjects[${String(index)}]`)
}

const bindingRules = (namespaced: boolean): Rules => ({
  create: (binding) => bindingErrors(binding, namespaced),
  *update(after, before) {
    yield* bindingErrors(after, namespaced)
    yield* bindingErrors(after, namespaced)
    yield* metadataUpdateErrors(after, before)
    if (!sameValue(after['roleRef'], before['roleRef'])) yield invalid('roleRef', typed('rbac.v1.RoleRef', after['roleRef']), 'cannot change roleRef')
  },
})

export const roleKindRules: Rules = roleRules(true)
export const clusterRoleRules: Rules = roleRules(false)
export const roleBindingRules: Rules = bindingRules(true)
export const clusterRoleBindingRules: Rules = bindingRules(false)
