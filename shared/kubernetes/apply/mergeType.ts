import { isObject } from '../json.ts'
import { builtinSchema, type Field, type StructType, type TypeRef } from '../schema/schema.ts'

/** How apply sees a value: one unit, an object whose members are owned one by one, a list with keys, or a set. */
export type MergeType =
  | { kind: 'leaf'; /** Of a list that is one unit, and whose items must be of their type nevertheless. */ items?: MergeType }
  | { kind: 'object'; member(name: string): MergeType; /** Whether the name is a declared field and no free key. */ named(name: string): boolean }
  | { kind: 'keyed'; keys: readonly string[]; /** Values of absent keys. */ defaults: Readonly<Record<string, unknown>>; item: MergeType }
  | { kind: 'set' }

const LEAF_TYPE: MergeType = { kind: 'leaf' }

/** Values of no known schema: objects by member, lists as a unit. */
export const UNTYPED: MergeType = { kind: 'object', member: () => UNTYPED, named: () => false }

/** The structs that were units from the first; the others became so in 1.21. */
const EARLY_ATOMIC = new Set(['meta.LabelSelector'])

/**
 * The merge type of a built-in struct.
 *
 * @param early before 1.21, when selectors and references were owned field by field
 */
export function structMergeType(struct: StructType, early = false): MergeType {
  if (struct.atomic && (!early || EARLY_ATOMIC.has(struct.name))) return LEAF_TYPE
  const members = new Map<string, MergeType>()
  return {
    kind: 'object',
    named: (name) => struct.fields.has(name),
    member: (name) => {
      const known = members.get(name)
      if (known !== undefined) return known
      const field = struct.fields.get(name)
      const type = field === undefined ? (struct.typed && (name === 'apiVersion' || name === 'kind') ? LEAF_TYPE : UNTYPED) : fieldMergeType(field, early)
      members.set(name, type)
      return type
    },
  }
}

function fieldMergeType(field: Field, early: boolean): MergeType {
  if (field.atomic && !early) return LEAF_TYPE
  if (field.type.kind !== 'list') return refMergeType(field.type, early)
  if (field.listType === 'set') return { kind: 'set' }
  // Before 1.21 the key of patches told the type of a list, whatever was declared besides.
  const keyed = field.listType === 'map' || (early && field.patchStrategies.includes('merge'))
  if (!keyed || field.listMapKeys.length === 0) {
    const { of } = field.type
    return early && of.kind === 'struct' ? { kind: 'leaf', items: refMergeType(of, early) } : LEAF_TYPE
  }
  const struct = field.type.of.kind === 'struct' ? builtinSchema.struct(field.type.of.name) : null
  const defaults: Record<string, unknown> = {}
  for (const key of field.listMapKeys) {
    const value = early ? earlyDefault(struct, key) : struct?.fields.get(key)?.default
    if (value !== undefined) defaults[key] = value
  }
  return { kind: 'keyed', keys: field.listMapKeys, defaults, item: refMergeType(field.type.of, early) }
}

/** The only key with a declared default before 1.21; keys that Go always writes have their zero. */
const EARLY_DEFAULT = 'core.v1.ContainerPort:protocol'

/** Keys that Go could leave out before 1.21, and writes since. */
const EARLY_OPTIONAL = 'core.v1.HostAlias:ip'

function earlyDefault(struct: StructType | null, key: string): unknown {
  const field = struct?.fields.get(key)
  if (struct === null || field === undefined) return undefined
  if (`${struct.name}:${key}` === EARLY_DEFAULT) return field.default
  if (field.omitEmpty || field.pointer || field.type.kind !== 'scalar' || `${struct.name}:${key}` === EARLY_OPTIONAL) return undefined
  return field.type.scalar === 'string' ? '' : 0
}

function refMergeType(type: TypeRef, early: boolean): MergeType {
  if (type.kind === 'struct') {
    const struct = builtinSchema.struct(type.name)
    // JSON schema's free-form unions are taken as a unit, as upstream's own schema has them.
    return struct === null || struct.fields.has('') ? LEAF_TYPE : structMergeType(struct, early)
  }
  if (type.kind === 'map') {
    const of = refMergeType(type.of, early)
    return { kind: 'object', member: () => of, named: () => false }
  }
  return type.kind === 'scalar' && (type.scalar === 'raw' || type.scalar === 'json') ? UNTYPED : LEAF_TYPE
}

/** The merge type of a custom resource's OpenAPI v3 schema, by its x-kubernetes-list-type, -list-map-keys and -map-type. */
export function openApiMergeType(schema: unknown): MergeType {
  if (!isObject(schema)) return UNTYPED
  if (schema['x-kubernetes-map-type'] === 'atomic') return LEAF_TYPE
  const items = schema['items']
  if (schema['type'] === 'array' || items !== undefined) {
    const listType = schema['x-kubernetes-list-type']
    if (listType === 'set') return { kind: 'set' }
    const keys = schema['x-kubernetes-list-map-keys']
    if (listType !== 'map' || !Array.isArray(keys)) return LEAF_TYPE
    const properties = isObject(items) && isObject(items['properties']) ? items['properties'] : {}
    const defaults: Record<string, unknown> = {}
    for (const key of keys.map(String)) {
      const property = properties[key]
      if (isObject(property) && property['default'] !== undefined) defaults[key] = property['default']
    }
    return { kind: 'keyed', keys: keys.map(String), defaults, item: openApiMergeType(items) }
  }
  const properties = isObject(schema['properties']) ? schema['properties'] : null
  const additional = schema['additionalProperties']
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true || schema['x-kubernetes-embedded-resource'] === true
  if (properties !== null || isObject(additional) || open || schema['type'] === 'object') {
    const metadata = builtinSchema.struct('meta.ObjectMeta')
    const rest = isObject(additional) ? openApiMergeType(additional) : UNTYPED
    return {
      kind: 'object',
      named: (name) =>
        (properties !== null && Object.hasOwn(properties, name)) ||
        (schema['x-kubernetes-embedded-resource'] === true && ['apiVersion', 'kind', 'metadata'].includes(name)),
      member: (name) => {
        if (
          name === 'metadata' &&
          metadata !== null &&
          (schema['x-kubernetes-embedded-resource'] === true || (properties !== null && Object.hasOwn(properties, 'apiVersion')))
        )
          return structMergeType(metadata)
        return properties !== null && Object.hasOwn(properties, name) ? openApiMergeType(properties[name]) : rest
      },
    }
  }
  return LEAF_TYPE
}

/** The merge type of a whole custom resource: the schema's, with apiVersion, kind and metadata as everywhere. */
export function customResourceMergeType(schema: unknown): MergeType {
  const body = openApiMergeType(schema)
  const metadata = builtinSchema.struct('meta.ObjectMeta')
  const metadataType = metadata === null ? UNTYPED : structMergeType(metadata)
  return {
    kind: 'object',
    named: (name) => name === 'metadata' || (body.kind === 'object' && body.named(name)),
    member: (name) =>
      name === 'metadata' ? metadataType : name === 'apiVersion' || name === 'kind' ? LEAF_TYPE : body.kind === 'object' ? body.member(name) : UNTYPED,
  }
}
