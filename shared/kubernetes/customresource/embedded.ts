import { canonicalize } from '../codec/canonical.ts'
import { isObject, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { builtinSchema } from '../schema/schema.ts'
import type { FieldError } from '../validation/fieldError.ts'
import { genericMetadataErrors } from '../validation/metadata.ts'
import { dns1035Errors, pathSegmentName } from '../validation/names.ts'
import { asResourceRoot, childPath, indexPath, isEmbedded, itemsOf, keyPath, propertyOf, valuesOf, type SchemaNode } from './schemaNode.ts'
import { invalidValue, requiredValue } from './shown.ts'

const METADATA = builtinSchema.struct('meta.ObjectMeta')

/** Metadata as Go decodes and encodes it, with the paths of what it does not know. @throws DecodeError with Go's message */
export function canonicalMetadata(metadata: unknown): { metadata: JsonObject; unknown: string[] } {
  if (METADATA === null) return { metadata: isObject(metadata) ? metadata : {}, unknown: [] }
  const { object, unknown } = canonicalize((isObject(metadata) ? metadata : {}) as unknown as KubeObject, METADATA)
  const { apiVersion: _, kind: __, ...rest } = object as JsonObject
  if (rest['creationTimestamp'] === null || rest['creationTimestamp'] === undefined) delete rest['creationTimestamp']
  return { metadata: rest, unknown }
}

/**
 * Brings metadata of embedded resources (and of the root) into Go's form, in place.
 *
 * @returns the first thing that is of a wrong type; what is unknown goes to `unknown`
 * @see k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta/algorithm.go
 */
export function coerceMetadata(
  value: unknown,
  schema: SchemaNode | undefined,
  options: { isResourceRoot: boolean; path?: string; unknown?: string[] },
): FieldError | null {
  return coerce(value, options.isResourceRoot ? asResourceRoot(schema) : schema, options.path ?? '', options.unknown ?? [])
}

function coerce(value: unknown, schema: SchemaNode | undefined, path: string, unknown: string[]): FieldError | null {
  if (schema === undefined) return null
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries()) {
      const error = coerce(each, itemsOf(schema), indexPath(path, index), unknown)
      if (error !== null) return error
    }
    return null
  }
  if (!isObject(value)) return null
  for (const key of Object.keys(value)) {
    if (isEmbedded(schema)) {
      const error = coerceMetaField(value, key, path, unknown)
      if (error !== null) return error
    }
    const property = propertyOf(schema, key)
    const inner = property ?? valuesOf(schema)
    const error = inner === undefined ? null : coerce(value[key], inner, property === undefined ? keyPath(path, key) : childPath(path, key), unknown)
    if (error !== null) return error
  }
  return null
}

function coerceMetaField(value: JsonObject, key: string, path: string, unknown: string[]): FieldError | null {
  if (key === 'apiVersion' || key === 'kind') return typeof value[key] === 'string' ? null : invalidValue(childPath(path, key), value[key], 'must be a string')
  if (key !== 'metadata') return null
  const sent = value['metadata']
  try {
    if (!isObject(sent) && sent !== null)
      throw new Error(`json: cannot unmarshal ${Array.isArray(sent) ? 'array' : typeof sent} into Go value of type v1.ObjectMeta`)
    const { metadata, unknown: found } = canonicalMetadata(sent)
    unknown.push(...found.map((each) => `${childPath(path, 'metadata')}.${each}`))
    value['metadata'] = metadata
    return null
  } catch (error) {
    return invalidValue(childPath(path, 'metadata'), sent, error instanceof Error ? error.message : String(error))
  }
}

/** What is wrong with apiVersion, kind and metadata of embedded resources. */
export function embeddedErrors(value: unknown, schema: SchemaNode | undefined, options: { isResourceRoot: boolean; path?: string }): FieldError[] {
  return errorsIn(value, options.isResourceRoot ? asResourceRoot(schema) : schema, options.path ?? '')
}

function errorsIn(value: unknown, schema: SchemaNode | undefined, path: string): FieldError[] {
  if (schema === undefined) return []
  if (Array.isArray(value)) return value.flatMap((each, index) => errorsIn(each, itemsOf(schema), indexPath(path, index)))
  if (!isObject(value)) return []
  const errors = isEmbedded(schema) ? resourceErrors(value, path) : []
  for (const [key, each] of Object.entries(value)) {
    const property = propertyOf(schema, key)
    if (property !== undefined) errors.push(...errorsIn(each, property, childPath(path, key)))
    else if (valuesOf(schema) !== undefined) errors.push(...errorsIn(each, valuesOf(schema), keyPath(path, key)))
  }
  return errors
}

function resourceErrors(value: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const name of ['apiVersion', 'kind'] as const) {
    const field = childPath(path, name)
    if (!Object.hasOwn(value, name)) errors.push(requiredValue(field))
    else if (typeof value[name] !== 'string') errors.push(invalidValue(field, value[name], 'must be a string'))
    else if (value[name] === '') errors.push(invalidValue(field, '', 'must not be empty'))
    else if (name === 'apiVersion' && value[name].split('/').length > 2)
      errors.push(invalidValue(field, value[name], `unexpected GroupVersion string: ${value[name]}`))
    else if (name === 'kind') {
      const found = dns1035Errors(value[name].toLowerCase())
      if (found.length > 0) errors.push(invalidValue(field, value[name], `may have mixed case, but should otherwise match: ${found.join(',')}`))
    }
  }
  const { metadata } = value
  if (!isObject(metadata)) return errors
  const name = typeof metadata['name'] === 'string' ? metadata['name'] : ''
  const named = { metadata: { ...metadata, name: name === '' ? 'fakename' : name } }
  const found = [...genericMetadataErrors(named, { namespaced: (metadata['namespace'] ?? '') !== '', name: pathSegmentName })]
  const prefix = childPath(path, 'metadata')
  errors.push(...found.map((each) => ({ ...each, field: each.field.replace(/^metadata/, prefix) })))
  return errors
}
