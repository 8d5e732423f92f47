import { deepCopy, isObject, setOwn, type JsonObject } from '../json.ts'
import { allowsOthers, asResourceRoot, isEmbedded, isNullable, itemsOf, META_FIELDS, preserves, propertyOf, valuesOf, type SchemaNode } from './schemaNode.ts'

/** Paths of fields that were dropped, as strict decoding names them: `spec.bogus`, `spec.items[0].x`. */
export type UnknownFields = string[]

const at = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)

/**
 * Drops what the schema does not have, in place; metadata of the root and of embedded resources is left alone.
 *
 * @see k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning/algorithm.go
 */
export function prune(value: unknown, schema: SchemaNode | undefined, options: { isResourceRoot: boolean; unknown?: UnknownFields }): void {
  pruneValue(value, options.isResourceRoot ? asResourceRoot(schema) : schema, '', options.unknown ?? [])
}

function pruneValue(value: unknown, schema: SchemaNode | undefined, path: string, unknown: UnknownFields): void {
  if (schema !== undefined && preserves(schema)) {
    keepUnknown(value, schema, path, unknown)
    return
  }
  if (Array.isArray(value)) {
    const items = schema === undefined ? undefined : itemsOf(schema)
    for (const [index, each] of value.entries()) pruneValue(each, items, `${path}[${String(index)}]`, unknown)
    return
  }
  if (!isObject(value)) return
  for (const key of Object.keys(value)) {
    if (schema !== undefined && isEmbedded(schema) && META_FIELDS.has(key)) continue
    const property = schema === undefined ? undefined : propertyOf(schema, key)
    if (property !== undefined) pruneValue(value[key], property, at(path, key), unknown)
    else if (schema !== undefined && allowsOthers(schema)) pruneValue(value[key], valuesOf(schema), at(path, key), unknown)
    else {
      if (schema === undefined || !META_FIELDS.has(key) || path !== '') unknown.push(at(path, key))
      Reflect.deleteProperty(value, key)
    }
  }
}

/** Below `x-kubernetes-preserve-unknown-fields` only what the schema does describe is looked into. */
function keepUnknown(value: unknown, schema: SchemaNode | undefined, path: string, unknown: UnknownFields): void {
  if (schema === undefined) return
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries()) keepUnknown(each, itemsOf(schema), `${path}[${String(index)}]`, unknown)
    return
  }
  if (!isObject(value)) return
  for (const key of Object.keys(value)) {
    if (isEmbedded(schema) && META_FIELDS.has(key)) continue
    const property = propertyOf(schema, key)
    if (property !== undefined) pruneValue(value[key], property, at(path, key), unknown)
    else if (allowsOthers(schema)) pruneValue(value[key], valuesOf(schema), at(path, key), unknown)
  }
}

const hasDefault = (schema: SchemaNode): boolean => schema['default'] !== undefined && schema['default'] !== null

/** The schema that applies to a key of an object. */
function schemaOf(schema: SchemaNode | undefined, key: string): SchemaNode | undefined {
  return schema === undefined ? undefined : (propertyOf(schema, key) ?? valuesOf(schema))
}

/** Drops nulls that may not be null and have no default, in place. */
export function pruneNulls(value: unknown, schema: SchemaNode | undefined): void {
  if (Array.isArray(value)) {
    for (const each of value) pruneNulls(each, schema === undefined ? undefined : itemsOf(schema))
    return
  }
  if (!isObject(value)) return
  for (const key of Object.keys(value)) {
    const inner = schemaOf(schema, key)
    if (value[key] === null && inner !== undefined && !isNullable(inner) && !hasDefault(inner)) Reflect.deleteProperty(value, key)
    else pruneNulls(value[key], inner)
  }
}

/** Fills in defaults, in place; a null that may not be null counts as absent. */
export function applySchemaDefaults(value: unknown, schema: SchemaNode | undefined): void {
  if (schema === undefined) return
  const standsFor = (each: unknown, inner: SchemaNode): boolean => each === null && !isNullable(inner)
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    for (const [index, each] of value.entries()) {
      if (items !== undefined && standsFor(each, items)) value[index] = deepCopy(items['default'] ?? null)
      applySchemaDefaults(value[index], items)
    }
    return
  }
  if (!isObject(value)) return
  const properties = isObject(schema['properties']) ? (schema['properties'] as JsonObject) : {}
  for (const [key, property] of Object.entries(properties)) {
    if (!isObject(property) || !hasDefault(property)) continue
    if (!Object.hasOwn(value, key) || standsFor(value[key], property)) setOwn(value, key, deepCopy(property['default']))
  }
  for (const key of Object.keys(value)) {
    const property = propertyOf(schema, key)
    if (property !== undefined) {
      applySchemaDefaults(value[key], property)
      continue
    }
    const values = valuesOf(schema)
    if (values === undefined) continue
    if (standsFor(value[key], values)) setOwn(value, key, deepCopy(values['default'] ?? null))
    applySchemaDefaults(value[key], values)
  }
}
