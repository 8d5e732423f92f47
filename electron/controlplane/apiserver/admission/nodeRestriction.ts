import { deepEqual, objectAt } from '#shared/kubernetes/json.ts'
import type { KubeObject, ObjectMeta } from '#shared/kubernetes/object.ts'
import { nodeIdentity } from '../authorization/nodeAuthorizer.ts'
import { notFound } from '../registry/failures.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { referencedKinds } from './podReferences.ts'
import { refusal } from './refusal.ts'

const MIRROR = 'kubernetes.io/config.mirror'
const LEASES = 'kube-node-lease'
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const quoted = (value: string): string => JSON.stringify(value)

/** Labels of kubernetes.io and k8s.io that a kubelet may set on its node. */
const KUBELET_LABELS = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'node.kubernetes.io/windows-build',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
])
const KUBELET_LABEL_NAMESPACES = ['kubelet.kubernetes.io', 'node.kubernetes.io']

/**
 * A node writes itself, its lease and the pods it runs, and nothing else.
 *
 * @see kubernetes plugin/pkg/admission/noderestriction/admission.go
 */
export class NodeRestriction implements AdmissionPlugin {
  readonly name = 'NodeRestriction'
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  admit(request: AdmissionRequest): void {
    const { resource, context, operation } = request
    const node = nodeIdentity(context.user)
    if (node === null) return
    if (node === '') throw refusal(request, `could not determine node from user ${quoted(context.user.username)}`)
    switch (`${resource.group}/${resource.plural}`) {
      case '/pods':
        this.#pod(request, node)
        return
      case '/nodes':
        this.#node(request, node)
        return
      case '/persistentvolumeclaims':
        claimStatus(request, node)
        return
      case '/serviceaccounts':
        if (operation === 'CREATE' && context.subresource === 'token') this.#token(request, node)
        return
      case 'coordination.k8s.io/leases':
        if (request.namespace !== LEASES) throw refusal(request, `can only access leases in the ${quoted(LEASES)} system namespace`)
        if (nameOf(request) !== node) throw refusal(request, 'can only access node lease with the same name as the requesting node')
        return
      case 'storage.k8s.io/csinodes':
        if (nameOf(request) !== node) throw refusal(request, 'can only access CSINode with the same name as the requesting node')
        return
      default:
    }
  }

  #pod(request: AdmissionRequest, node: string): void {
    const { operation, object, old, context } = request
    switch (context.subresource) {
      case '':
        if (operation === 'CREATE') this.#mirrorPod(request, node)
        else if (operation !== 'DELETE')
          throw refusal(request, `unexpected operation ${quoted(operation)}, node ${quoted(node)} can only create and delete mirror pods`)
        else if (nodeOf(object) !== node) throw refusal(request, `node ${quoted(node)} can only delete pods with spec.nodeName set to itself`)
        return
      case 'status':
        if (operation !== 'UPDATE' || old === null) throw refusal(request, `unexpected operation ${quoted(operation)}`)
        if (nodeOf(old) !== node) throw refusal(request, `node ${quoted(node)} can only update pod status for pods with spec.nodeName set to itself`)
        if (!deepEqual(old.metadata.labels ?? {}, object.metadata.labels ?? {}))
          throw refusal(request, `node ${quoted(node)} cannot update labels through pod status`)
        return
      case 'eviction': {
        const pod = this.#store.collection('pods').get(`/registry/pods/${request.namespace}/${request.name}`)
        if (pod === undefined) throw notFound({ group: '', plural: 'pods' }, request.name)
        if (nodeOf(pod.object) !== node) throw refusal(request, `node ${node} can only evict pods with spec.nodeName set to itself`)
        return
      }
      default:
        throw refusal(request, `unexpected pod subresource ${quoted(context.subresource)}, only 'status' and 'eviction' are allowed`)
    }
  }

  #mirrorPod(request: AdmissionRequest, node: string): void {
    const { object } = request
    const { annotations, ownerReferences = [] } = object.metadata
    const refuse = (why: string): never => {
      throw refusal(request, why)
    }
    if (annotations?.[MIRROR] === undefined) refuse(`pod does not have ${quoted(MIRROR)} annotation, node ${quoted(node)} can only create mirror pods`)
    if (nodeOf(object) !== node) refuse(`node ${quoted(node)} can only create pods with spec.nodeName set to itself`)
    if (ownerReferences.length > 1) refuse(`node ${quoted(node)} can only create pods with a single owner reference set to itself`)
    const [owner] = ownerReferences
    if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
      throw refusal(request, `node ${quoted(node)} can only create pods with an owner reference set to itself`)
    if (owner.controller !== true) refuse(`node ${quoted(node)} can only create pods with a controller owner reference set to itself`)
    if (owner.blockOwnerDeletion === true) refuse(`node ${quoted(node)} must not set blockOwnerDeletion on an owner reference`)
    const live = this.#store.collection('minions').get(`/registry/minions/${node}`)
    if (live === undefined) throw notFound({ group: '', plural: 'nodes' }, node)
    if (owner.uid !== live.object.metadata.uid) refuse(`node ${node} UID mismatch: expected ${owner.uid} got ${live.object.metadata.uid ?? ''}`)
    const spec = objectAt(object['spec'])
    if (text(spec['serviceAccountName']) !== '') refuse(`node ${quoted(node)} can not create pods that reference a service account`)
    const found = referencedKinds(spec)
    for (const kind of ['secrets', 'configmaps', 'persistentvolumeclaims'])
      if (found.has(kind)) refuse(`node ${quoted(node)} can not create pods that reference ${kind}`)
  }

  #node(request: AdmissionRequest, node: string): void {
    const { operation, object, old } = request
    const name = nameOf(request)
    if (name !== node) throw refusal(request, `node ${quoted(node)} is not allowed to modify node ${quoted(name)}`)
    if (operation === 'CREATE') {
      const labels = forbiddenLabels(object.metadata, {})
      if (labels.length > 0) throw refusal(request, `node ${quoted(node)} is not allowed to set the following labels: ${labels.join(', ')}`)
    }
    if (operation !== 'UPDATE' || old === null) return
    if (!deepEqual(objectAt(object['spec'])['taints'] ?? [], objectAt(old['spec'])['taints'] ?? []))
      throw refusal(request, `node ${quoted(node)} is not allowed to modify taints`)
    const labels = forbiddenLabels(object.metadata, old.metadata)
    if (labels.length > 0) throw refusal(request, `is not allowed to modify labels: ${labels.join(', ')}`)
  }

  #token(request: AdmissionRequest, node: string): void {
    const ref = objectAt(objectAt(request.object['spec'])['boundObjectRef'])
    const [name, uid] = [text(ref['name']), text(ref['uid'])]
    if (ref['apiVersion'] !== 'v1' || ref['kind'] !== 'Pod' || name === '') throw refusal(request, 'node requested token not bound to a pod')
    if (uid === '') throw refusal(request, 'node requested token with a pod binding without a uid')
    const pod = this.#store.collection('pods').get(`/registry/pods/${request.namespace}/${name}`)?.object
    if (pod === undefined) throw notFound({ group: '', plural: 'pods' }, name)
    const live = pod.metadata.uid ?? ''
    if (uid !== live)
      throw refusal(
        request,
        `the UID in the bound object reference (${uid}) does not match the UID in record (${live}). The object might have been deleted and then recreated`,
      )
    if (nodeOf(pod) !== node) throw refusal(request, 'node requested token bound to a pod scheduled on a different node')
  }
}

const nameOf = ({ object, name }: AdmissionRequest): string => object.metadata.name ?? name
const nodeOf = (pod: KubeObject): string => text(objectAt(pod['spec'])['nodeName'])

function claimStatus(request: AdmissionRequest, node: string): void {
  const { operation, object, old, context } = request
  if (context.subresource !== 'status') throw refusal(request, 'may only update PVC status')
  if (operation !== 'UPDATE' || old === null) throw refusal(request, `unexpected operation ${quoted(operation)}`)
  const kept = ({ metadata: { resourceVersion: _, managedFields: __, ...metadata }, ...rest }: KubeObject): unknown => {
    const { capacity: ___, conditions: ____, ...status } = objectAt(rest['status'])
    return { ...rest, metadata, status }
  }
  if (!deepEqual(kept(object), kept(old)))
    throw refusal(request, `node ${quoted(node)} is not allowed to update fields other than status.capacity and status.conditions`)
}

/** Labels that were changed and that steer pods: a node must not draw workloads to itself. */
function forbiddenLabels(now: ObjectMeta, before: ObjectMeta): string[] {
  const [labels, old] = [now.labels ?? {}, before.labels ?? {}]
  const changed = [...new Set([...Object.keys(labels), ...Object.keys(old)])].filter((name) => labels[name] !== old[name])
  return changed.filter(isForbidden).sort()
}

function isForbidden(label: string): boolean {
  const namespace = label.includes('/') ? label.slice(0, label.indexOf('/')) : ''
  const within = (domain: string): boolean => namespace === domain || namespace.endsWith(`.${domain}`)
  if (within('node-restriction.kubernetes.io')) return true
  if (!within('kubernetes.io') && !within('k8s.io')) return false
  return !KUBELET_LABELS.has(label) && !KUBELET_LABEL_NAMESPACES.some(within)
}
