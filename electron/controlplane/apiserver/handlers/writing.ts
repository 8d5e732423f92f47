import { canonicalize, copyCanonical } from '#shared/kubernetes/codec/canonical.ts'
import { DecodeError } from '#shared/kubernetes/codec/protobufReader.ts'
import { groupVersion, type KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { invalidStatus } from '#shared/kubernetes/validation/fieldError.ts'
import type { ApiRequest, ApiResponse } from '../request/apiRequest.ts'
import { asKubeObject, decodeBody } from '../request/body.ts'
import type { Negotiated } from '../request/mediaType.ts'
import { isTrue } from '../request/requestInfo.ts'
import type { Admission } from '../admission/admission.ts'
import type { ApiResource } from '../registry/apiResources.ts'
import { deletedStatus, deleteObject, parseDeleteOptions } from '../registry/deletion.ts'
import { conversionFault } from '../registry/conversionFault.ts'
import { badRequest, notFound, undecodable } from '../registry/failures.ts'
import { renewedLease } from './leaseRenewal.ts'
import { apply, isStatusPatch, patched, patchTypesOf, withPatchedStatus } from '../registry/patching.ts'
import type { RestStore, WriteContext } from '../registry/restStore.ts'
import { allowsCreateOnUpdate } from '../registry/strategy.ts'
import { encoded, isSelected, listKindOf, objectResponse, parseSelection, readable } from './listing.ts'
import { fromStorage, prepareToRead } from '../registry/conversion.ts'

/** Where a request points, resolved. */
export interface ResourceTarget {
  resource: ApiResource
  namespace: string
  name: string
  subresource: string
}

/** Query parameters of every write. @throws StatusError 400 and 422 */
export function writeContext(request: ApiRequest, subresource: string): WriteContext {
  const dryRun = request.query.getAll('dryRun')
  if (dryRun.some((each) => each !== 'All' && each !== ''))
    throw badRequest(`Invalid value: "${dryRun.join(',')}": dryRun: Unsupported value: supported values: "All"`)
  const agent = (request.headers['user-agent'] ?? '').split('/')[0] ?? ''
  return {
    user: request.user,
    subresource,
    fieldManager: request.query.get('fieldManager') ?? (agent === '' ? 'unknown' : agent.slice(0, 128)),
    dryRun: dryRun.includes('All'),
    warnings: request.warnings ?? [],
    annotations: request.record?.annotations ?? {},
    signal: request.signal,
  }
}

/** The first release with a Table of `/status`; those before answer with the object. */
const STATUS_PRINTED_SINCE = 24

/** The first release that looks at `fieldValidation` unless told not to; those before drop what they do not know without a word. */
const FIELD_VALIDATION_SINCE = 25

/** Does with unknown and duplicate fields what `fieldValidation` says. */
export function checkFields(
  request: ApiRequest,
  context: WriteContext,
  found: { unknown: readonly string[]; duplicates(): readonly string[] },
  resource: { kind: string; version: string; group: string; kubernetesMinor: number },
  refuse: (text: string) => StatusError = (text) =>
    new StatusError(failure(400, 'BadRequest', `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${text}`)),
): void {
  if (resource.kubernetesMinor < FIELD_VALIDATION_SINCE) return
  const how = request.query.get('fieldValidation') ?? 'Warn'
  if (how === 'Ignore') return
  // Who shares objects writes JSON of objects, which have no field twice.
  const duplicates = request.shares === true ? [] : found.duplicates()
  const texts = [
    ...found.unknown.map((field) => `unknown field ${JSON.stringify(field)}`),
    ...duplicates.map((field) => `duplicate field ${JSON.stringify(field)}`),
  ]
  if (texts.length === 0) return
  if (how === 'Strict') throw refuse(`strict decoding error: ${texts.join(', ')}`)
  context.warnings.push(...texts)
}

/** The object of a create or update body, in canonical form. @throws StatusError 400 */
export function decodeSent(request: ApiRequest, resource: ApiResource, context: WriteContext): KubeObject {
  const { value, duplicates } = decodeBody(request.body, request.headers['content-type'])
  const sent = asKubeObject(value)
  const expected = groupVersion(resource)
  if (sent.apiVersion !== undefined && sent.apiVersion !== '' && sent.apiVersion !== expected)
    throw badRequest(`the API version in the data (${sent.apiVersion}) does not match the expected API version (${expected})`)
  if (resource.custom !== undefined && sent.kind !== undefined && sent.kind !== '' && sent.kind !== resource.kind) {
    // Upstream reads a custom resource of any kind, and finds out when it validates.
    const target = { group: resource.group, kind: sent.kind, name: sent.metadata.name ?? '' }
    throw new StatusError(invalidStatus(target, [{ type: 'Invalid', field: 'kind', value: JSON.stringify(sent.kind), detail: `must be ${resource.kind}` }]))
  }
  if (sent.kind !== undefined && sent.kind !== '' && sent.kind !== resource.kind)
    throw badRequest(
      `${sent.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: no kind ${JSON.stringify(sent.kind)} is registered for version ${JSON.stringify(expected)}`,
    )
  try {
    const whole = { ...sent, apiVersion: expected, kind: resource.kind }
    const { object, unknown } = resource.custom === undefined ? canonicalize(whole, resource.struct) : resource.custom.canonicalize(whole)
    checkFields(request, context, { unknown, duplicates }, resource)
    const fault = conversionFault(object)
    if (fault !== null) throw new DecodeError(fault)
    return resource.custom === undefined ? object : { ...object, apiVersion: expected, kind: resource.kind }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new StatusError(
      failure(400, 'BadRequest', `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${error.message}`),
      { cause: error },
    )
  }
}

export interface WriteHandling {
  rest: RestStore
  admission: Admission
}

export async function create(
  { rest }: WriteHandling,
  { resource, namespace }: ResourceTarget,
  request: ApiRequest,
  negotiated: Negotiated,
): Promise<ApiResponse> {
  const context = writeContext(request, '')
  const object = await rest.create(resource, namespace, decodeSent(request, resource, context), context, { canonical: true })
  return { ...objectResponse(object, resource, rest.nowMs(), request.query, negotiated, 201), warnings: context.warnings }
}

export async function update(
  { rest }: WriteHandling,
  { resource, namespace, name, subresource }: ResourceTarget,
  request: ApiRequest,
  negotiated: Negotiated,
): Promise<ApiResponse> {
  const context = writeContext(request, subresource)
  const renewed = renewal(rest, { resource, namespace, name, subresource }, request, context)
  if (renewed !== null) {
    const object = await rest.update(resource, namespace, name, () => renewed, { retry: false, managed: true, shares: true }, context)
    return { ...objectResponse(object, resource, rest.nowMs(), request.query, negotiated), warnings: context.warnings }
  }
  const sent = decodeSent(request, resource, context)
  if ((sent.metadata.name ?? '') === '') throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`)
  if (sent.metadata.name !== name) throw badRequest(`the name of the object (${sent.metadata.name ?? ''}) does not match the name on the URL (${name})`)
  if (resource.namespaced && (sent.metadata.namespace ?? namespace) !== namespace)
    throw badRequest(`the namespace of the object (${sent.metadata.namespace ?? ''}) does not match the namespace on the URL (${namespace})`)
  if (rest.find(resource, namespace, name) === undefined && subresource === '' && allowsCreateOnUpdate(resource)) {
    delete sent.metadata.resourceVersion
    const created = await rest.create(resource, namespace, sent, context, { canonical: true })
    return { ...objectResponse(created, resource, rest.nowMs(), request.query, negotiated, 201), warnings: context.warnings }
  }
  const version = sent.metadata.resourceVersion ?? ''
  const object = await rest.update(
    resource,
    namespace,
    name,
    () => copyCanonical(sent),
    { retry: version === '', canonical: true, replaces: true, preconditions: { uid: sent.metadata.uid } },
    context,
  )
  return { ...objectResponse(object, resource, rest.nowMs(), request.query, negotiated), warnings: context.warnings }
}

/** The Lease as a kubelet of this process renews it; null for any other update. */
function renewal(rest: RestStore, { resource, namespace, name, subresource }: ResourceTarget, request: ApiRequest, context: WriteContext): KubeObject | null {
  // Who shares objects writes JSON of objects, which have no field twice.
  if (request.shares !== true || subresource !== '' || resource.plural !== 'leases') return null
  const live = rest.find(resource, namespace, name)?.object
  const { value } = decodeBody(request.body, request.headers['content-type'])
  return renewedLease(value, live, resource, { manager: context.fieldManager, now: rest.now() })
}

export async function patch(
  { rest }: WriteHandling,
  { resource, namespace, name, subresource }: ResourceTarget,
  request: ApiRequest,
  negotiated: Negotiated,
): Promise<ApiResponse> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? ''
  const types = patchTypesOf(resource)
  if (!types.includes(type))
    throw new StatusError(
      failure(415, 'UnsupportedMediaType', `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')}`),
    )
  const context = writeContext(request, subresource)
  if (type === 'application/apply-patch+yaml') context.fieldManager = request.query.get('fieldManager') ?? ''
  const { value, duplicates } = decodeBody(request.body, type === 'application/apply-patch+yaml' ? 'application/yaml' : type)
  let checked = false
  const onUnknown = (unknown: string[], made?: () => string): void => {
    // A retry finds the same fields again.
    if (checked) return
    checked = true
    const refuse = made === undefined ? undefined : (text: string): StatusError => undecodable(made(), text)
    checkFields(request, context, { unknown, duplicates }, resource, refuse)
  }
  const patchRequest = { type, patch: value, force: isTrue(request.query.get('force')), onUnknown }
  try {
    if (type === 'application/apply-patch+yaml') {
      const { object, created } = await apply(rest, resource, namespace, name, patchRequest, context)
      return { ...objectResponse(object, resource, rest.nowMs(), request.query, negotiated, created ? 201 : 200), warnings: context.warnings }
    }
    const live = rest.find(resource, namespace, name)?.object
    const sharing = isStatusPatch(patchRequest, resource, subresource, live)
    const object = await rest.update(
      resource,
      namespace,
      name,
      (current) => {
        if (sharing) return withPatchedStatus(current, patchRequest, resource)
        const result = patched(current, patchRequest, resource)
        // Only a version that the patch itself names is a lock.
        return result
      },
      sharing ? { retry: true, shares: true, preconditions: { uid: live?.metadata.uid } } : { retry: true, canonical: true },
      context,
    )
    return { ...objectResponse(object, resource, rest.nowMs(), request.query, negotiated), warnings: context.warnings }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new StatusError(
      failure(400, 'BadRequest', `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${error.message}`),
      { cause: error },
    )
  }
}

export async function remove(
  { rest, admission }: WriteHandling,
  { resource, namespace, name }: ResourceTarget,
  request: ApiRequest,
  negotiated: Negotiated,
): Promise<ApiResponse> {
  const context = writeContext(request, '')
  const options = deleteOptionsOf(request)
  const { object, gone } = await deleteObject(rest, admission, resource, namespace, name, options.parsed, {
    ...context,
    dryRun: context.dryRun || options.dryRun,
  })
  const asObject = !gone || (resource.group === '' && resource.plural === 'pods')
  return asObject ? objectResponse(object, resource, rest.nowMs(), request.query, negotiated) : encoded(deletedStatus(resource, object), negotiated)
}

export async function removeCollection(
  { rest, admission }: WriteHandling,
  { resource, namespace }: ResourceTarget,
  request: ApiRequest,
  negotiated: Negotiated,
): Promise<ApiResponse> {
  const context = writeContext(request, '')
  const { parsed, dryRun } = deleteOptionsOf(request)
  const selection = parseSelection(resource, request.query, '')
  await rest.store.fresh(request.signal)
  const stored = rest.store.collection(resource.storagePrefix ?? '').range(rest.prefixOf(resource, namespace))
  const selected = [...(await readable(stored, resource, request.signal))]
    .map(({ object }) => fromStorage(object, resource))
    .filter((object) => isSelected(selection, object))
  for (const { metadata } of selected) {
    try {
      const { name = '', namespace: own = '' } = metadata
      await deleteObject(rest, admission, resource, own, name, parsed, { ...context, dryRun: context.dryRun || dryRun })
    } catch (error) {
      // Somebody was quicker: what was to go is gone.
      if (!(error instanceof StatusError) || error.reason !== 'NotFound') throw error
    }
  }
  return encoded(
    {
      kind: listKindOf(resource),
      apiVersion: groupVersion(resource),
      metadata: { ...(resource.custom === undefined ? {} : { continue: '' }), resourceVersion: String(rest.store.revision) },
      // As they were found, whatever became of each.
      items: selected,
    },
    negotiated,
  )
}

function deleteOptionsOf(request: ApiRequest): { parsed: ReturnType<typeof parseDeleteOptions>; dryRun: boolean } {
  const value = request.body.length === 0 ? {} : decodeBody(request.body, request.headers['content-type']).value
  const dryRun = (value as { dryRun?: unknown } | null)?.dryRun
  return { parsed: parseDeleteOptions(value, request.query), dryRun: Array.isArray(dryRun) && dryRun.includes('All') }
}

/** @throws StatusError NotFound */
export async function get(
  { rest }: WriteHandling,
  { resource, namespace, name, subresource }: ResourceTarget,
  request: ApiRequest,
  negotiated: Negotiated,
): Promise<ApiResponse> {
  if ((request.query.get('resourceVersion') ?? '') === '') await rest.store.fresh(request.signal)
  const entry = rest.find(resource, namespace, name)
  if (entry === undefined) throw notFound(resource, name)
  await prepareToRead([entry.object], resource, request.signal)
  const isPrinted = subresource !== 'status' || resource.custom !== undefined || resource.kubernetesMinor >= STATUS_PRINTED_SINCE
  const form = isPrinted || negotiated.as !== 'Table' ? negotiated : { ...negotiated, as: '' as const }
  return objectResponse(fromStorage(entry.object, resource), resource, rest.nowMs(), request.query, form)
}
