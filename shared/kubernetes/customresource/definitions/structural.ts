import { regexError } from '../../cel/functions/regex.ts'
import { deepEqual, isObject } from '../../json.ts'
import type { FieldError } from '../../validation/fieldError.ts'
import { fieldErrorBody } from '../../validation/fieldError.ts'
import {
  branchesOf,
  childPath,
  indexPath,
  isEmbedded,
  isIntOrString,
  itemsOf,
  keyPath,
  preserves,
  propertiesOf,
  propertyOf,
  typeOf,
  valuesOf,
  type SchemaNode,
} from '../schemaNode.ts'
import { forbiddenValue, invalidValue, requiredValue } from '../shown.ts'

type Level = 'root' | 'item' | 'field'

const INT_OR_STRING = [{ type: 'integer' }, { type: 'string' }]
const JUNCTORS = ['anyOf', 'allOf', 'oneOf'] as const

/** Names of properties in one order, where Go has none. */
const sortedProperties = (schema: SchemaNode): [string, SchemaNode][] =>
  Object.entries(propertiesOf(schema))
    .filter(([, property]) => isObject(property))
    .sort(([a], [b]) => (a < b ? -1 : 1))

/**
 * What keeps a schema from being structural.
 *
 * @see k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{validation,complete}.go
 */
export function structuralErrors(schema: SchemaNode, path: string): FieldError[] {
  const errors = [...invariants(schema, 'root', path), ...completeness(schema, schema, path, path)]
  const text = (error: FieldError): string => `${error.field}: ${fieldErrorBody(error)}`
  return errors.sort((a, b) => (text(a) < text(b) ? -1 : 1))
}

function* invariants(schema: SchemaNode, level: Level, path: string): Iterable<FieldError> {
  const type = typeOf(schema)
  const [items, values] = [itemsOf(schema), valuesOf(schema)]
  const metadata = propertyOf(schema, 'metadata')
  const embedded = isEmbedded(schema)
  if (type === 'array' && items === undefined) yield requiredValue(childPath(path, 'items'), 'must be specified')
  if (items !== undefined) yield* invariants(items, 'item', childPath(path, 'items'))
  for (const [name, property] of sortedProperties(schema)) yield* invariants(property, 'field', keyPath(childPath(path, 'properties'), name))
  if (schema['additionalProperties'] !== undefined && level === 'root')
    yield forbiddenValue(childPath(path, 'additionalProperties'), 'must not be used at the root')
  if (values !== undefined) yield* invariants(values, 'field', childPath(path, 'additionalProperties'))
  yield* extensions(schema, path)
  yield* valueValidation(schema, {
    skipAnyOf: deepEqual(schema['anyOf'], INT_OR_STRING),
    skipFirstAllOf: deepEqual(branchesOf(schema, 'allOf')[0]?.['anyOf'], INT_OR_STRING),
    path,
  })
  yield* typeErrors(schema, level, path)
  if (embedded && schema['additionalProperties'] !== undefined)
    yield forbiddenValue(childPath(path, 'additionalProperties'), 'must not be used if x-kubernetes-embedded-resource is set')
  if (level === 'root' && type !== '' && type !== 'object') yield invalidValue(childPath(path, 'type'), type, 'must be object at the root')
  const checked = level === 'root' || embedded
  for (const name of ['kind', 'apiVersion']) {
    const property = propertyOf(schema, name)
    if (checked && property !== undefined && typeOf(property) !== 'string')
      yield invalidValue(`${keyPath(childPath(path, 'properties'), name)}.type`, typeOf(property), 'must be string')
  }
  if (metadata !== undefined) yield* metadataErrors(metadata, checked, level, keyPath(childPath(path, 'properties'), 'metadata'))
  if (embedded && !preserves(schema) && Object.keys(propertiesOf(schema)).length === 0)
    yield requiredValue(
      childPath(path, 'properties'),
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
    )
}

function* typeErrors(schema: SchemaNode, level: Level, path: string): Iterable<FieldError> {
  const type = typeOf(schema)
  const field = childPath(path, 'type')
  if (isEmbedded(schema) && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true'
    yield type === '' ? requiredValue(field, detail) : invalidValue(field, type, detail)
  } else if (type === '' && !isIntOrString(schema) && !preserves(schema)) {
    const where = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' }[level]
    yield requiredValue(field, `must not be empty ${where}`)
  }
}

function* extensions(schema: SchemaNode, path: string): Iterable<FieldError> {
  if (!isIntOrString(schema)) return
  const detail = 'must be false if x-kubernetes-int-or-string is true'
  if (preserves(schema)) yield invalidValue(childPath(path, 'x-kubernetes-preserve-unknown-fields'), true, detail)
  if (isEmbedded(schema)) yield invalidValue(childPath(path, 'x-kubernetes-embedded-resource'), true, detail)
}

/** Metadata of the root is implicit: no more than its names can be restricted. */
function* metadataErrors(metadata: SchemaNode, checked: boolean, level: Level, path: string): Iterable<FieldError> {
  if (checked && typeOf(metadata) !== 'object') yield invalidValue(childPath(path, 'type'), typeOf(metadata), 'must be object')
  if (level !== 'root') return
  const { type: _, default: __, properties, ...rest } = metadata
  const names = Object.keys(isObject(properties) ? properties : {})
  if (Object.keys(rest).length > 0 || names.some((name) => name !== 'name' && name !== 'generateName'))
    yield forbiddenValue(path, 'must not specify anything other than name and generateName, but metadata is implicitly specified')
}

interface ValueRule {
  skipAnyOf: boolean
  skipFirstAllOf: boolean
  path: string
}

function* valueValidation(schema: SchemaNode, { skipAnyOf, skipFirstAllOf, path }: ValueRule): Iterable<FieldError> {
  for (const junctor of JUNCTORS) {
    if (junctor === 'anyOf' && skipAnyOf) continue
    for (const [index, branch] of branchesOf(schema, junctor).entries())
      yield* nested(branch, {
        skipAnyOf: junctor === 'allOf' && index === 0 && skipFirstAllOf,
        skipFirstAllOf: false,
        path: indexPath(childPath(path, junctor), index),
      })
  }
  if (isObject(schema['not'])) yield* nested(schema['not'], plain(childPath(path, 'not')))
  const { pattern } = schema
  if (typeof pattern !== 'string' || pattern === '') return
  const error = regexError(pattern)
  if (error !== null) yield invalidValue(childPath(path, 'pattern'), pattern, `must be a valid regular expression, but isn't: ${error}`)
}

const plain = (path: string): ValueRule => ({ skipAnyOf: false, skipFirstAllOf: false, path })

/** What must not stand under `anyOf` and its kin, with the words about it. */
const FORBIDDEN_NESTED: readonly (readonly [string, string])[] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
]

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  return value !== undefined && value !== null && value !== '' && value !== false
}

function* nested(schema: SchemaNode, rule: ValueRule): Iterable<FieldError> {
  const { path } = rule
  yield* valueValidation(schema, rule)
  const items = itemsOf(schema)
  if (items !== undefined) yield* nested(items, plain(childPath(path, 'items')))
  for (const [name, property] of sortedProperties(schema)) yield* nested(property, plain(keyPath(childPath(path, 'properties'), name)))
  for (const [name, detail] of FORBIDDEN_NESTED) {
    const value = schema[name]
    if (name === 'additionalProperties' ? value !== undefined : isSet(value)) yield forbiddenValue(childPath(path, name), detail)
  }
  if (propertyOf(schema, 'metadata') !== undefined)
    yield forbiddenValue(keyPath(childPath(path, 'properties'), 'metadata'), 'must not be specified in a nested context')
}

/** What value validations speak of must be in the structure too. */
function* completeness(validation: SchemaNode, structure: SchemaNode | undefined, path: string, from: string): Iterable<FieldError> {
  if (isObject(validation['not'])) yield* nestedCompleteness(validation['not'], structure, path, childPath(from, 'not'))
  for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const)
    for (const [index, branch] of branchesOf(validation, junctor).entries())
      yield* nestedCompleteness(branch, structure, path, indexPath(childPath(from, junctor), index))
}

function* nestedCompleteness(validation: SchemaNode, structure: SchemaNode | undefined, path: string, from: string): Iterable<FieldError> {
  if (structure === undefined) {
    yield requiredValue(path, `because it is defined in ${from}`)
    return
  }
  yield* completeness(validation, structure, path, from)
  const items = itemsOf(validation)
  if (items !== undefined) yield* nestedCompleteness(items, itemsOf(structure), childPath(path, 'items'), childPath(from, 'items'))
  for (const [name, property] of sortedProperties(validation))
    yield* nestedCompleteness(property, propertyOf(structure, name), keyPath(childPath(path, 'properties'), name), keyPath(childPath(from, 'properties'), name))
}
