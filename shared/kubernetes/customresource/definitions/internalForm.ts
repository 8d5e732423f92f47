import { isObject } from '../../json.ts'
import type { SchemaNode } from '../schemaNode.ts'

/** Fields of upstream's internal JSONSchemaProps in their order, with the name in v1 and the empty value. */
const SCHEMA_FIELDS: readonly (readonly [go: string, json: string, empty: unknown])[] = [
  ['ID', 'id', ''],
  ['Schema', '$schema', ''],
  ['Ref', '$ref', null],
  ['Description', 'description', ''],
  ['Type', 'type', ''],
  ['Nullable', 'nullable', false],
  ['Format', 'format', ''],
  ['Title', 'title', ''],
  ['Default', 'default', null],
  ['Maximum', 'maximum', null],
  ['ExclusiveMaximum', 'exclusiveMaximum', false],
  ['Minimum', 'minimum', null],
  ['ExclusiveMinimum', 'exclusiveMinimum', false],
  ['MaxLength', 'maxLength', null],
  ['MinLength', 'minLength', null],
  ['Pattern', 'pattern', ''],
  ['MaxItems', 'maxItems', null],
  ['MinItems', 'minItems', null],
  ['UniqueItems', 'uniqueItems', false],
  ['MultipleOf', 'multipleOf', null],
  ['Enum', 'enum', null],
  ['MaxProperties', 'maxProperties', null],
  ['MinProperties', 'minProperties', null],
  ['Required', 'required', null],
  ['Items', 'items', null],
  ['AllOf', 'allOf', null],
  ['OneOf', 'oneOf', null],
  ['AnyOf', 'anyOf', null],
  ['Not', 'not', null],
  ['Properties', 'properties', null],
  ['AdditionalProperties', 'additionalProperties', null],
  ['PatternProperties', 'patternProperties', null],
  ['Dependencies', 'dependencies', null],
  ['AdditionalItems', 'additionalItems', null],
  ['Definitions', 'definitions', null],
  ['ExternalDocs', 'externalDocs', null],
  ['Example', 'example', null],
  ['XPreserveUnknownFields', 'x-kubernetes-preserve-unknown-fields', null],
  ['XEmbeddedResource', 'x-kubernetes-embedded-resource', false],
  ['XIntOrString', 'x-kubernetes-int-or-string', false],
  ['XListMapKeys', 'x-kubernetes-list-map-keys', null],
  ['XListType', 'x-kubernetes-list-type', null],
  ['XMapType', 'x-kubernetes-map-type', null],
  ['XValidations', 'x-kubernetes-validations', null],
]

const SCHEMA_MAPS = new Set(['properties', 'patternProperties', 'definitions'])
const SCHEMA_LISTS = new Set(['allOf', 'oneOf', 'anyOf'])

/** Names of the fields of a schema that are set, as upstream's internal type has them, in its order. */
export function setFields(schema: SchemaNode): string[] {
  return SCHEMA_FIELDS.filter(([, json, empty]) => {
    const value = schema[json]
    if (value === undefined || value === null || value === empty) return false
    return !(Array.isArray(value) && value.length === 0 && json !== 'required')
  }).map(([go]) => go)
}

/** A schema as upstream's internal type is told in errors. */
export function internalSchema(schema: SchemaNode): unknown {
  return Object.fromEntries(SCHEMA_FIELDS.map(([go, json, empty]) => [go, internalField(json, schema[json] ?? empty)]))
}

function internalField(name: string, value: unknown): unknown {
  if (name === 'x-kubernetes-validations') return Array.isArray(value) ? value.filter(isObject).map(internalRule) : null
  if (name === 'items') return isObject(value) ? { Schema: internalSchema(value), JSONSchemas: null } : null
  if (name === 'additionalProperties' || name === 'additionalItems') {
    if (typeof value === 'boolean') return { Allows: value, Schema: null }
    return isObject(value) ? { Allows: true, Schema: internalSchema(value) } : null
  }
  if (name === 'not') return isObject(value) ? internalSchema(value) : null
  if (SCHEMA_LISTS.has(name)) return Array.isArray(value) ? value.filter(isObject).map(internalSchema) : null
  if (SCHEMA_MAPS.has(name) && isObject(value))
    return Object.fromEntries(
      Object.keys(value)
        .sort()
        .map((key) => [key, isObject(value[key]) ? internalSchema(value[key]) : value[key]]),
    )
  return value
}

/** A rule as upstream's internal type is told in errors. */
export function internalRule(rule: SchemaNode): unknown {
  return {
    Rule: rule['rule'] ?? '',
    Message: rule['message'] ?? '',
    MessageExpression: rule['messageExpression'] ?? '',
    Reason: rule['reason'] ?? null,
    FieldPath: rule['fieldPath'] ?? '',
    OptionalOldSelf: rule['optionalOldSelf'] ?? null,
  }
}

/** JSON of a Go struct: in the order of its fields, with Go's escapes. */
export function structText(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
