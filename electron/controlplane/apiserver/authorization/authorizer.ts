import { RbacIndex, uncovered, type PolicyRule, type RbacPolicy } from '#shared/planning/rbac/evaluate.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'

export interface RequestAttributes {
  user: UserInfo
  verb: string
  resource?: { group: string; version: string; resource: string; subresource: string; namespace: string; name: string }
  path: string
}

export interface Decision {
  allowed: boolean
  reason: string
}

export const MASTERS = 'system:masters'
const NODES = 'system:nodes'

/** Role-based access control over the stored policy, and the node rules in their first depth. */
export class Authorizer {
  readonly #policy: () => RbacPolicy
  #index: RbacIndex | null = null

  /** @param policy reads the current policy; it is read again after `policyChanged()` */
  constructor(policy: () => RbacPolicy) {
    this.#policy = policy
  }

  policyChanged(): void {
    this.#index = null
  }

  get index(): RbacIndex {
    return (this.#index ??= new RbacIndex(this.#policy()))
  }

  authorize(attributes: RequestAttributes): Decision {
    const { user } = attributes
    if (user.groups.includes(MASTERS)) return { allowed: true, reason: '' }
    if (user.groups.includes(NODES) && nodeMay(attributes)) return { allowed: true, reason: '' }
    const grant = this.index.allowedBy(user, attributes)
    if (grant === null) return { allowed: false, reason: '' }
    const { binding } = grant
    const where = binding.namespace === '' ? binding.name : `${binding.name}/${binding.namespace}`
    const who = binding.subjects.map(({ kind, name }) => `${kind} "${name}"`)[0] ?? ''
    return { allowed: true, reason: `RBAC: allowed by ${binding.kind} "${where}" of ${binding.roleRef.kind} "${binding.roleRef.name}" to ${who}` }
  }

  /** Rules of `wanted` that the user does not hold in the namespace; empty when the user may grant them. */
  escalations(user: UserInfo, namespace: string, wanted: readonly PolicyRule[]): PolicyRule[] {
    if (user.groups.includes(MASTERS)) return []
    return uncovered(
      this.index.grants(user, namespace).map(({ rule }) => rule),
      wanted,
    )
  }
}

/**
 * What system:node had as a role (kubelets read what their pods need, and keep their node, lease, pods and events). Upstream's
 * graph, which narrows it to the node's own pods, is not built.
 */
function nodeMay({ user, verb, resource }: RequestAttributes): boolean {
  if (resource === undefined) return false
  const node = user.username.startsWith('system:node:') ? user.username.slice('system:node:'.length) : ''
  if (node === '') return false
  const kind = `${resource.group}/${resource.resource}${resource.subresource === '' ? '' : `/${resource.subresource}`}`
  const reads = verb === 'get' || verb === 'list' || verb === 'watch'
  switch (kind) {
    case '/nodes':
      return reads || verb === 'create' || ((verb === 'update' || verb === 'patch' || verb === 'delete') && resource.name === node)
    case '/nodes/status':
      return resource.name === node && (verb === 'update' || verb === 'patch' || verb === 'get')
    case '/pods':
      return reads || verb === 'create' || verb === 'delete'
    case '/pods/status':
    case '/pods/eviction':
      return verb !== 'deletecollection'
    case '/secrets':
    case '/configmaps':
    case '/persistentvolumeclaims':
    case '/persistentvolumes':
    case '/services':
    case '/endpoints':
    case 'storage.k8s.io/volumeattachments':
    case 'storage.k8s.io/csidrivers':
    case 'node.k8s.io/runtimeclasses':
      return reads
    case '/events':
      return verb === 'create' || verb === 'patch' || verb === 'update'
    case 'coordination.k8s.io/leases':
      return resource.namespace === 'kube-node-lease' && resource.name === node && verb !== 'list'
        ? true
        : resource.namespace === 'kube-node-lease' && verb === 'create'
    case 'storage.k8s.io/csinodes':
      return verb === 'create' || resource.name === node
    case '/serviceaccounts/token':
    case 'authentication.k8s.io/tokenreviews':
    case 'authorization.k8s.io/subjectaccessreviews':
    case 'authorization.k8s.io/localsubjectaccessreviews':
    case 'certificates.k8s.io/certificatesigningrequests':
      return verb === 'create' || (kind.endsWith('signingrequests') && reads)
    default:
      return false
  }
}

/** Upstream's words of a 403. */
export function forbiddenMessage({ user, verb, resource, path }: RequestAttributes): string {
  const who = `User ${JSON.stringify(user.username)}`
  if (resource === undefined) return `forbidden: ${who} cannot ${verb} path ${JSON.stringify(path)}`
  const combined = resource.subresource === '' ? resource.resource : `${resource.resource}/${resource.subresource}`
  const where = resource.namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(resource.namespace)}`
  const qualified = resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`
  const named = resource.name === '' ? qualified : `${qualified} ${JSON.stringify(resource.name)}`
  return `${named} is forbidden: ${who} cannot ${verb} resource ${JSON.stringify(combined)} in API group ${JSON.stringify(resource.group)} ${where}`
}
