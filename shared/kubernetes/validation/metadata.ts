import { deepEqual, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { forbidden, invalid, required, tooLong, typed, withGoText, type FieldError } from './fieldError.ts'
import { isLabelValue, isQualifiedName, labelName, labelValueErrors, pathSegmentName, qualifiedNameErrors, type NameRule } from './names.ts'
import { byteLength, entries, has, number, object, objects, text, texts } from './values.ts'

/** Upstream's limit of all annotations of an object together. */
const MAX_ANNOTATION_BYTES = 256 * 1024
const MAX_MANAGER_BYTES = 128
/** A text is no longer in UTF-8 than so many times its length. */
const MAX_BYTES_PER_UNIT = 3
export const IMMUTABLE = 'field is immutable'
const STANDARD_FINALIZERS = new Set(['kubernetes', 'orphan', 'foregroundDeletion'])

export function* labelNameErrors(name: string, field: string): Iterable<FieldError> {
  for (const detail of qualifiedNameErrors(name)) yield invalid(field, name, detail)
}

export function* labelErrors(labels: unknown, field: string): Iterable<FieldError> {
  if (!has(labels) || Object.entries(object(labels)).every(([key, value]) => isQualifiedName(key) && isLabelValue(text(value)))) return
  for (const [key, value] of entries(labels)) {
    yield* labelNameErrors(key, field)
    for (const detail of labelValueErrors(value)) yield invalid(field, value, detail)
  }
}

export function* annotationErrors(annotations: unknown, field: string): Iterable<FieldError> {
  if (!has(annotations) || areFine(object(annotations))) return
  let bytes = 0
  for (const [key, value] of entries(annotations)) {
    for (const detail of qualifiedNameErrors(key.toLowerCase())) yield invalid(field, key, detail)
    bytes += byteLength(key) + byteLength(value)
  }
  if (bytes > MAX_ANNOTATION_BYTES) yield tooLong(field, MAX_ANNOTATION_BYTES)
}

/** Whether nothing is to be said of annotations, by what is quick to find out. */
function areFine(annotations: JsonObject): boolean {
  let length = 0
  for (const key of Object.keys(annotations)) {
    if (!isQualifiedName(key.toLowerCase())) return false
    length += key.length + text(annotations[key]).length
  }
  return length * MAX_BYTES_PER_UNIT <= MAX_ANNOTATION_BYTES
}

function* ownerErrors(owners: JsonObject[], field: string): Iterable<FieldError> {
  let controller = ''
  for (const owner of owners) {
    const apiVersion = text(owner['apiVersion'])
    const version = apiVersion.split('/').at(-1) ?? ''
    if (version === '' || apiVersion.split('/').length > 2) yield invalid(`${field}.apiVersion`, apiVersion, 'version must not be empty')
    if (text(owner['kind']) === '') yield invalid(`${field}.kind`, '', 'kind must not be empty')
    if (text(owner['name']) === '') yield invalid(`${field}.name`, '', 'name must not be empty')
    if (text(owner['uid']) === '') yield invalid(`${field}.uid`, '', 'uid must not be empty')
    if (apiVersion === 'v1' && owner['kind'] === 'Event')
      yield invalid(field, typed('meta.OwnerReference', owner), '/v1, Kind=Event is disallowed from being an owner')
    if (owner['controller'] !== true) continue
    const name = text(owner['name'])
    if (controller === '') controller = name
    else
      yield invalid(
        field,
        typed('[]meta.OwnerReference', owners),
        `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`,
      )
  }
}

function* finalizerErrors(finalizers: string[], field: string): Iterable<FieldError> {
  for (const finalizer of finalizers) for (const detail of qualifiedNameErrors(finalizer)) yield invalid(field, finalizer, detail)
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion'))
    yield invalid(field, typed('[]string', finalizers), 'finalizer orphan and foregroundDeletion cannot be both set')
}

/** Finalizers without a domain must be Kubernetes' own; core's kinds check it. */
export function* kubeFinalizerErrors(finalizer: string, field: string): Iterable<FieldError> {
  if (!finalizer.includes('/') && !STANDARD_FINALIZERS.has(finalizer))
    yield invalid(field, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')
}

/** Finalizers of a namespace's spec. */
export function* namespaceFinalizerErrors(finalizer: string, field: string): Iterable<FieldError> {
  for (const detail of qualifiedNameErrors(finalizer)) yield invalid(field, finalizer, detail)
  yield* kubeFinalizerErrors(finalizer, field)
}

export function* fieldManagerErrors(manager: string, field: string): Iterable<FieldError> {
  if (manager.length <= MAX_MANAGER_BYTES && /^[\x20-\x7e]*$/.test(manager)) return
  if (byteLength(manager) > MAX_MANAGER_BYTES) yield tooLong(field, MAX_MANAGER_BYTES)
  let at = 0
  for (const character of manager) {
    const code = character.codePointAt(0) ?? 0
    // Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the plain blank.
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character))
      yield invalid(field, manager, `invalid character U+${code.toString(16).toUpperCase().padStart(4, '0')} (at position ${String(at)})`)
    at += byteLength(character)
  }
}

function* managedFieldsErrors(managed: JsonObject[], field: string): Iterable<FieldError> {
  for (const entry of managed) {
    const operation = text(entry['operation'])
    if (operation !== 'Apply' && operation !== 'Update') yield invalid(`${field}.operation`, operation, 'must be `Apply` or `Update`')
    const type = text(entry['fieldsType'])
    if (type !== '' && type !== 'FieldsV1') yield invalid(`${field}.fieldsType`, type, 'must be `FieldsV1`')
  }
}

export interface Scope {
  namespaced: boolean
  name: NameRule
}

/** Errors of any object's metadata; the name must be there already (generateName done). */
export function* genericMetadataErrors({ metadata }: KubeObject, { namespaced, name: rule }: Scope): Iterable<FieldError> {
  const name = text(metadata.name)
  const generateName = text(metadata.generateName)
  const namespace = text(metadata.namespace)
  if (generateName !== '') for (const detail of rule(generateName, true)) yield invalid('metadata.generateName', generateName, detail)
  if (name === '') yield required('metadata.name', 'name or generateName is required')
  else for (const detail of rule(name, false)) yield invalid('metadata.name', name, detail)
  if (namespaced) {
    if (namespace === '') yield required('metadata.namespace')
    else for (const detail of labelName(namespace, false)) yield invalid('metadata.namespace', namespace, detail)
  } else if (namespace !== '') yield forbidden('metadata.namespace', 'not allowed on this type')
  const managed = objects(metadata.managedFields)
  for (const entry of managed) yield* fieldManagerErrors(text(entry['manager']), 'metadata.fieldManager')
  if (number(metadata.generation) < 0) yield invalid('metadata.generation', metadata.generation, 'must be greater than or equal to 0')
  yield* labelErrors(metadata.labels, 'metadata.labels')
  yield* annotationErrors(metadata.annotations, 'metadata.annotations')
  yield* ownerErrors(objects(metadata.ownerReferences), 'metadata.ownerReferences')
  yield* finalizerErrors(texts(metadata.finalizers), 'metadata.finalizers')
  yield* managedFieldsErrors(managed, 'metadata.managedFields')
}

/** The same with what core's validation adds; most kinds use it. */
export function* metadataErrors(kubeObject: KubeObject, scope: Scope): Iterable<FieldError> {
  yield* genericMetadataErrors(kubeObject, scope)
  yield* coreFinalizerErrors(kubeObject)
}

function* coreFinalizerErrors({ metadata }: KubeObject): Iterable<FieldError> {
  for (const [index, finalizer] of texts(metadata.finalizers).entries()) yield* kubeFinalizerErrors(finalizer, `metadata.finalizers[${String(index)}]`)
}

/** Go's text of a metav1.Time value in an error. */
function shownTime(value: unknown): unknown {
  return typeof value === 'string' ? withGoText(value, `${value.replace('T', ' ').replace('Z', '')} +0000 UTC`) : value
}

/** Metadata that an update must leave alone. */
export function* genericMetadataUpdateErrors(after: KubeObject, before: KubeObject): Iterable<FieldError> {
  const [now, was] = [after.metadata, before.metadata]
  if (was.deletionTimestamp !== undefined) {
    const extra = [...new Set(texts(now.finalizers))].filter((each) => !texts(was.finalizers).includes(each)).sort()
    if (extra.length > 0)
      yield forbidden(
        'metadata.finalizers',
        `no new finalizers can be added if the object is being deleted, found new finalizers []string{${extra.map((each) => JSON.stringify(each)).join(', ')}}`,
      )
  }
  if (text(now.resourceVersion) === '') yield invalid('metadata.resourceVersion', '', 'must be specified for an update')
  if (number(now.generation) < number(was.generation)) yield invalid('metadata.generation', now.generation ?? 0, 'must not be decremented')
  for (const entry of objects(now.managedFields)) yield* fieldManagerErrors(text(entry['manager']), 'metadata.fieldManager')
  for (const field of ['name', 'namespace', 'uid'] as const)
    if (text(now[field]) !== text(was[field])) yield invalid(`metadata.${field}`, text(now[field]), IMMUTABLE)
  for (const field of ['creationTimestamp', 'deletionTimestamp'] as const)
    if (text(now[field]) !== text(was[field])) yield invalid(`metadata.${field}`, shownTime(now[field]), IMMUTABLE)
  if (!deepEqual(now.deletionGracePeriodSeconds, was.deletionGracePeriodSeconds))
    yield invalid('metadata.deletionGracePeriodSeconds', now.deletionGracePeriodSeconds, IMMUTABLE)
  yield* labelErrors(now.labels, 'metadata.labels')
  yield* annotationErrors(now.annotations, 'metadata.annotations')
  yield* ownerErrors(objects(now.ownerReferences), 'metadata.ownerReferences')
  yield* managedFieldsErrors(objects(now.managedFields), 'metadata.managedFields')
}

export function* metadataUpdateErrors(after: KubeObject, before: KubeObject): Iterable<FieldError> {
  yield* genericMetadataUpdateErrors(after, before)
  yield* coreFinalizerErrors(after)
}

/** What the registry checks of every object, whatever its kind's own rules are. */
export function* commonUpdateErrors(after: KubeObject, before: KubeObject, namespaced: boolean): Iterable<FieldError> {
  yield* genericMetadataErrors(after, { namespaced, name: pathSegmentName })
  yield* genericMetadataUpdateErrors(after, before)
}

/** A field that never changes; `undefined`, empty lists and maps are one value. */
export function* immutable(now: unknown, was: unknown, field: string, type?: string): Iterable<FieldError> {
  if (!sameValue(now, was)) yield invalid(field, type === undefined ? now : typed(type, now), IMMUTABLE)
}

/** Go's semantic equality: a nil list or map is as good as an empty one, and absent is null. */
export function sameValue(a: unknown, b: unknown): boolean {
  return deepEqual(a ?? null, b ?? null) || (isEmpty(a) && isEmpty(b))
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) ? value.length === 0 : typeof value === 'object' && Object.keys(value).length === 0)
}

/** metadata.labels of an object or a template. */
export function labelsOf(holder: unknown): Record<string, string> {
  return Object.fromEntries(entries(object(object(holder)['metadata'])['labels']))
}
