import { isObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { forbidden, invalid, required, type FieldError } from './fieldError.ts'
import { labelValueErrors, nameErrors, qualifiedNameErrors } from './names.ts'

/** Upstream's limit of all annotations of an object together. */
const MAX_ANNOTATION_BYTES = 256 * 1024

export function labelErrors(labels: unknown, field: string): FieldError[] {
  if (!isObject(labels)) return []
  return Object.entries(labels).flatMap(([key, value]) => [
    ...qualifiedNameErrors(key).map((detail) => invalid(field, key, detail)),
    ...labelValueErrors(String(value)).map((detail) => invalid(field, value, detail)),
  ])
}

/** Errors of a new object's metadata; the name must be there already (generateName done). */
export function metadataErrors(object: KubeObject, namespaced: boolean): FieldError[] {
  const { metadata } = object
  const errors: FieldError[] = []
  const name = metadata.name ?? ''
  if (name === '') errors.push(required('metadata.name', 'name or generateName is required'))
  else errors.push(...nameErrors(object.kind ?? '', name).map((detail) => invalid('metadata.name', name, detail)))
  if (namespaced && (metadata.namespace ?? '') === '') errors.push(required('metadata.namespace'))
  if (!namespaced && (metadata.namespace ?? '') !== '') errors.push(forbidden('metadata.namespace', 'not allowed on this type'))
  errors.push(...labelErrors(metadata.labels, 'metadata.labels'))
  let bytes = 0
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    errors.push(...qualifiedNameErrors(key.toLowerCase()).map((detail) => invalid('metadata.annotations', key, detail)))
    bytes += key.length + value.length
  }
  if (bytes > MAX_ANNOTATION_BYTES)
    errors.push({ type: 'TooLong', field: 'metadata.annotations', value: '', detail: `may not be more than ${String(MAX_ANNOTATION_BYTES)} bytes` })
  for (const [index, owner] of (metadata.ownerReferences ?? []).entries()) {
    const field = `metadata.ownerReferences[${String(index)}]`
    if (owner.apiVersion === '') errors.push(invalid(`${field}.apiVersion`, '', 'version must not be empty'))
    if (owner.kind === '') errors.push(invalid(`${field}.kind`, '', 'must not be empty'))
    if (owner.name === '') errors.push(invalid(`${field}.name`, '', 'must not be empty'))
    if (owner.uid === '') errors.push(invalid(`${field}.uid`, '', 'must not be empty'))
  }
  if ((metadata.ownerReferences ?? []).filter((each) => each.controller === true).length > 1)
    errors.push(
      invalid(
        'metadata.ownerReferences',
        metadata.ownerReferences,
        'Only one reference can have Controller set to true. Found "true" in more than one reference',
      ),
    )
  return errors
}

/** Metadata that an update must leave alone. */
export function metadataUpdateErrors(before: KubeObject, after: KubeObject): FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const)
    if ((before.metadata[field] ?? '') !== (after.metadata[field] ?? '')) errors.push(invalid(`metadata.${field}`, after.metadata[field], 'field is immutable'))
  if (before.metadata.deletionTimestamp !== undefined) {
    const added = (after.metadata.finalizers ?? []).filter((each) => before.metadata.finalizers?.includes(each) !== true)
    if (added.length > 0)
      errors.push(
        forbidden('metadata.finalizers', `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`),
      )
  }
  return errors
}
