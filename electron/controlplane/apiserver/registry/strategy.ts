import { emptiedPaths } from '#shared/kubernetes/codec/canonical.ts'
import { deepCopy, deepEqual, isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject, ObjectMeta } from '#shared/kubernetes/object.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import type { ApiResource } from './apiResources.ts'
import { prepareSigningRequest, prepareSigningStatus } from './certificateStrategy.ts'
import { generateJobSelector } from './jobStrategy.ts'
import { keepPriority, preparePod, qosClass } from './podStrategy.ts'
import { prepareService, prepareServiceUpdate } from './serviceStrategy.ts'

/** Kinds whose metadata.generation counts changes of what is desired (upstream's registry strategies). */
const GENERATION = new Set([
  'apps/deployments',
  'apps/replicasets',
  'apps/daemonsets',
  'apps/statefulsets',
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

/** Kinds that began to count later than the first release served here. */
const GENERATION_SINCE: Readonly<Record<string, number>> = { 'batch/jobs': 22, 'batch/cronjobs': 21 }

/** Metadata that a write of `/status` leaves alone. */
const KEPT_METADATA: Readonly<Record<string, readonly (keyof ObjectMeta)[]>> = {
  'apps/deployments': ['labels'],
  '/pods': ['ownerReferences'],
  'storage.k8s.io/volumeattachments': ['labels', 'annotations', 'finalizers', 'ownerReferences'],
}

/** How often a DaemonSet's template has changed; its pods carry it as a label. */
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation'
const NAME_LABEL_SINCE = 21
const QOS_KEPT_SINCE = 28

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

const nameOf = ({ group, plural }: Pick<ApiResource, 'group' | 'plural'>): string => `${group}/${plural}`

export const hasGeneration = (resource: ApiResource): boolean =>
  resource.custom !== undefined || (GENERATION.has(nameOf(resource)) && resource.kubernetesMinor >= (GENERATION_SINCE[nameOf(resource)] ?? 0))
export const allowsCreateOnUpdate = (resource: ApiResource): boolean => CREATE_ON_UPDATE.has(nameOf(resource))
export const allowsUnconditionalUpdate = (resource: ApiResource): boolean => resource.custom === undefined && !CONDITIONAL_UPDATE.has(nameOf(resource))
export const hasStatus = (resource: ApiResource): boolean => resource.subresources.includes('status')

/** Seconds an object lives; only events end by themselves. */
export const ttlSeconds = (resource: ApiResource): number | undefined => (resource.plural === 'events' ? 3600 : undefined)

/** The group, kind and name by which an Invalid names an object: upstream's first registration of the type, not the one asked for. */
export function invalidTarget(resource: ApiResource, name: string): { group: string; kind: string; name: string } {
  const { group, kind, kubernetesMinor } = resource
  if (kind === 'Event') return { group: '', kind, name }
  const legacy = kubernetesMinor < 22 && group === 'networking.k8s.io' && (kind === 'Ingress' || kind === 'NetworkPolicy')
  return { group: legacy ? 'extensions' : group, kind, name }
}

/** What a new object's status starts as; the sent one counts for nodes alone. */
export function prepareForCreate(object: KubeObject, resource: ApiResource, user: UserInfo): void {
  if (resource.custom !== undefined) {
    resource.custom.prepareForCreate(object)
    return
  }
  if (hasStatus(resource) && nameOf(resource) !== '/nodes') {
    if (resource.zero['status'] !== undefined) object['status'] = deepCopy(resource.zero['status'])
    else delete object['status']
  }
  if (hasGeneration(resource)) object.metadata.generation = 1
  switch (nameOf(resource)) {
    case '/pods':
      preparePod(object, resource.kubernetesMinor)
      break
    case '/namespaces':
      prepareNamespace(object, resource.kubernetesMinor)
      break
    case '/limitranges':
      if ((object.metadata.name ?? '') === '') object.metadata.name = object.metadata.uid ?? ''
      break
    case '/serviceaccounts':
      keepSecretNames(object)
      break
    case '/services':
      prepareService(object)
      break
    case 'batch/jobs':
      generateJobSelector(object, resource.kubernetesMinor)
      break
    case 'apps/daemonsets':
      object.metadata.annotations = { ...object.metadata.annotations, [TEMPLATE_GENERATION]: String(Math.max(1, templateGeneration(object))) }
      break
    case 'certificates.k8s.io/certificatesigningrequests':
      prepareSigningRequest(object, user)
      break
    case 'apiextensions.k8s.io/customresourcedefinitions':
      object['status'] = withStoredVersion(object, { conditions: null, acceptedNames: { plural: '', kind: '' }, storedVersions: null })
      break
    default:
  }
}

function prepareNamespace(object: KubeObject, minor: number): void {
  const finalizers = stringsIn(isObject(object['spec']) ? object['spec']['finalizers'] : undefined)
  object['spec'] = { finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'] }
  object['status'] = { phase: 'Active' }
  if (minor >= NAME_LABEL_SINCE) object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name ?? '' }
}

/** Of the secrets a service account refers to, only the names are its own. */
function keepSecretNames(object: KubeObject): void {
  const { secrets } = object
  if (Array.isArray(secrets)) object['secrets'] = secrets.filter(isObject).map(({ name }) => (name === undefined ? {} : { name }))
}

function templateGeneration(object: KubeObject): number {
  return Number(object.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0) || 0
}

function templateOf(object: KubeObject): unknown {
  return isObject(object['spec']) ? object['spec']['template'] : undefined
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
  switch (nameOf(resource)) {
    case '/namespaces':
    case 'certificates.k8s.io/certificatesigningrequests':
      after['spec'] = before['spec']
      break
    case '/pods':
      keepPriority(after, before)
      break
    case '/services':
      prepareServiceUpdate(after, before, resource.kubernetesMinor)
      break
    case '/serviceaccounts':
      keepSecretNames(after)
      break
    case 'apps/daemonsets': {
      const count = templateGeneration(before) + (deepEqual(templateOf(after), templateOf(before)) ? 0 : 1)
      after.metadata.annotations = { ...after.metadata.annotations, [TEMPLATE_GENERATION]: String(count) }
      break
    }
    default:
  }
  if (nameOf(resource) === 'apiextensions.k8s.io/customresourcedefinitions') after['status'] = withStoredVersion(after, before['status'])
  if (hasGeneration(resource)) after.metadata.generation = (before.metadata.generation ?? 0) + (desiredChanged(after, before, resource) ? 1 : 0)
  else if (before.metadata.generation !== undefined) after.metadata.generation = before.metadata.generation
}

/** A write of `/status`: the status and metadata are the new ones, the rest stays. */
export function prepareForStatusUpdate(after: KubeObject, before: KubeObject, resource: ApiResource, subresource: string, now: string): KubeObject {
  if (resource.kind === 'CertificateSigningRequest') return prepareSigningStatus(after, before, subresource, now)
  if (resource.custom !== undefined) return resource.custom.prepareForStatusUpdate(after, before)
  const { metadata } = after
  const kept: KubeObject = { ...before, metadata: { ...metadata } }
  if (after['status'] === undefined) delete kept['status']
  else kept['status'] = after['status']
  for (const field of KEPT_METADATA[nameOf(resource)] ?? []) {
    if (before.metadata[field] === undefined) Reflect.deleteProperty(kept.metadata, field)
    else Object.assign(kept.metadata, { [field]: before.metadata[field] })
  }
  if (resource.kind === 'DaemonSet') kept.metadata.annotations = { ...kept.metadata.annotations, [TEMPLATE_GENERATION]: String(templateGeneration(before)) }
  const qos = isObject(before['status']) ? before['status']['qosClass'] : undefined
  if (nameOf(resource) === '/pods' && resource.kubernetesMinor >= QOS_KEPT_SINCE && isObject(kept['status']) && (kept['status']['qosClass'] ?? '') === '')
    kept['status'] = { ...kept['status'], qosClass: qos ?? qosClass(kept) }
  return kept
}

/** A definition's status with the version that is stored now among those that ever were. */
function withStoredVersion(definition: KubeObject, status: unknown): unknown {
  const { spec } = definition
  const versions = isObject(spec) && Array.isArray(spec['versions']) ? spec['versions'].filter(isObject) : []
  const version = versions.find((each) => each['storage'] === true)?.['name']
  if (typeof version !== 'string' || !isObject(status)) return status
  const stored = stringsIn(status['storedVersions'])
  return stored.includes(version) ? status : { ...status, storedVersions: [...stored, version] }
}

function desiredChanged(after: KubeObject, before: KubeObject, resource: ApiResource): boolean {
  const name = nameOf(resource)
  if (name === 'apps/deployments' && !deepEqual(after.metadata.annotations ?? {}, before.metadata.annotations ?? {})) return true
  if (name === 'discovery.k8s.io/endpointslices' || name.startsWith('admissionregistration')) return !deepEqual(withoutMetadata(after), withoutMetadata(before))
  if (name === 'scheduling.k8s.io/priorityclasses') return false
  // Compared by reflect.DeepEqual: a list written empty is another than one that was never made.
  if (name === 'networking.k8s.io/networkpolicies' && emptiedPaths(after).some((path) => path.startsWith('spec.'))) return true
  return !deepEqual(after['spec'], before['spec'])
}

function withoutMetadata({ metadata: _, ...rest }: KubeObject): JsonObject {
  return rest
}

function stringsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}
