import { isObject } from '../../kubernetes/json.ts'
import { matchesLabelSelector } from '../../kubernetes/labelSelector.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import type { UserInfo } from '../../kubernetes/transport.ts'

/** rbac.authorization.k8s.io/v1 PolicyRule. */
export interface PolicyRule {
  verbs: string[]
  apiGroups: string[]
  resources: string[]
  resourceNames: string[]
  nonResourceURLs: string[]
}

/** The four kinds that RBAC reads. */
export interface RbacPolicy {
  roles: readonly KubeObject[]
  clusterRoles: readonly KubeObject[]
  roleBindings: readonly KubeObject[]
  clusterRoleBindings: readonly KubeObject[]
}

export interface Subject {
  kind: 'User' | 'Group' | 'ServiceAccount'
  name: string
  /** Of service accounts. */
  namespace: string
}

export interface RoleRef {
  kind: 'Role' | 'ClusterRole'
  name: string
}

/** A binding as reasoning needs it. */
export interface Binding {
  kind: 'RoleBinding' | 'ClusterRoleBinding'
  name: string
  /** '' for cluster role bindings: they hold everywhere. */
  namespace: string
  subjects: Subject[]
  roleRef: RoleRef
}

/** What is asked; an empty namespace is the whole cluster. Without `resource`, `path` counts. */
export interface AccessQuestion {
  verb: string
  resource?: { group: string; resource: string; subresource: string; namespace: string; name: string }
  path: string
}

/** A rule and the binding through which somebody has it. */
export interface Grant {
  rule: PolicyRule
  binding: Binding
}

const strings = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])

export function rulesIn(role: KubeObject): PolicyRule[] {
  const rules = role['rules']
  return (Array.isArray(rules) ? rules.filter(isObject) : []).map((rule) => ({
    verbs: strings(rule['verbs']),
    apiGroups: strings(rule['apiGroups']),
    resources: strings(rule['resources']),
    resourceNames: strings(rule['resourceNames']),
    nonResourceURLs: strings(rule['nonResourceURLs']),
  }))
}

/** @returns null when the object is no binding that can be read */
export function readBinding(object: KubeObject): Binding | null {
  const [ref, subjects] = [object['roleRef'], object['subjects']]
  if (!isObject(ref) || typeof ref['name'] !== 'string') return null
  const namespace = object.metadata.namespace ?? ''
  return {
    kind: namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding',
    name: object.metadata.name ?? '',
    namespace,
    roleRef: { kind: ref['kind'] === 'Role' ? 'Role' : 'ClusterRole', name: ref['name'] },
    subjects: (Array.isArray(subjects) ? subjects.filter(isObject) : []).flatMap((subject): Subject[] => {
      const { kind, name, namespace: own } = subject
      if ((kind !== 'User' && kind !== 'Group' && kind !== 'ServiceAccount') || typeof name !== 'string') return []
      return [{ kind, name, namespace: typeof own === 'string' ? own : namespace }]
    }),
  }
}

/** Whether a subject of a binding is the user, by name or by one of the groups. */
export function isSubject(subject: Subject, user: UserInfo): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === user.username
    case 'Group':
      return user.groups.includes(subject.name)
    default:
      return user.username === `system:serviceaccount:${subject.namespace}:${subject.name}`
  }
}

/** Whether one rule allows what is asked (upstream's RuleAllows). */
export function ruleAllows(rule: PolicyRule, { verb, resource, path }: AccessQuestion): boolean {
  if (!rule.verbs.includes('*') && !rule.verbs.includes(verb)) return false
  if (resource === undefined) return rule.nonResourceURLs.some((url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))))
  if (!rule.apiGroups.includes('*') && !rule.apiGroups.includes(resource.group)) return false
  const combined = resource.subresource === '' ? resource.resource : `${resource.resource}/${resource.subresource}`
  const named = rule.resources.some((each) => each === '*' || each === combined || (resource.subresource !== '' && each === `*/${resource.subresource}`))
  return named && (rule.resourceNames.length === 0 || rule.resourceNames.includes(resource.name))
}

/** RBAC's objects, indexed for questions. Make a new one when they change. */
export class RbacIndex {
  readonly #roles = new Map<string, PolicyRule[]>()
  readonly #clusterBindings: Binding[]
  readonly #bindings = new Map<string, Binding[]>()

  constructor(policy: RbacPolicy) {
    for (const role of policy.roles) this.#roles.set(`${role.metadata.namespace ?? ''}/${role.metadata.name ?? ''}`, rulesIn(role))
    for (const role of policy.clusterRoles) this.#roles.set(role.metadata.name ?? '', aggregatedRules(role, policy.clusterRoles))
    this.#clusterBindings = policy.clusterRoleBindings.flatMap((each) => readBinding(each) ?? [])
    for (const binding of policy.roleBindings.flatMap((each) => readBinding(each) ?? [])) {
      const known = this.#bindings.get(binding.namespace)
      if (known === undefined) this.#bindings.set(binding.namespace, [binding])
      else known.push(binding)
    }
  }

  /** Rules a binding brings; a missing role brings none. */
  rulesOf(binding: Binding): PolicyRule[] {
    const { kind, name } = binding.roleRef
    return this.#roles.get(kind === 'Role' ? `${binding.namespace}/${name}` : name) ?? []
  }

  /** Bindings that hold in a namespace, '' for the cluster alone. */
  bindingsIn(namespace: string): Binding[] {
    return namespace === '' ? this.#clusterBindings : [...this.#clusterBindings, ...(this.#bindings.get(namespace) ?? [])]
  }

  /** What a user has in a namespace, with the binding each comes through. */
  grants(user: UserInfo, namespace: string): Grant[] {
    return this.bindingsIn(namespace)
      .filter(({ subjects }) => subjects.some((subject) => isSubject(subject, user)))
      .flatMap((binding) => this.rulesOf(binding).map((rule) => ({ rule, binding })))
  }

  /** Whether the role of a binding exists. */
  hasRole(binding: Binding): boolean {
    const { kind, name } = binding.roleRef
    return this.#roles.has(kind === 'Role' ? `${binding.namespace}/${name}` : name)
  }

  /** The first grant that allows it, or null. */
  allowedBy(user: UserInfo, question: AccessQuestion): (Grant & { subject: Subject }) | null {
    const namespace = question.resource?.namespace ?? ''
    for (const binding of this.bindingsIn(namespace)) {
      const subject = binding.subjects.find((each) => isSubject(each, user))
      if (subject === undefined) continue
      const rule = this.rulesOf(binding).find((each) => ruleAllows(each, question))
      if (rule !== undefined) return { rule, binding, subject }
    }
    return null
  }

  /** Bindings of the user whose role is missing: what they were meant to give is not known. */
  dangling(user: UserInfo, namespace: string): Binding[] {
    return this.bindingsIn(namespace).filter((binding) => !this.hasRole(binding) && binding.subjects.some((subject) => isSubject(subject, user)))
  }

  /** Every subject that may do it, each with the binding. */
  whoCan(question: AccessQuestion): { subject: Subject; binding: Binding }[] {
    return this.bindingsIn(question.resource?.namespace ?? '')
      .filter((binding) => this.rulesOf(binding).some((rule) => ruleAllows(rule, question)))
      .flatMap((binding) => binding.subjects.map((subject) => ({ subject, binding })))
  }
}

/** An aggregated role has its own rules and those of every cluster role its selectors match. */
function aggregatedRules(role: KubeObject, all: readonly KubeObject[]): PolicyRule[] {
  const aggregation = role['aggregationRule']
  const selectors = isObject(aggregation) && Array.isArray(aggregation['clusterRoleSelectors']) ? (aggregation['clusterRoleSelectors'] as unknown[]) : []
  const own = rulesIn(role)
  // The controller writes the sum into `rules`; where nobody has done it yet, it is made here.
  if (selectors.length === 0 || own.length > 0) return own
  return all
    .filter((each) => each !== role && selectors.some((selector) => matchesLabelSelector(selector, each.metadata.labels ?? {})))
    .flatMap((each) => aggregatedRules(each, all))
}

/** Whether rules cover every permission of `wanted`, each verb, group, resource and name by itself (upstream's Covers). @returns the rules that are not covered */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.filter((rule) => !breakDown(rule).every((single) => held.some((each) => covers(each, single))))
}

/**
 * The single permissions of `wanted` that `held` does not cover, verbs of one resource and name together (upstream's Covers and
 * CompactRules).
 */
export function missingPermissions(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  const simple = new Map<string, PolicyRule>()
  const others: PolicyRule[] = []
  for (const rule of wanted)
    for (const single of breakDown(rule)) {
      if (held.some((each) => covers(each, single))) continue
      const { verb, group, resource, name, url } = single
      if (url !== '') {
        others.push({ verbs: [verb], apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [url] })
        continue
      }
      const key = `${group}\u0000${resource}\u0000${name}`
      const known = simple.get(key)
      if (known === undefined)
        simple.set(key, { verbs: [verb], apiGroups: [group], resources: [resource], resourceNames: name === '' ? [] : [name], nonResourceURLs: [] })
      else known.verbs.push(verb)
    }
  return [...others, ...simple.values()]
}

/** A rule as upstream's messages print it: only what is there. */
export function ruleText({ apiGroups, resources, nonResourceURLs, resourceNames, verbs }: PolicyRule): string {
  const list = (label: string, values: readonly string[]): string[] =>
    values.length === 0 ? [] : [`${label}:[${values.map((each) => JSON.stringify(each)).join(' ')}]`]
  const parts = [
    ...list('APIGroups', apiGroups),
    ...list('Resources', resources),
    ...list('NonResourceURLs', nonResourceURLs),
    ...list('ResourceNames', resourceNames),
    ...list('Verbs', verbs),
  ]
  return `{${parts.join(', ')}}`
}

interface Single {
  verb: string
  group: string
  resource: string
  name: string
  url: string
}

function breakDown(rule: PolicyRule): Single[] {
  const names = rule.resourceNames.length === 0 ? [''] : rule.resourceNames
  const resources = rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource) => names.flatMap((name) => rule.verbs.map((verb) => ({ verb, group, resource, name, url: '' })))),
  )
  return [...resources, ...rule.nonResourceURLs.flatMap((url) => rule.verbs.map((verb) => ({ verb, group: '', resource: '', name: '', url })))]
}

function covers(rule: PolicyRule, { verb, group, resource, name, url }: Single): boolean {
  if (!rule.verbs.includes('*') && !rule.verbs.includes(verb)) return false
  if (url !== '') return rule.nonResourceURLs.some((each) => each === '*' || each === url || (each.endsWith('*') && url.startsWith(each.slice(0, -1))))
  const slash = resource.indexOf('/')
  const bySubresource = slash > 0 && rule.resources.includes(`*${resource.slice(slash)}`)
  return (
    (rule.apiGroups.includes('*') || rule.apiGroups.includes(group)) &&
    (rule.resources.includes('*') || rule.resources.includes(resource) || bySubresource) &&
    (rule.resourceNames.length === 0 || (name !== '' && rule.resourceNames.includes(name)))
  )
}
