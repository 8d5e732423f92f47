import type { RequestHandlers } from '#shared/contract/contract.ts'
import type { AccessGrant, AccessSubject } from '#shared/contract/security.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import { isSubject, RbacIndex, readBinding, ruleAllows, type Binding, type PolicyRule, type Subject } from '#shared/planning/rbac/evaluate.ts'
import { textAt } from '#shared/resources/fields.ts'
import { requestJson } from '../client/apiRequest.ts'
import { SERVICE_ACCOUNTS } from '../client/resources.ts'
import { RestClient } from '../client/restClient.ts'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'

const rbac = (resource: string): GroupVersionResource => ({ group: 'rbac.authorization.k8s.io', version: 'v1', resource })

/** The contract's namespace `access`. Grants are computed from the policy as read; can-i is asked of the server. */
export function accessHandlers(registry: ClusterRegistry): Pick<RequestHandlers, 'access.subjects' | 'access.whatMay' | 'access.whoMay' | 'access.canI'> {
  const client = (clusterId: string): RestClient => new RestClient(registry.session(clusterId).transport)
  const read = async (clusterId: string, signal: AbortSignal): Promise<{ index: RbacIndex; bindings: Binding[] }> => {
    const own = client(clusterId)
    const items = async (resource: string): Promise<KubeObject[]> => (await own.list(rbac(resource), {}, signal)).items
    const [roles, clusterRoles, roleBindings, clusterRoleBindings] = await Promise.all([
      items('roles'),
      items('clusterroles'),
      items('rolebindings'),
      items('clusterrolebindings'),
    ])
    return {
      index: new RbacIndex({ roles, clusterRoles, roleBindings, clusterRoleBindings }),
      bindings: [...clusterRoleBindings, ...roleBindings].flatMap((each) => readBinding(each) ?? []),
    }
  }
  return {
    'access.subjects': async ({ clusterId }, { signal }) => {
      const [{ bindings }, accounts] = await Promise.all([read(clusterId, signal), client(clusterId).list(SERVICE_ACCOUNTS, {}, signal)])
      const found = new Map<string, AccessSubject>()
      const add = ({ kind, name, namespace }: Subject): void => {
        found.set(`${kind}/${kind === 'ServiceAccount' ? `${namespace}/` : ''}${name}`, kind === 'ServiceAccount' ? { kind, name, namespace } : { kind, name })
      }
      for (const { subjects } of bindings) for (const subject of subjects) add(subject)
      for (const { metadata } of accounts.items) add({ kind: 'ServiceAccount', name: metadata.name ?? '', namespace: metadata.namespace ?? '' })
      return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, subject]) => subject)
    },
    'access.whatMay': async ({ clusterId, subject }, { signal }) => {
      const { index, bindings } = await read(clusterId, signal)
      const user = userOf(subject)
      return bindings.flatMap((binding) => {
        const via = binding.subjects.find((each) => (subject.kind === 'Group' ? each.kind === 'Group' && each.name === subject.name : isSubject(each, user)))
        return via === undefined ? [] : index.rulesOf(binding).map((rule) => grant(rule, binding, via))
      })
    },
    'access.whoMay': async ({ clusterId, verb, group, resource, namespace, name }, { signal }) => {
      const { index, bindings } = await read(clusterId, signal)
      const [plural = '', subresource = ''] = resource.split('/', 2)
      const question = { verb, path: '', resource: { group, resource: plural, subresource, namespace: namespace ?? '', name: name ?? '' } }
      return bindings
        .filter((binding) => binding.namespace === '' || binding.namespace === namespace)
        .flatMap((binding) => {
          const rule = index.rulesOf(binding).find((each) => ruleAllows(each, question))
          return rule === undefined ? [] : binding.subjects.map((subject) => ({ subject: asSubject(subject), grant: grant(rule, binding, subject) }))
        })
    },
    'access.canI': async ({ clusterId, subject, verb, group, resource, subresource, namespace, name }, { signal }) => {
      const attributes = { verb, group, resource, subresource: subresource ?? '', namespace: namespace ?? '', name: name ?? '' }
      const headers: Record<string, string | string[]> = { 'content-type': 'application/json' }
      if (subject !== undefined) {
        const user = userOf(subject)
        headers['impersonate-user'] = user.username
        // The server itself adds what every user and service account is in.
        const own = user.groups.filter(
          (group) => group !== 'system:authenticated' && !(subject.kind === 'ServiceAccount' && group.startsWith('system:serviceaccounts')),
        )
        if (own.length > 0) headers['impersonate-group'] = own
      }
      const body = JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: attributes } })
      const review = await requestJson<KubeObject>(registry.session(clusterId).transport, {
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        headers,
        body,
        signal,
      })
      const status = review['status'] as { allowed?: boolean; denied?: boolean } | undefined
      return { allowed: status?.allowed === true, denied: status?.denied === true, reason: textAt(review, 'status', 'reason') }
    },
  }
}

/** The user a subject stands for; of a group, anybody in it. */
function userOf({ kind, name, namespace = 'default', groups = [] }: AccessSubject): UserInfo {
  if (kind === 'Group') return { username: 'drydock:anybody', groups: [name, ...groups] }
  if (kind === 'ServiceAccount')
    return {
      username: `system:serviceaccount:${namespace}:${name}`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated', ...groups],
    }
  return { username: name, groups: name === 'system:anonymous' ? ['system:unauthenticated'] : ['system:authenticated', ...groups] }
}

const asSubject = ({ kind, name, namespace }: Subject): AccessSubject => (kind === 'ServiceAccount' ? { kind, name, namespace } : { kind, name })

function grant(rule: PolicyRule, binding: Binding, via: Subject): AccessGrant {
  return {
    namespace: binding.namespace,
    apiGroups: rule.apiGroups,
    resources: rule.resources,
    resourceNames: rule.resourceNames,
    nonResourceUrls: rule.nonResourceURLs,
    verbs: rule.verbs,
    bindingKind: binding.kind,
    bindingName: binding.name,
    roleKind: binding.roleRef.kind,
    roleName: binding.roleRef.name,
    via: via.kind === 'ServiceAccount' ? `${via.kind} ${via.namespace}/${via.name}` : `${via.kind} ${via.name}`,
  }
}
