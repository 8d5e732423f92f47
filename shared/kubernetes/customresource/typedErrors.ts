import { isObject, type JsonObject } from '../json.ts'
import { builtinSchema, type StructType, type TypeRef } from '../schema/schema.ts'
import { pathShown } from './shown.ts'
import { isEmbedded, isIntOrString, itemsOf, listMapKeysOf, listTypeOf, preserves, propertiesOf, typeOf, valuesOf, type SchemaNode } from './schemaNode.ts'

/** Where and why a value cannot be taken as its type, as structured-merge-diff says it. */
export interface TypedError {
  path: string
  message: string
}

/** All errors as one text: one alone, or a list. */
export function typedErrorsText(errors: readonly TypedError[]): string {
  const texts = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  return texts.length === 1 ? (texts[0] ?? '') : ['errors:', ...texts.map((text) => `  ${text}`)].join('\n')
}

/**
 * Errors of an applied configuration: unlike in other writes, fields that the schema does not have and values of another type
 * stop it before anything is pruned.
 *
 * @see sigs.k8s.io/structured-merge-diff/v6/typed/validate.go
 */
export function typedErrors(object: JsonObject, schema: SchemaNode): TypedError[] {
  return objectErrors(object, asResource(schema), '')
}

/** Whether the fields of an object can be owned at all: duplicates are let pass here. */
export function isTyped(object: JsonObject, schema: SchemaNode): boolean {
  return typedErrors(object, schema).every(({ message }) => message.startsWith('duplicate entries'))
}

const METADATA = 'x-drydock-object-meta'

/** A resource's schema with what the server adds to it. */
function asResource(schema: SchemaNode): SchemaNode {
  return {
    ...schema,
    type: 'object',
    properties: { ...propertiesOf(schema), apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object', [METADATA]: true } },
  }
}

function errorsOf(value: unknown, schema: SchemaNode, path: string): TypedError[] {
  if (value === null || value === undefined) return []
  if (schema[METADATA] === true) {
    const struct = builtinSchema.struct('meta.ObjectMeta')
    return struct === null ? [] : structErrors(value, struct, path)
  }
  if (isEmbedded(schema)) return objectErrors(value, asResource(schema), path)
  // Its schema names no type, so that it may be a map or a list as far as ownership goes.
  if (isIntOrString(schema)) return []
  switch (typeOf(schema)) {
    case 'object':
      return objectErrors(value, schema, path)
    case 'array':
      return listErrors(value, schema, path)
    case 'string':
      // A text with a format may be any scalar here. @see kube-openapi pkg/schemaconv convertPrimitive
      if (!['', 'byte'].includes(typeof schema['format'] === 'string' ? schema['format'] : ''))
        return typeof value === 'object' ? [{ path, message: `expected any scalar, got ${goValue(value)}` }] : []
      return typeof value === 'string' ? [] : [{ path, message: `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}` }]
    case 'boolean':
      return typeof value === 'boolean' ? [] : [{ path, message: `expected boolean, got ${goValue(value)}` }]
    case 'integer':
    case 'number':
      return typeof value === 'number' ? [] : [{ path, message: `expected numeric (int or float), got ${goType(value)}` }]
    default:
      return []
  }
}

function objectErrors(value: unknown, schema: SchemaNode, path: string): TypedError[] {
  if (!isObject(value)) return [{ path, message: `expected map, got ${goValue(value)}` }]
  const properties = propertiesOf(schema)
  const values = valuesOf(schema)
  const open =
    preserves(schema) || schema['additionalProperties'] === true || (schema['additionalProperties'] === undefined && Object.keys(properties).length === 0)
  return Object.keys(value)
    .sort()
    .flatMap((key) => {
      const at = `${path}.${key}`
      if (Object.hasOwn(properties, key)) return errorsOf(value[key], properties[key] ?? {}, at)
      if (values !== undefined) return errorsOf(value[key], values, at)
      return open ? [] : [{ path: at, message: 'field not declared in schema' }]
    })
}

function listErrors(value: unknown, schema: SchemaNode, path: string): TypedError[] {
  if (!Array.isArray(value)) return [{ path, message: `expected list, got ${goValue(value)}` }]
  const items = itemsOf(schema) ?? {}
  const listType = listTypeOf(schema)
  const seen = new Set<string>()
  const errors: TypedError[] = []
  for (const [index, item] of value.entries()) {
    let element = `[${String(index)}]`
    if (listType === 'map' || listType === 'set') {
      const found = listType === 'map' ? keyedElement(item, items, listMapKeysOf(schema)) : setElement(item)
      if ('error' in found) return [...errors, { path, message: `element ${String(index)}: ${found.error}` }]
      element = found.element
      if (seen.has(element)) errors.push({ path, message: `duplicate entries for key ${element}` })
      seen.add(element)
    }
    errors.push(...errorsOf(item, items, `${path}${element}`))
  }
  return errors
}

type Element = { element: string } | { error: string }

function keyedElement(item: unknown, items: SchemaNode, keys: readonly string[]): Element {
  if (item === null) return { error: 'associative list with keys may not have a null element' }
  if (!isObject(item)) return { error: 'associative list with keys may not have non-map elements' }
  const parts: string[] = []
  for (const key of [...keys].sort()) {
    const value = Object.hasOwn(item, key) ? item[key] : propertiesOf(items)[key]?.['default']
    if (value !== undefined) parts.push(`${key}=${pathShown(value)}`)
  }
  if (parts.length === 0)
    return {
      error: `associative list with keys has an element that omits all key fields [${keys.map((key) => JSON.stringify(key)).join(' ')}] (and doesn't have default values for any key fields)`,
    }
  return { element: `[${parts.join(',')}]` }
}

function setElement(item: unknown): Element {
  if (item === null) return { error: "associative list without keys has an element that's an explicit null" }
  if (Array.isArray(item)) return { error: 'not supported: associative list with lists as elements' }
  if (isObject(item)) return { error: "associative list without keys has an element that's a map type" }
  return { element: `[=${pathShown(item)}]` }
}

function structErrors(value: unknown, struct: StructType, path: string): TypedError[] {
  if (!isObject(value)) return [{ path, message: `expected map, got ${goValue(value)}` }]
  return Object.keys(value)
    .sort()
    .flatMap((key) => {
      const field = struct.fields.get(key)
      return field === undefined ? [{ path: `${path}.${key}`, message: 'field not declared in schema' }] : refErrors(value[key], field.type, `${path}.${key}`)
    })
}

function refErrors(value: unknown, type: TypeRef, path: string): TypedError[] {
  if (value === null || value === undefined) return []
  switch (type.kind) {
    case 'struct': {
      const struct = builtinSchema.struct(type.name)
      return struct === null ? [] : structErrors(value, struct, path)
    }
    case 'list':
      if (!Array.isArray(value)) return [{ path, message: `expected list, got ${goValue(value)}` }]
      return value.flatMap((item, index) => refErrors(item, type.of, `${path}[${String(index)}]`))
    case 'map':
      if (!isObject(value)) return [{ path, message: `expected map, got ${goValue(value)}` }]
      return Object.keys(value).flatMap((key) => refErrors(value[key], type.of, `${path}.${key}`))
    default:
      if (['string', 'time', 'microtime'].includes(type.scalar))
        return typeof value === 'string' ? [] : [{ path, message: `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}` }]
      if (type.scalar === 'bool') return typeof value === 'boolean' ? [] : [{ path, message: `expected boolean, got ${goValue(value)}` }]
      if (type.scalar === 'int32' || type.scalar === 'int64')
        return typeof value === 'number' ? [] : [{ path, message: `expected numeric (int or float), got ${goType(value)}` }]
      return []
  }
}

/** Go's `%v` of the library's value. */
function goValue(value: unknown): string {
  return `&{${goPlain(value)}}`
}

function goPlain(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(goPlain).join(' ')}]`
  if (isObject(value))
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${goPlain(value[key])}`)
      .join(' ')}]`
  return String(value)
}

/** Go's `%#v`. */
function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)'
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`
  if (isObject(value))
    return `map[string]interface {}{${Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${goSyntax(value[key])}`)
      .join(', ')}}`
  return String(value)
}

function goType(value: unknown): string {
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'string') return 'string'
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}'
}
