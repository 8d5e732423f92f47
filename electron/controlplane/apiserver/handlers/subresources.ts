import { isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { valueAt } from '#shared/kubernetes/customresource/scale.ts'
import { selectorRequirements } from '#shared/kubernetes/labelSelector.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { applyJsonPatch, PatchError } from '#shared/kubernetes/patch/jsonPatch.ts'
import { applyMergePatch } from '#shared/kubernetes/patch/mergePatch.ts'
import type { ApiRequest, ApiResponse } from '../request/apiRequest.ts'
import { asKubeObject, decodeBody } from '../request/body.ts'
import type { Negotiated } from '../request/mediaType.ts'
import { prepareToRead } from '../registry/conversion.ts'
import { badRequest, conflict, methodNotAllowed, notFound } from '../registry/failures.ts'
import type { ApiResources } from '../registry/apiResources.ts'
import { deleteObject, parseDeleteOptions } from '../registry/deletion.ts'
import { encoded } from './listing.ts'
import { writeContext, type ResourceTarget, type WriteHandling } from './writing.ts'
import type { CustomResource } from '../registry/customResource.ts'
import { decidePodDisruption } from '../registry/disruption.ts'

const EVICTION = { group: 'policy', version: 'v1', kind: 'Eviction' }
const SUCCESS = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' } as const
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** autoscaling/v1 Scale of a workload. */
function scaleOf(object: KubeObject, custom?: CustomResource): KubeObject {
  if (custom !== undefined) return customScaleOf(object, custom)
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const [spec, status] = [objectAt(object['spec']), objectAt(object['status'])]
  const selector = (
    object.kind === 'ReplicationController'
      ? Object.entries(objectAt(spec['selector'])).map(([key, value]) => `${key}=${String(value)}`)
      : (selectorRequirements(spec['selector']) ?? []).map(requirementText)
  ).join(',')
  const metadata = Object.fromEntries(Object.entries({ name, namespace, uid, resourceVersion, creationTimestamp }).filter(([, value]) => value !== undefined))
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: { ...(spec['replicas'] === 0 ? {} : { replicas: spec['replicas'] }) },
    status: { replicas: status['replicas'] ?? 0, ...(selector === '' ? {} : { selector }) },
  }
}

function requirementText({ key, operator, values }: { key: string; operator: string; values: readonly string[] }): string {
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0] ?? ''}` : `${key} in (${values.join(',')})`
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0] ?? ''}` : `${key} notin (${values.join(',')})`
    case 'Exists':
      return key
    default:
      return `!${key}`
  }
}

/** The same of a custom resource, by its definition's paths. */
function customScaleOf(object: KubeObject, { version }: CustomResource): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const at = (path: string | null | undefined): unknown => (typeof path === 'string' ? valueAt(object, path).value : undefined)
  const [replicas, ready, selector] = [at(version.scale?.specReplicasPath), at(version.scale?.statusReplicasPath), at(version.scale?.labelSelectorPath)]
  const metadata = Object.fromEntries(Object.entries({ name, namespace, uid, resourceVersion, creationTimestamp }).filter(([, value]) => value !== undefined))
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: typeof replicas !== 'number' || replicas === 0 ? {} : { replicas },
    status: { replicas: typeof ready === 'number' ? ready : 0, ...(typeof selector === 'string' && selector !== '' ? { selector } : {}) },
  }
}

/** The object with another number of replicas. */
function withReplicas(live: KubeObject, replicas: number, custom: CustomResource | undefined): KubeObject {
  const path = custom?.version.scale?.specReplicasPath ?? '.spec.replicas'
  const result = structuredClone(live)
  const names = path.replace(/^\./, '').split('.')
  let holder: JsonObject = result
  for (const name of names.slice(0, -1)) {
    if (!isObject(holder[name])) holder[name] = {}
    holder = holder[name] as JsonObject
  }
  holder[names.at(-1) ?? ''] = replicas
  return result
}

/** @throws StatusError 400 or 422 when the patch is none or does not fit */
function jsonPatched(before: KubeObject, patch: unknown): unknown {
  try {
    return applyJsonPatch(before, patch)
  } catch (error) {
    if (!(error instanceof PatchError)) throw error
    throw error.code === 400
      ? badRequest(error.message)
      : new StatusError(failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {}), { cause: error })
  }
}

function internalError(message: string): StatusError {
  return new StatusError(failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] }))
}

/** The first release in which writers of `/scale` come to own the number of replicas. */
const SCALE_OWNS_SINCE = 22

/** GET, PUT and PATCH of `/scale`. */
export async function scale({ rest }: WriteHandling, target: ResourceTarget, request: ApiRequest, negotiated: Negotiated): Promise<ApiResponse> {
  const { resource, namespace, name } = target
  await prepareToRead([rest.entry(resource, namespace, name).object], resource, request.signal)
  const current = rest.get(resource, namespace, name)
  const path = resource.custom?.version.scale?.specReplicasPath
  if (request.method === 'GET') {
    if (path !== undefined && valueAt(current, path).value === undefined) throw internalError(`the spec replicas field ${JSON.stringify(path)} does not exist`)
    return encoded(scaleOf(current, resource.custom), negotiated)
  }
  if (request.method !== 'PUT' && request.method !== 'PATCH') throw methodNotAllowed()
  const context = writeContext(request, 'scale')
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? ''
  const { value } = decodeBody(request.body, request.method === 'PATCH' && type.endsWith('+yaml') ? 'application/yaml' : type)
  const object = await rest.update(
    resource,
    namespace,
    name,
    (live) => {
      const before = scaleOf(live, resource.custom)
      const sent = asKubeObject(
        request.method === 'PUT' ? value : type === 'application/json-patch+json' ? jsonPatched(before, value) : applyMergePatch(before, value),
      )
      const version = sent.metadata.resourceVersion ?? ''
      if (version !== '' && version !== live.metadata.resourceVersion)
        throw conflict(resource, name, 'the object has been modified; please apply your changes to the latest version and try again')
      const replicas = objectAt(sent['spec'])['replicas'] ?? 0
      // A custom resource's own validation says what it thinks of a number below zero.
      if (typeof replicas !== 'number' || !Number.isInteger(replicas) || (replicas < 0 && resource.custom === undefined))
        throw new StatusError(
          failure(
            422,
            'Invalid',
            `Scale.autoscaling "${name}" is invalid: spec.replicas: Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
          ),
        )
      return withReplicas(live, replicas, resource.custom)
    },
    { retry: true, managed: resource.kubernetesMinor < SCALE_OWNS_SINCE },
    context,
  )
  return encoded(scaleOf(object, resource.custom), negotiated)
}

/** POST of `/binding`: the scheduler's decision. */
export async function bind({ rest }: WriteHandling, target: ResourceTarget, request: ApiRequest, negotiated: Negotiated): Promise<ApiResponse> {
  const { resource, namespace } = target
  const binding = asKubeObject(decodeBody(request.body, request.headers['content-type']).value)
  // Sent to the namespace's bindings, its own name is the pod's.
  const name = target.name === '' ? (binding.metadata.name ?? '') : target.name
  const node = text(objectAt(binding['target'])['name'])
  if (node === '') throw new StatusError(failure(422, 'Invalid', `Binding "${name}" is invalid: target.name: Required value`))
  // As upstream, which writes a binding past the rules for updates of pods: none of them lets a node's name be set.
  const context = { ...writeContext(request, 'binding'), unchecked: true }
  await rest.update(
    resource,
    namespace,
    name,
    (pod) => {
      const spec = objectAt(pod['spec'])
      if (pod.metadata.deletionTimestamp !== undefined)
        throw conflict({ group: '', plural: 'pods/binding' }, name, `pod ${name} is being deleted, cannot be assigned to a host`)
      if (text(spec['nodeName']) !== '')
        throw conflict({ group: '', plural: 'pods/binding' }, name, `pod ${name} is already assigned to node ${JSON.stringify(spec['nodeName'])}`)
      const status = objectAt(pod['status'])
      const now = rest.now()
      const others = (Array.isArray(status['conditions']) ? status['conditions'].filter(isObject) : []).filter((each) => each['type'] !== 'PodScheduled')
      const annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations }
      return {
        ...pod,
        metadata: { ...pod.metadata, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
        spec: { ...spec, nodeName: node },
        status: { ...status, conditions: [...others, { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now }] },
      }
    },
    // As upstream's binding, it owns no fields.
    { retry: true, managed: true, shares: true },
    context,
  )
  return encoded({ ...SUCCESS }, negotiated, 201)
}

/** POST of `/eviction`: a delete that PodDisruptionBudgets may refuse with 429. */
export async function evict(
  handling: WriteHandling & { resources: ApiResources },
  target: ResourceTarget,
  request: ApiRequest,
  negotiated: Negotiated,
): Promise<ApiResponse> {
  const { rest, admission, resources } = handling
  const { resource, namespace, name } = target
  const eviction = asKubeObject(decodeBody(request.body, request.headers['content-type']).value)
  const sent = eviction.metadata.name ?? name
  if (sent !== name) throw badRequest(`name in URL does not match name in Eviction object: ${sent}`)
  const context = writeContext(request, 'eviction')
  const options = parseDeleteOptions(eviction['deleteOptions'], new URLSearchParams())
  const dryRun = objectAt(eviction['deleteOptions'])['dryRun']
  if (Array.isArray(dryRun) && dryRun.includes('All')) context.dryRun = true
  const asked = { operation: 'CREATE' as const, resource, namespace, name, object: eviction, old: null, kind: EVICTION, context }
  await admission.admit(asked)
  await admission.validate(asked)
  const pod = rest.get(resource, namespace, name)
  if (options.uid !== undefined && options.uid !== pod.metadata.uid) throw notFound(resource, name)
  await decidePodDisruption(rest, resources, pod, context)
  await deleteObject(rest, admission, resource, namespace, name, options, { ...context, subresource: '' })
  return encoded({ ...SUCCESS }, negotiated, 201)
}

/** PUT of a namespace's `/finalize`. */
export async function finalizeNamespace(
  { rest }: WriteHandling,
  { resource, name }: ResourceTarget,
  request: ApiRequest,
  negotiated: Negotiated,
): Promise<ApiResponse> {
  const sent = asKubeObject(decodeBody(request.body, request.headers['content-type']).value)
  const version = sent.metadata.resourceVersion
  const object = await rest.update(
    resource,
    '',
    name,
    (live) => ({ ...live, spec: objectAt(sent['spec']), metadata: { ...live.metadata, ...(version === undefined ? {} : { resourceVersion: version }) } }),
    { retry: version === undefined, preconditions: { uid: sent.metadata.uid } },
    writeContext(request, 'finalize'),
  )
  return encoded(object, negotiated)
}

/** Which container a log request means. @throws StatusError 400 when it must be named */
export function logContainer(pod: KubeObject, asked: string | null): string {
  const spec = objectAt(pod['spec'])
  const named = (field: string): string[] => (Array.isArray(spec[field]) ? spec[field].filter(isObject).map((each) => text(each['name'])) : [])
  const [containers, init] = [named('containers'), named('initContainers')]
  const name = pod.metadata.name ?? ''
  if (asked !== null && asked !== '') {
    if ([...containers, ...init, ...named('ephemeralContainers')].includes(asked)) return asked
    throw badRequest(`container ${asked} is not valid for pod ${name}`)
  }
  const fallback = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container']
  if (fallback !== undefined && containers.includes(fallback)) return fallback
  if (containers.length === 1) return containers[0] ?? ''
  const others = init.length === 0 ? '' : ` or one of the init containers: [${init.join(' ')}]`
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${containers.join(' ')}]${others}`)
}

/** Forbids what is not there for a pod that runs nowhere. */
export function nodeOf(pod: KubeObject): string {
  return text(objectAt(pod['spec'])['nodeName'])
}
