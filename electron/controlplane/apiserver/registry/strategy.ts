import { deepEqual, isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ApiResource } from './apiResources.ts'

/** Kinds whose metadata.generation counts changes of what is desired (upstream's registry strategies). */
const GENERATION = new Set([
  'apps/deployments',
  'apps/replicasets',
  'apps/daemonsets',
  'apps/statefulsets',
  'apps/controllerrevisions',
  '/replicationcontrollers',
  'batch/jobs',
  'batch/cronjobs',
  'networking.k8s.io/ingresses',
  'networking.k8s.io/ingressclasses',
  'networking.k8s.io/networkpolicies',
  'policy/poddisruptionbudgets',
  'discovery.k8s.io/endpointslices',
  'scheduling.k8s.io/priorityclasses',
  'flowcontrol.apiserver.k8s.io/flowschemas',
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'apiextensions.k8s.io/customresourcedefinitions',
])

/** Kinds that a PUT may create. */
const CREATE_ON_UPDATE = new Set([
  'rbac.authorization.k8s.io/roles',
  'rbac.authorization.k8s.io/rolebindings',
  'rbac.authorization.k8s.io/clusterroles',
  'rbac.authorization.k8s.io/clusterrolebindings',
  'coordination.k8s.io/leases',
  '/limitranges',
  '/events',
  'events.k8s.io/events',
  '/services',
  '/endpoints',
  'node.k8s.io/runtimeclasses',
])

/** Kinds whose PUT must say which version it replaces. */
const CONDITIONAL_UPDATE = new Set([
  'coordination.k8s.io/leases',
  'policy/poddisruptionbudgets',
  'node.k8s.io/runtimeclasses',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/csistoragecapacities',
  'storage.k8s.io/volumeattachments',
  'apiextensions.k8s.io/customresourcedefinitions',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
])

/** How often a DaemonSet's template has changed; its pods carry it as a label. */
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation'

const nameOf = ({ group, plural }: Pick<ApiResource, 'group' | 'plural'>): string => `${group}/${plural}`

export const hasGeneration = (resource: ApiResource): boolean => resource.custom !== undefined || GENERATION.has(nameOf(resource))
export const allowsCreateOnUpdate = (resource: ApiResource): boolean => CREATE_ON_UPDATE.has(nameOf(resource))
export const allowsUnconditionalUpdate = (resource: ApiResource): boolean => resource.custom === undefined && !CONDITIONAL_UPDATE.has(nameOf(resource))
export const hasStatus = (resource: ApiResource): boolean => resource.subresources.includes('status')

/** Seconds an object lives; only events end by themselves. */
export const ttlSeconds = (resource: ApiResource): number | undefined => (resource.plural === 'events' ? 3600 : undefined)

/**
 * A job's selector is made for it unless `manualSelector` says otherwise: its pods are labelled with its uid and name, since
 * 1.27 under names with the batch prefix too, and the selector asks for the uid.
 *
 * @see pkg/registry/batch/job/strategy.go generateSelector
 */
function generateJobSelector(job: KubeObject, minor: number): void {
  const spec = isObject(job['spec']) ? job['spec'] : {}
  if (spec['manualSelector'] === true) return
  const template = isObject(spec['template']) ? spec['template'] : {}
  const metadata = isObject(template['metadata']) ? template['metadata'] : {}
  const { name = '', uid = '' } = job.metadata
  const prefixed = minor >= 27
  const labels = {
    ...(isObject(metadata['labels']) ? metadata['labels'] : {}),
    'controller-uid': uid,
    'job-name': name,
    ...(prefixed ? { 'batch.kubernetes.io/controller-uid': uid, 'batch.kubernetes.io/job-name': name } : {}),
  }
  const selector = isObject(spec['selector']) ? spec['selector'] : {}
  const matchLabels = {
    ...(isObject(selector['matchLabels']) ? selector['matchLabels'] : {}),
    [prefixed ? 'batch.kubernetes.io/controller-uid' : 'controller-uid']: uid,
  }
  job['spec'] = { ...spec, selector: { ...selector, matchLabels }, template: { ...template, metadata: { ...metadata, labels } } }
}

/** What a new object's status starts as; the sent one counts for nodes alone. */
export function prepareForCreate(object: KubeObject, resource: ApiResource): void {
  if (resource.custom !== undefined) {
    resource.custom.prepareForCreate(object)
    return
  }
  if (hasStatus(resource) && nameOf(resource) !== '/nodes') {
    if (resource.zero['status'] !== undefined) object['status'] = resource.zero['status']
    else delete object['status']
  }
  if (hasGeneration(resource)) object.metadata.generation = 1
  switch (nameOf(resource)) {
    case '/pods':
      object['status'] = { phase: 'Pending', qosClass: qosClass(object) }
      break
    case '/namespaces': {
      const finalizers = stringsIn(isObject(object['spec']) ? object['spec']['finalizers'] : undefined)
      object['spec'] = { finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'] }
      object['status'] = { phase: 'Active' }
      object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name ?? '' }
      break
    }
    case 'apps/daemonsets':
      object.metadata.annotations = { ...object.metadata.annotations, [TEMPLATE_GENERATION]: '1' }
      break
    case 'batch/jobs':
      generateJobSelector(object, resource.kubernetesMinor)
      break
    case '/persistentvolumes':
    case '/persistentvolumeclaims':
      object['status'] = { phase: 'Pending' }
      break
    case 'apiextensions.k8s.io/customresourcedefinitions':
      object['status'] = withStoredVersion(object, { conditions: null, acceptedNames: { plural: '', kind: '' }, storedVersions: null })
      break
    default:
  }
}

/** Takes over what a write of the main resource cannot change, and counts the generation. */
export function prepareForUpdate(after: KubeObject, before: KubeObject, resource: ApiResource): void {
  if (resource.custom !== undefined) {
    resource.custom.prepareForUpdate(after, before)
    return
  }
  if (hasStatus(resource)) {
    if (before['status'] === undefined) delete after['status']
    else after['status'] = before['status']
  }
  if (nameOf(resource) === '/namespaces') after['spec'] = before['spec']
  if (nameOf(resource) === 'apps/daemonsets') {
    const template = (object: KubeObject): unknown => (isObject(object['spec']) ? object['spec']['template'] : undefined)
    const generation = Number(before.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0) + (deepEqual(template(after), template(before)) ? 0 : 1)
    after.metadata.annotations = { ...after.metadata.annotations, [TEMPLATE_GENERATION]: String(generation) }
  }
  if (nameOf(resource) === 'apiextensions.k8s.io/customresourcedefinitions') after['status'] = withStoredVersion(after, before['status'])
  if (hasGeneration(resource)) after.metadata.generation = (before.metadata.generation ?? 0) + (desiredChanged(after, before, resource) ? 1 : 0)
  else if (before.metadata.generation !== undefined) after.metadata.generation = before.metadata.generation
}

/** A write of `/status`: the status and metadata are the new ones, the rest stays. */
export function prepareForStatusUpdate(after: KubeObject, before: KubeObject, resource: ApiResource): KubeObject {
  if (resource.custom !== undefined) return resource.custom.prepareForStatusUpdate(after, before)
  const { metadata } = after
  const kept: KubeObject = { ...before, metadata: { ...metadata } }
  if (after['status'] === undefined) delete kept['status']
  else kept['status'] = after['status']
  if (before.metadata.generation === undefined) delete kept.metadata.generation
  else kept.metadata.generation = before.metadata.generation
  if (nameOf(resource) === 'apps/deployments') {
    if (before.metadata.labels === undefined) delete kept.metadata.labels
    else kept.metadata.labels = before.metadata.labels
  }
  if (nameOf(resource) === '/pods' && isObject(kept['status']) && isObject(before['status']))
    kept['status'] = { ...kept['status'], qosClass: before['status']['qosClass'] }
  return kept
}

/** A definition's status with the version that is stored now among those that ever were. */
function withStoredVersion(definition: KubeObject, status: unknown): unknown {
  const { spec } = definition
  const version = listIn(isObject(spec) ? spec['versions'] : undefined).find((each) => each['storage'] === true)?.['name']
  if (typeof version !== 'string' || !isObject(status)) return status
  const stored = stringsIn(status['storedVersions'])
  return stored.includes(version) ? status : { ...status, storedVersions: [...stored, version] }
}

function desiredChanged(after: KubeObject, before: KubeObject, resource: ApiResource): boolean {
  const name = nameOf(resource)
  if (name === 'apps/deployments' && !deepEqual(after.metadata.annotations ?? {}, before.metadata.annotations ?? {})) return true
  if (name === 'discovery.k8s.io/endpointslices' || name.startsWith('admissionregistration') || name === 'apps/controllerrevisions')
    return !deepEqual(withoutMetadata(after), withoutMetadata(before))
  if (name === 'scheduling.k8s.io/priorityclasses') return false
  return !deepEqual(after['spec'], before['spec'])
}

function withoutMetadata({ metadata: _, ...rest }: KubeObject): JsonObject {
  return rest
}

function stringsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

/** Guaranteed, Burstable or BestEffort, by requests and limits of cpu and memory in every container. */
export function qosClass(pod: KubeObject): string {
  const spec = isObject(pod['spec']) ? pod['spec'] : {}
  const containers = [...listIn(spec['containers']), ...listIn(spec['initContainers'])]
  let any = false
  let guaranteed = containers.length > 0
  for (const container of containers) {
    const resources = isObject(container['resources']) ? container['resources'] : {}
    const requests = isObject(resources['requests']) ? resources['requests'] : {}
    const limits = isObject(resources['limits']) ? resources['limits'] : {}
    for (const name of ['cpu', 'memory']) {
      const [request, limit] = [requests[name], limits[name]]
      if (request !== undefined || limit !== undefined) any = true
      if (limit === undefined || (request !== undefined && request !== limit)) guaranteed = false
    }
  }
  return guaranteed ? 'Guaranteed' : any ? 'Burstable' : 'BestEffort'
}

function listIn(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}
