import { isObject, type JsonObject } from '../json.ts'

/** A JSONSchemaProps of a CustomResourceDefinition, as JSON. */
export type SchemaNode = Readonly<JsonObject>

export function propertiesOf(schema: SchemaNode): Readonly<Record<string, SchemaNode>> {
  return isObject(schema['properties']) ? (schema['properties'] as Record<string, SchemaNode>) : {}
}

/** The schema of one property, and of nothing the object's prototype has. */
export function propertyOf(schema: SchemaNode, name: string): SchemaNode | undefined {
  const properties = propertiesOf(schema)
  const found = Object.hasOwn(properties, name) ? properties[name] : undefined
  return isObject(found) ? found : undefined
}

export function itemsOf(schema: SchemaNode): SchemaNode | undefined {
  return isObject(schema['items']) ? schema['items'] : undefined
}

/** The schema of a map's values; undefined when there is none, or when `additionalProperties` is a boolean. */
export function valuesOf(schema: SchemaNode): SchemaNode | undefined {
  return isObject(schema['additionalProperties']) ? schema['additionalProperties'] : undefined
}

/** Whether keys that are no properties are kept: by a schema, or by `true`. */
export function allowsOthers(schema: SchemaNode): boolean {
  const { additionalProperties } = schema
  return isObject(additionalProperties) || additionalProperties === true
}

export function branchesOf(schema: SchemaNode, name: 'allOf' | 'anyOf' | 'oneOf'): SchemaNode[] {
  const branches = schema[name]
  return Array.isArray(branches) ? branches.filter(isObject) : []
}

export function typeOf(schema: SchemaNode): string {
  return typeof schema['type'] === 'string' ? schema['type'] : ''
}

export const preserves = (schema: SchemaNode): boolean => schema['x-kubernetes-preserve-unknown-fields'] === true
export const isEmbedded = (schema: SchemaNode): boolean => schema['x-kubernetes-embedded-resource'] === true
export const isIntOrString = (schema: SchemaNode): boolean => schema['x-kubernetes-int-or-string'] === true
export const isNullable = (schema: SchemaNode): boolean => schema['nullable'] === true

export function listTypeOf(schema: SchemaNode): string | undefined {
  return typeof schema['x-kubernetes-list-type'] === 'string' ? schema['x-kubernetes-list-type'] : undefined
}

export function listMapKeysOf(schema: SchemaNode): string[] {
  const keys = schema['x-kubernetes-list-map-keys']
  return Array.isArray(keys) ? keys.map(String) : []
}

/** One `x-kubernetes-validations` entry. */
export interface Rule {
  rule: string
  message?: string
  messageExpression?: string
  reason?: string
  fieldPath?: string
  optionalOldSelf?: boolean
}

export function rulesOf(schema: SchemaNode): Rule[] {
  const rules = schema['x-kubernetes-validations']
  return Array.isArray(rules) ? (rules.filter(isObject) as unknown as Rule[]) : []
}

export const META_FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

/** A resource's root is an embedded resource whatever its schema says. */
export function asResourceRoot(schema: SchemaNode | undefined): SchemaNode {
  if (schema === undefined) return { 'x-kubernetes-embedded-resource': true }
  return isEmbedded(schema) ? schema : { ...schema, 'x-kubernetes-embedded-resource': true }
}

/** `spec.items[0]["k"]`: Go's field.Path as text; '' is the nil path. */
export const childPath = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)
export const keyPath = (path: string, key: string): string => `${path}[${key}]`
export const indexPath = (path: string, index: number): string => `${path}[${String(index)}]`
