import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { unsupportedValue } from '#shared/kubernetes/customresource/shown.ts'
import { StatusError, type Status } from '#shared/kubernetes/status.ts'
import { invalidStatus } from '#shared/kubernetes/validation/fieldError.ts'
import type { ApiResource } from './apiResources.ts'
import { fromStorage, prepareToRead, storedBytes } from './conversion.ts'
import { badRequest, conflict, forbidden, modified } from './failures.ts'
import type { RestStore, WriteContext } from './restStore.ts'
import { CLEANUP_FINALIZER, setCondition } from '#shared/kubernetes/customresource/definition.ts'
import type { Admission } from '../admission/admission.ts'
import type { Entry } from '../storage/entry.ts'

/** metav1.DeleteOptions as sent in the body or the query. */
export interface DeleteOptions {
  gracePeriodSeconds?: number | undefined
  propagationPolicy?: string | undefined
  uid?: string | undefined
  resourceVersion?: string | undefined
}

/** Namespaces that hold the cluster itself. */
const PROTECTED_NAMESPACES = new Set(['default', 'kube-system', 'kube-public'])
const ATTEMPTS = 20

/** Reads DeleteOptions; the body counts before the query. @throws StatusError 400 */
export function parseDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const sent = isObject(body) ? body : {}
  const preconditions = isObject(sent['preconditions']) ? sent['preconditions'] : {}
  const grace = sent['gracePeriodSeconds'] ?? (query.has('gracePeriodSeconds') ? Number(query.get('gracePeriodSeconds')) : undefined)
  if (grace !== undefined && grace !== null && (typeof grace !== 'number' || !Number.isInteger(grace)))
    throw badRequest('gracePeriodSeconds must be a whole number of seconds')
  const orphan = sent['orphanDependents'] ?? query.get('orphanDependents')
  const legacy = orphan === true || orphan === 'true' ? 'Orphan' : orphan === false || orphan === 'false' ? 'Background' : undefined
  const policy = sent['propagationPolicy'] ?? query.get('propagationPolicy') ?? legacy
  if (policy !== undefined && policy !== 'Background' && policy !== 'Foreground' && policy !== 'Orphan')
    throw new StatusError(
      invalidStatus({ group: 'meta.k8s.io', kind: 'DeleteOptions', name: '' }, [
        unsupportedValue('propagationPolicy', policy, ['Foreground', 'Background', 'Orphan', 'nil']),
      ]),
    )
  const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
  return {
    gracePeriodSeconds: grace ?? undefined,
    propagationPolicy: policy,
    uid: text(preconditions['uid']),
    resourceVersion: text(preconditions['resourceVersion']),
  }
}

/** What a delete came to: the object while it still exists, or what the answer's Status tells. */
export type Deleted = { object: KubeObject; gone: boolean }

/**
 * Deletes one object: at once, or marks it when it has finalizers, grace, or dependents to wait for.
 *
 * @throws StatusError NotFound, Conflict, Forbidden
 */
export async function deleteObject(
  rest: RestStore,
  admission: Admission,
  resource: ApiResource,
  namespace: string,
  name: string,
  options: DeleteOptions,
  context: WriteContext,
): Promise<Deleted> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = rest.entry(resource, namespace, name)
    await prepareToRead([entry.object], resource, context.signal)
    const object = fromStorage(entry.object, resource)
    checkPreconditions(object, resource, options)
    if (resource.plural === 'namespaces' && resource.group === '' && PROTECTED_NAMESPACES.has(name))
      throw forbidden(resource, name, 'this namespace may not be deleted')
    const asked = { operation: 'DELETE' as const, resource, namespace, name, object, old: object, context }
    await admission.admit(asked)
    await admission.validate(asked)
    const marked =
      isDefinition(resource) && object.metadata.deletionTimestamp === undefined ? markDefinition(entry.object, rest) : mark(entry, rest, resource, options)
    if (marked === 'unchanged') return { object, gone: false }
    if (marked === null) {
      if (await rest.removeNow(entry, context)) return { object, gone: true }
      continue
    }
    if (context.dryRun) return { object: { ...object, metadata: { ...marked.metadata } }, gone: false }
    const written = await rest.store.update(entry, marked, storedBytes(marked, resource, entry), context.signal)
    if (written === null) continue
    await prepareToRead([written.object], resource, context.signal)
    return { object: fromStorage(written.object, resource), gone: false }
  }
  throw modified(resource, name)
}

function checkPreconditions(object: KubeObject, resource: ApiResource, { uid, resourceVersion }: DeleteOptions): void {
  const name = object.metadata.name ?? ''
  if (uid !== undefined && uid !== object.metadata.uid) {
    const message = `the UID in the precondition (${uid}) does not match the UID in record (${object.metadata.uid ?? ''}). The object might have been deleted and then recreated`
    throw conflict({ group: resource.group, plural: resource.kind }, name, message)
  }
  if (resourceVersion !== undefined && resourceVersion !== object.metadata.resourceVersion)
    throw conflict(
      { group: resource.group, plural: resource.kind },
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${object.metadata.resourceVersion ?? ''}). The object might have been modified`,
    )
}

/** @returns the stored object marked as being deleted; null when it goes at once; 'unchanged' when it is marked already */
function mark(entry: Entry, rest: RestStore, resource: ApiResource, options: DeleteOptions): KubeObject | null | 'unchanged' {
  const { object } = entry
  const { metadata } = object
  const finalizers = new Set(metadata.finalizers ?? [])
  if (options.propagationPolicy !== undefined) {
    finalizers.delete('foregroundDeletion')
    finalizers.delete('orphan')
    if (options.propagationPolicy === 'Foreground') finalizers.add('foregroundDeletion')
    if (options.propagationPolicy === 'Orphan') finalizers.add('orphan')
  }
  const grace = graceSeconds(object, resource, options.gracePeriodSeconds)
  const namespaceContent = resource.group === '' && resource.plural === 'namespaces' && namespaceFinalizers(object).length > 0
  if (grace === 0 && finalizers.size === 0 && !namespaceContent) return null
  const known = metadata.deletionTimestamp !== undefined
  const sameFinalizers = finalizers.size === (metadata.finalizers ?? []).length && (metadata.finalizers ?? []).every((each) => finalizers.has(each))
  // A second delete can only shorten the time that is left.
  if (known && sameFinalizers && grace >= (metadata.deletionGracePeriodSeconds ?? 0)) return 'unchanged'
  const shortened = known ? Math.min(grace, metadata.deletionGracePeriodSeconds ?? 0) : grace
  const atMs = rest.nowMs() + shortened * 1000
  const { finalizers: _, ...kept } = metadata
  const result: KubeObject = {
    ...object,
    metadata: {
      ...kept,
      ...(finalizers.size === 0 ? {} : { finalizers: [...finalizers] }),
      deletionTimestamp:
        known && shortened === metadata.deletionGracePeriodSeconds ? (metadata.deletionTimestamp ?? '') : `${new Date(atMs).toISOString().slice(0, 19)}Z`,
      deletionGracePeriodSeconds: shortened,
      ...(metadata.generation === undefined ? {} : { generation: metadata.generation + (known ? 0 : 1) }),
    },
  }
  if (namespaceContent) result['status'] = { ...(isObject(object['status']) ? object['status'] : {}), phase: 'Terminating' }
  return result
}

function isDefinition({ group, plural }: ApiResource): boolean {
  return group === 'apiextensions.k8s.io' && plural === 'customresourcedefinitions'
}

/** A definition waits until its objects are gone, whatever the options say. */
function markDefinition(object: KubeObject, rest: RestStore): KubeObject {
  const { metadata } = object
  const finalizers = metadata.finalizers ?? []
  const status = isObject(object['status']) ? structuredClone(object['status']) : {}
  setCondition(status, {
    type: 'Terminating',
    status: 'True',
    lastTransitionTime: rest.now(),
    reason: 'InstanceDeletionPending',
    message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
  })
  return {
    ...object,
    metadata: {
      ...metadata,
      deletionTimestamp: rest.now(),
      finalizers: finalizers.includes(CLEANUP_FINALIZER) ? finalizers : [...finalizers, CLEANUP_FINALIZER],
    },
    status,
  }
}

function namespaceFinalizers(object: KubeObject): unknown[] {
  const spec = object['spec']
  return isObject(spec) && Array.isArray(spec['finalizers']) ? (spec['finalizers'] as unknown[]) : []
}

/** Only pods stop gracefully; one that runs nowhere or has ended needs no time. */
function graceSeconds(object: KubeObject, resource: ApiResource, asked: number | undefined): number {
  if (resource.group !== '' || resource.plural !== 'pods') return 0
  const spec = isObject(object['spec']) ? object['spec'] : {}
  const phase = isObject(object['status']) ? object['status']['phase'] : undefined
  if ((spec['nodeName'] ?? '') === '' || phase === 'Failed' || phase === 'Succeeded') return 0
  const own = typeof spec['terminationGracePeriodSeconds'] === 'number' ? spec['terminationGracePeriodSeconds'] : 30
  return Math.max(0, asked ?? own)
}

/** The Status that answers the delete of what has gone. */
export function deletedStatus(resource: ApiResource, object: KubeObject): Status {
  const { name = '', uid } = object.metadata
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural, ...(uid === undefined ? {} : { uid }) },
  }
}
