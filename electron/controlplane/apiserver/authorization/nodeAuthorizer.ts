import { ruleAllows, type PolicyRule } from '#shared/planning/rbac/evaluate.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import type { Opinion, RequestAttributes } from './attributes.ts'
import type { NodeGraph } from './nodeGraph.ts'

const NODES = 'system:nodes'
const PREFIX = 'system:node:'
const LEASES = 'kube-node-lease'
const OWN_VERBS = new Set(['get', 'create', 'update', 'patch', 'delete'])

/** The node a user is; '' for a member of the group whose name is none of a node, null for everybody else. */
export function nodeIdentity({ username, groups }: UserInfo): string | null {
  if (!username.startsWith(PREFIX)) return null
  return groups.includes(NODES) ? username.slice(PREFIX.length) : null
}

const no = (reason: string): Opinion => ({ decision: 'noOpinion', reason })
const ALLOW: Opinion = { decision: 'allow', reason: '' }

/**
 * What a kubelet may: the rules of system:node, narrowed to what its own pods refer to.
 *
 * @see kubernetes plugin/pkg/auth/authorizer/node/node_authorizer.go
 */
export class NodeAuthorizer {
  readonly #graph: NodeGraph
  readonly #rules: readonly PolicyRule[]

  /** @param rules of the cluster role `system:node` */
  constructor(graph: NodeGraph, rules: readonly PolicyRule[]) {
    this.#graph = graph
    this.#rules = rules
  }

  authorize(attributes: RequestAttributes): Opinion {
    const { user, resource } = attributes
    const node = nodeIdentity(user)
    if (node === null) return no('')
    if (node === '') return no(`unknown node for user ${JSON.stringify(user.username)}`)
    if (resource === undefined) return this.#byRules(attributes)
    switch (`${resource.group}/${resource.resource}`) {
      case '/secrets':
      case '/configmaps':
        return this.#readNamespaced(node, attributes)
      case '/persistentvolumeclaims':
        return resource.subresource === 'status' ? this.#updateStatus(node, attributes) : this.#get(node, attributes)
      case '/persistentvolumes':
      case 'storage.k8s.io/volumeattachments':
        return this.#get(node, attributes)
      case '/serviceaccounts':
        return this.#createToken(node, attributes)
      case 'coordination.k8s.io/leases':
        return ownLease(node, attributes)
      case 'storage.k8s.io/csinodes':
        return ownCsiNode(node, attributes)
      default:
        return this.#byRules(attributes)
    }
  }

  #byRules(attributes: RequestAttributes): Opinion {
    return this.#rules.some((rule) => ruleAllows(rule, attributes)) ? ALLOW : no('')
  }

  #readNamespaced(node: string, attributes: RequestAttributes): Opinion {
    const { verb, resource } = attributes
    if (verb !== 'get' && verb !== 'list' && verb !== 'watch') return no('can only read resources of this type')
    if (resource?.subresource !== '') return no('cannot read subresource')
    if (resource.namespace === '') return no('can only read namespaced object of this type')
    return this.#related(node, attributes)
  }

  #get(node: string, attributes: RequestAttributes): Opinion {
    if (attributes.verb !== 'get') return no('can only get individual resources of this type')
    if (attributes.resource?.subresource !== '') return no('cannot get subresource')
    return this.#related(node, attributes)
  }

  #updateStatus(node: string, attributes: RequestAttributes): Opinion {
    const { verb } = attributes
    return verb === 'update' || verb === 'patch' ? this.#related(node, attributes) : no('can only get/update/patch this type')
  }

  #createToken(node: string, attributes: RequestAttributes): Opinion {
    const { verb, resource } = attributes
    if (verb !== 'create' || resource === undefined || resource.name === '') return no('can only create tokens for individual service accounts')
    return resource.subresource === 'token' ? this.#related(node, attributes) : no('can only create token subresource of serviceaccount')
  }

  #related(node: string, { resource }: RequestAttributes): Opinion {
    if (resource === undefined || resource.name === '') return no('No Object name found')
    return this.#isRelated(node, resource) ? ALLOW : no(`no relationship found between node '${node}' and this object`)
  }

  #isRelated(node: string, { resource, namespace, name }: NonNullable<RequestAttributes['resource']>): boolean {
    switch (resource) {
      case 'persistentvolumes':
        return this.#graph.hasVolume(node, name)
      case 'volumeattachments':
        return this.#graph.hasAttachment(node, name)
      case 'secrets':
      case 'configmaps':
      case 'persistentvolumeclaims':
      case 'serviceaccounts':
        return this.#graph.refers(node, resource, namespace, name)
      default:
        return false
    }
  }
}

// The name is not known on create; NodeRestriction looks at it then.

function ownLease(node: string, { verb, resource }: RequestAttributes): Opinion {
  if (!OWN_VERBS.has(verb)) return no('can only get, create, update, patch, or delete a node lease')
  if (resource?.namespace !== LEASES) return no(`can only access leases in the ${JSON.stringify(LEASES)} system namespace`)
  if (verb !== 'create' && resource.name !== node) return no('can only access node lease with the same name as the requesting node')
  return ALLOW
}

function ownCsiNode(node: string, { verb, resource }: RequestAttributes): Opinion {
  if (!OWN_VERBS.has(verb)) return no('can only get, create, update, patch, or delete a CSINode')
  if (resource?.subresource !== '') return no('cannot authorize CSINode subresources')
  if (verb !== 'create' && resource.name !== node) return no('can only access CSINode with the same name as the requesting node')
  return ALLOW
}
