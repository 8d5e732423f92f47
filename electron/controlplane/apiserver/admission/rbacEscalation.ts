import { deepEqual, isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { missingPermissions, readBinding, ruleText, rulesIn, type PolicyRule } from '#shared/planning/rbac/evaluate.ts'
import { MASTERS, type Authorizer } from '../authorization/authorizer.ts'
import { forbidden, notFound } from '../registry/failures.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'

const GROUP = 'rbac.authorization.k8s.io'
const EVERYTHING: PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'], resourceNames: [], nonResourceURLs: [] },
  { verbs: ['*'], apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: ['*'] },
]

/**
 * Nobody gives rights away that he does not have himself: roles and bindings are compared with what their writer holds, unless
 * the verb `escalate` or `bind` waives it. Upstream does it in the registry, after what admission changed.
 *
 * @see kubernetes pkg/registry/rbac/{clusterrole,role,clusterrolebinding,rolebinding}/policybased/storage.go
 */
export class RbacEscalation implements AdmissionPlugin {
  readonly name = 'RBACEscalation'
  readonly #authorizer: Authorizer

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer
  }

  admit(request: AdmissionRequest): void {
    const { operation, resource, object, old, context } = request
    if (resource.group !== GROUP || operation === 'DELETE' || context.user.groups.includes(MASTERS) || context.user.username === 'system:apiserver') return
    if (old !== null && onlyForDeletion(object, old)) return
    if (resource.plural === 'roles' || resource.plural === 'clusterroles') this.#role(request)
    else this.#binding(request)
  }

  #role(request: AdmissionRequest): void {
    const { resource, namespace, object, old } = request
    const name = request.operation === 'CREATE' ? '' : (object.metadata.name ?? '')
    if (this.#may(request, 'escalate', resource.plural, name)) return
    this.#confirm(request, namespace, rulesIn(object))
    // An aggregation rule can collect anything.
    if (resource.plural === 'clusterroles' && (aggregates(object) || (old !== null && aggregates(old))) && this.#missing(request, '', EVERYTHING).length > 0)
      throw forbidden(resource, object.metadata.name ?? '', 'must have cluster-admin privileges to use the aggregationRule')
  }

  #binding(request: AdmissionRequest): void {
    const { namespace, object } = request
    const binding = readBinding(object)
    // Without a reference there is nothing to compare; validation refuses it.
    if (binding === null) return
    const { kind, name } = binding.roleRef
    if (this.#may(request, 'bind', kind === 'Role' ? 'roles' : 'clusterroles', name)) return
    const bound = { ...binding, namespace }
    const { index } = this.#authorizer
    if (!index.hasRole(bound)) throw notFound({ group: GROUP, plural: kind === 'Role' ? 'roles' : 'clusterroles' }, name)
    this.#confirm(request, namespace, index.rulesOf(bound))
  }

  #may({ context, resource, namespace }: AdmissionRequest, verb: string, plural: string, name: string): boolean {
    const attributes = { group: resource.group, version: '*', resource: plural, subresource: '', namespace, name }
    return this.#authorizer.authorize({ user: context.user, verb, path: '', resource: attributes }).allowed
  }

  #missing({ context }: AdmissionRequest, namespace: string, wanted: readonly PolicyRule[]): PolicyRule[] {
    return missingPermissions(
      this.#authorizer.index.grants(context.user, namespace).map(({ rule }) => rule),
      wanted,
    )
  }

  #confirm(request: AdmissionRequest, namespace: string, wanted: readonly PolicyRule[]): void {
    const missing = this.#missing(request, namespace, wanted)
    if (missing.length === 0) return
    const { resource, object, context } = request
    const { username, groups } = context.user
    const lines = [...new Set(missing.map(ruleText))].sort()
    throw forbidden(
      resource,
      object.metadata.name ?? '',
      `user ${JSON.stringify(username)} (groups=[${groups.map((each) => JSON.stringify(each)).join(' ')}]) is attempting to grant RBAC permissions not currently held:\n${lines.join('\n')}`,
    )
  }
}

function aggregates(object: KubeObject): boolean {
  const rule = object['aggregationRule']
  return isObject(rule) && Array.isArray(rule['clusterRoleSelectors']) && rule['clusterRoleSelectors'].length > 0
}

/** Owner references and finalizers are changed by whoever collects garbage. */
function onlyForDeletion(object: KubeObject, old: KubeObject): boolean {
  const kept = ({ metadata, ...rest }: KubeObject): unknown => {
    const { ownerReferences: _, finalizers: __, managedFields: ___, selfLink: ____, resourceVersion: _____, ...own } = metadata
    return { ...rest, metadata: own }
  }
  return deepEqual(kept(object), kept(old))
}
