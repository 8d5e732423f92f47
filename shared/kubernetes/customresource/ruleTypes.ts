import type { CelType } from '../cel/interface.ts'
import { isEmbedded, isIntOrString, itemsOf, listMapKeysOf, listTypeOf, propertiesOf, typeOf, valuesOf, type SchemaNode } from './schemaNode.ts'

const TEXT: CelType = { kind: 'string' }

/** What a rule may always read of a resource, whatever its schema says. */
export const RESOURCE_META: SchemaNode = {
  kind: { type: 'string' },
  apiVersion: { type: 'string' },
  metadata: { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } },
}

const types = new WeakMap<SchemaNode, Map<boolean, CelType | null>>()

/**
 * The CEL type of a schema's values; null when rules cannot see them (no type is said).
 *
 * @param isResourceRoot of the root of a resource: apiVersion, kind and the metadata's name and generateName are there
 * @see k8s.io/apiserver/pkg/cel/common/schemas.go SchemaDeclType
 */
export function celTypeOf(schema: SchemaNode, isResourceRoot: boolean): CelType | null {
  const known = types.get(schema) ?? new Map<boolean, CelType | null>()
  types.set(schema, known)
  let type = known.get(isResourceRoot)
  if (type === undefined) {
    type = declare(schema, isResourceRoot)
    known.set(isResourceRoot, type)
  }
  return type
}

function declare(schema: SchemaNode, isResourceRoot: boolean): CelType | null {
  if (isIntOrString(schema)) return { kind: 'dyn' }
  switch (typeOf(schema)) {
    case 'array': {
      const items = itemsOf(schema)
      const element = items === undefined ? null : celTypeOf(items, isEmbedded(items))
      if (element === null) return null
      const listType = listTypeOf(schema)
      return listType === 'set' || listType === 'map' ? { kind: 'list', element, listType, keys: listMapKeysOf(schema) } : { kind: 'list', element }
    }
    case 'object': {
      const values = valuesOf(schema)
      if (values !== undefined && !isResourceRoot) {
        const value = celTypeOf(values, isEmbedded(values))
        return value === null ? null : { kind: 'map', value }
      }
      const fields: Record<string, CelType> = {}
      for (const [name, property] of Object.entries({ ...propertiesOf(schema), ...(isResourceRoot ? RESOURCE_META : {}) })) {
        const type = celTypeOf(property as SchemaNode, isEmbedded(property as SchemaNode))
        if (type !== null) fields[name] = type
      }
      return { kind: 'object', fields }
    }
    case 'string':
      switch (schema['format']) {
        case 'byte':
          return { kind: 'bytes' }
        case 'duration':
          return { kind: 'duration' }
        case 'date':
        case 'date-time':
          return { kind: 'timestamp' }
        default:
          return TEXT
      }
    case 'boolean':
      return { kind: 'bool' }
    case 'number':
      return { kind: 'double' }
    case 'integer':
      return { kind: 'int' }
    default:
      return null
  }
}
