import { applyConfiguration } from '#shared/kubernetes/apply/fieldManager.ts'
import { canonicalize, stepsTo } from '#shared/kubernetes/codec/canonical.ts'
import { canonicalMetadata } from '#shared/kubernetes/customresource/embedded.ts'
import { goPrinted } from '#shared/kubernetes/customresource/shown.ts'
import { typedErrors, typedErrorsText } from '#shared/kubernetes/customresource/typedErrors.ts'
import { deepCopy, isObject } from '#shared/kubernetes/json.ts'
import { groupVersion, type KubeObject, type ObjectMeta } from '#shared/kubernetes/object.ts'
import { applyJsonPatch, PatchError } from '#shared/kubernetes/patch/jsonPatch.ts'
import { applyMergePatch } from '#shared/kubernetes/patch/mergePatch.ts'
import { shownPatch } from '#shared/kubernetes/patch/shownPatch.ts'
import { applyStrategicMergePatch } from '#shared/kubernetes/patch/strategicMergePatch.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { invalidStatus } from '#shared/kubernetes/validation/fieldError.ts'
import { shownForm } from '../storage/storedForm.ts'
import type { ApiResource } from './apiResources.ts'
import { conversionFault } from './conversionFault.ts'
import { badRequest, notFound, undecodable } from './failures.ts'
import type { RestStore, WriteContext } from './restStore.ts'
import { mergeContext } from './mergeContext.ts'

/** What a resource can be patched with: strategic merge needs Go's types, which custom resources do not have. */
export function patchTypesOf({ custom }: Pick<ApiResource, 'custom'>): string[] {
  return custom === undefined ? PATCH_TYPES : PATCH_TYPES.filter((type) => type !== 'application/strategic-merge-patch+json')
}

export const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
]

/** Upstream's limit of operations in a JSON patch. */
const MAX_OPERATIONS = 10_000

export interface PatchRequest {
  type: string
  patch: unknown
  force: boolean
  /** Called with the patched object's unknown fields, for fieldValidation, and with how upstream shows what a patch made. */
  onUnknown(unknown: string[], made?: () => string): void
}

/** @throws StatusError with upstream's code for a patch that cannot be applied */
export function patched(current: KubeObject, { type, patch, onUnknown }: PatchRequest, resource: ApiResource): KubeObject {
  let result: unknown
  try {
    if (type === 'application/json-patch+json') {
      if (Array.isArray(patch) && patch.length > MAX_OPERATIONS)
        throw new StatusError(
          failure(413, 'RequestEntityTooLarge', `The allowed maximum operations in a JSON patch is ${String(MAX_OPERATIONS)}, got ${String(patch.length)}`),
        )
      result = applyJsonPatch(current, patch)
    } else if (type === 'application/merge-patch+json') result = applyMergePatch(current, patch)
    else result = applyStrategicMergePatch(current, patch, resource.struct)
  } catch (error) {
    if (error instanceof PatchError && type === 'application/json-patch+json' && error.code !== 400)
      // Upstream says no more than this of a patch that does not apply.
      throw new StatusError(failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {}), { cause: error })
    if (error instanceof PatchError && error.code === 500) throw unnamed(error.message, error)
    if (error instanceof PatchError) throw badRequest(error.message)
    throw error
  }
  if (!isObject(result)) throw badRequest('the patched object is no Kubernetes object')
  const object = result as KubeObject
  if (!isObject(object.metadata) || (object.metadata.name ?? '') === '') throw undeterminable(current.metadata.name ?? '')
  if (object.metadata.name !== current.metadata.name)
    throw badRequest(`the name of the object (${object.metadata.name ?? ''}) does not match the name on the URL (${current.metadata.name ?? ''})`)
  const whole = { ...object, apiVersion: current.apiVersion ?? '', kind: current.kind ?? '' }
  const canonical =
    resource.custom === undefined ? canonicalize(whole, resource.struct, { fromMaps: type.includes('strategic') }) : resource.custom.canonicalize(whole)
  onUnknown(canonical.unknown, () => shownResult(current, { type, patch }, resource))
  const fault = conversionFault(canonical.object)
  if (fault !== null) throw type.includes('strategic') ? unnamed(fault) : undecodable(shownResult(current, { type, patch }, resource), fault)
  return canonical.object
}

/** Kinds whose status is patched all the time, and has nothing that is set when it is left out. */
const OFTEN_TOLD = new Set(['pods', 'nodes'])

/**
 * Whether a patch is one of the status alone of such an object, as kubelets send it: then the rest of the object stays as it is stored, and need not
 * be copied, brought into form and compared.
 */
export function isStatusPatch({ type, patch }: PatchRequest, resource: ApiResource, subresource: string, live: KubeObject | undefined): boolean {
  if (subresource !== 'status' || type !== 'application/merge-patch+json' || resource.group !== '' || !OFTEN_TOLD.has(resource.plural)) return false
  if (!isObject(patch) || !isObject(patch['status']) || live === undefined) return false
  const { metadata = {}, status: _, ...rest } = patch
  if (Object.keys(rest).length > 0 || !isObject(metadata)) return false
  return Object.entries(metadata).every(([field, value]) => field === 'uid' && value === live.metadata.uid)
}

/** The stored object with a patched status. @throws StatusError as `patched` */
export function withPatchedStatus(current: KubeObject, { type, patch, onUnknown }: PatchRequest, resource: ApiResource): KubeObject {
  const status = applyMergePatch(current['status'], isObject(patch) ? patch['status'] : undefined)
  const { apiVersion = '', kind = '', metadata } = current
  const canonical = canonicalize({ apiVersion, kind, metadata: { name: metadata.name ?? '' }, status }, resource.struct)
  onUnknown(canonical.unknown, () => shownResult(current, { type, patch }, resource))
  const fault = conversionFault(canonical.object)
  if (fault !== null) throw undecodable(shownResult(current, { type, patch }, resource), fault)
  return { ...current, status: canonical.object['status'] }
}

/** An error that upstream has no reason for. */
function unnamed(message: string, cause?: unknown): StatusError {
  return new StatusError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 }, { cause })
}

/** A patch of maps as it is; of JSON what it makes of the object's sorted members, with new ones after them. */
function shownResult(current: KubeObject, { type, patch }: Pick<PatchRequest, 'type' | 'patch'>, resource: ApiResource): string {
  if (type.includes('strategic')) return goPrinted(patch)
  const { custom, kubernetesMinor, struct } = resource
  return shownPatch(
    custom === undefined ? shownForm(deepCopy(current), kubernetesMinor) : current,
    { type, patch },
    custom === undefined ? struct : null,
    kubernetesMinor,
  )
}

function undeterminable(name: string): StatusError {
  return badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`)
}

/** Server-side apply of a configuration that may create. @returns the object, and whether it is new */
export async function apply(
  rest: RestStore,
  resource: ApiResource,
  namespace: string,
  name: string,
  request: PatchRequest,
  context: WriteContext,
): Promise<{ object: KubeObject; created: boolean }> {
  if (context.fieldManager === '')
    throw new StatusError(
      invalidStatus({ group: 'meta.k8s.io', kind: 'PatchOptions', name: '' }, [
        { type: 'Required', field: 'fieldManager', value: '', detail: 'is required for apply patch' },
      ]),
    )
  if (!isObject(request.patch)) throw badRequest('error decoding YAML: the configuration is no object')
  const sent = request.patch as KubeObject
  const metadata = (isObject(sent.metadata) ? sent.metadata : {}) as ObjectMeta
  if ((metadata.managedFields ?? []).length > 0) throw badRequest('metadata.managedFields must be nil')
  if (metadata.name !== undefined && metadata.name !== name)
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`)
  const applied: KubeObject = {
    ...sent,
    apiVersion: groupVersion(resource),
    kind: resource.kind,
    metadata: { ...metadata, name, ...(resource.namespaced ? { namespace } : {}) },
  }
  const { custom } = resource
  const missing = rest.find(resource, namespace, name) === undefined
  if (missing && context.subresource !== '') throw notFound(resource, name)
  if (custom?.schema !== undefined && !custom.definition.preserveUnknownFields) {
    const errors = typedErrors({ ...sent, apiVersion: groupVersion(resource), kind: resource.kind }, custom.schema)
    if (errors.length > 0) throw notTyped(sent, resource, typedErrorsText(errors))
  }
  // A custom resource is applied as it was sent, nulls and all; what it may not hold was told above.
  const canonical = custom === undefined ? canonicalize(applied, resource.struct) : { object: applied, unknown: [] }
  request.onUnknown(canonical.unknown)
  // What is applied is what was sent: Go's zero structs are not in it.
  const configuration = withoutUnknown(applied, canonical.unknown)
  const writer = { manager: context.fieldManager, apiVersion: groupVersion(resource), subresource: context.subresource, now: rest.now(), force: request.force }
  const fields = mergeContext(resource, context.subresource)
  const merge = (live: KubeObject | null): KubeObject => {
    const outcome = applyConfiguration(live, configuration, writer, fields)
    if (outcome.kind === 'untyped') throw unnamed(outcome.message)
    if (outcome.kind === 'applied') {
      const fault = conversionFault(outcome.object)
      if (fault !== null) throw unnamed(`failed to convert to unversioned: ${fault}`)
      if (outcome.object === live) return live
      // What is left of metadata after the last label went says no more than that there are none.
      return custom === undefined
        ? canonicalize(outcome.object, resource.struct, { fromMaps: outcome.changed }).object
        : ({ ...outcome.object, metadata: canonicalMetadata(outcome.object.metadata).metadata } as KubeObject)
    }
    throw new StatusError(failure(409, 'Conflict', outcome.message, { causes: outcome.causes }))
  }
  if (missing) {
    const made = merge(null)
    if ((metadata.name ?? '') === '') throw undeterminable(name)
    return { object: await rest.create(resource, namespace, made, context, { managed: true, canonical: true }), created: true }
  }
  const options = { retry: true, managed: true, canonical: true, preconditions: { uid: metadata.uid, resourceVersion: metadata.resourceVersion } }
  return { object: await rest.update(resource, namespace, name, merge, options, context), created: false }
}

function notTyped({ metadata }: KubeObject, resource: ApiResource, text: string): StatusError {
  const named = `${isObject(metadata) ? String(metadata['namespace'] ?? '') : ''}/${isObject(metadata) ? String(metadata['name'] ?? '') : ''}`
  const message = `failed to create typed patch object (${named}; ${groupVersion(resource)}, Kind=${resource.kind}): ${text}`
  return unnamed(message)
}

function withoutUnknown(object: KubeObject, unknown: readonly string[]): KubeObject {
  const copy = deepCopy(object)
  for (const path of unknown) {
    const steps = stepsTo(copy, path)
    const last = steps.pop()
    let holder: unknown = copy
    for (const step of steps) holder = typeof holder === 'object' && holder !== null ? (holder as Record<string, unknown>)[step] : undefined
    if (last !== undefined && typeof holder === 'object' && holder !== null) Reflect.deleteProperty(holder, last)
  }
  return copy
}
