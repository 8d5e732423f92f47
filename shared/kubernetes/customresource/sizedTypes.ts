import { escapeIdentifier } from '../cel/escaping.ts'
import { isEmbedded, isIntOrString, itemsOf, propertiesOf, typeOf, valuesOf, type SchemaNode } from './schemaNode.ts'
import { RESOURCE_META } from './ruleTypes.ts'

/** The largest body of a request, which bounds what nothing else does. */
const MAX_REQUEST_BYTES = 3 * 1024 * 1024
/** Bytes of the shortest JSON of a value, and of the longest time. */
const MIN_BYTES = { text: 2, boolean: 4, number: 1, duration: 3, date: 12, dateTime: 21, container: 2 }
const MAX_TIME_BYTES = 32

/**
 * How much a schema lets a value hold: characters, items, entries. Rules are priced by it before they run.
 *
 * @see k8s.io/apiserver/pkg/cel/common/schemas.go SchemaDeclType: MaxElements, MinSerializedSize
 */
export interface SizedType {
  readonly maxElements: number
  /** Bytes of the shortest JSON that the schema takes. */
  readonly minBytes: number
  /** By the names that expressions use. */
  readonly fields?: ReadonlyMap<string, SizedType>
  readonly key?: SizedType
  readonly element?: SizedType
}

const limit = (schema: SchemaNode, name: string): number | null => (typeof schema[name] === 'number' ? Math.max(0, schema[name]) : null)

const KEY: SizedType = { maxElements: 0, minBytes: MIN_BYTES.text }

/** Null where rules cannot see a value at all. */
export function sizedTypeOf(schema: SchemaNode, isResourceRoot: boolean): SizedType | null {
  if (isIntOrString(schema)) return { maxElements: textLimit(schema) ?? MAX_REQUEST_BYTES - 2, minBytes: 1 }
  switch (typeOf(schema)) {
    case 'array': {
      const items = itemsOf(schema)
      const element = items === undefined ? null : sizedTypeOf(items, isEmbedded(items))
      if (element === null) return null
      const fitting = Math.floor((MAX_REQUEST_BYTES - 2) / (element.minBytes + 1))
      return { maxElements: limit(schema, 'maxItems') ?? fitting, minBytes: MIN_BYTES.container, element }
    }
    case 'object':
      return sizedObject(schema, isResourceRoot)
    case 'string':
      return sizedText(schema)
    case 'boolean':
      return { maxElements: 0, minBytes: MIN_BYTES.boolean }
    case 'number':
    case 'integer':
      return { maxElements: 0, minBytes: MIN_BYTES.number }
    default:
      return null
  }
}

function sizedObject(schema: SchemaNode, isResourceRoot: boolean): SizedType | null {
  const values = valuesOf(schema)
  if (values !== undefined) {
    const element = sizedTypeOf(values, isEmbedded(values))
    if (element === null) return null
    // Beside a value stand at least two quotes, a colon, a comma and the key.
    const fitting = Math.floor((MAX_REQUEST_BYTES - 2) / (element.minBytes + 6))
    return { maxElements: limit(schema, 'maxProperties') ?? fitting, minBytes: MIN_BYTES.container, key: KEY, element }
  }
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  const fields = new Map<string, SizedType>()
  let minBytes = MIN_BYTES.container
  for (const [name, property] of Object.entries({ ...propertiesOf(schema), ...(isResourceRoot ? RESOURCE_META : {}) })) {
    const field = sizedTypeOf(property as SchemaNode, isEmbedded(property as SchemaNode))
    if (field === null) continue
    const escaped = escapeIdentifier(name)
    if (escaped !== null) fields.set(escaped, field)
    if (required.has(name) && ((property as SchemaNode)['default'] ?? null) === null) minBytes += new TextEncoder().encode(name).length + field.minBytes + 4
  }
  return { maxElements: 0, minBytes, fields }
}

/** Characters are counted as the four bytes that they can be. */
function textLimit(schema: SchemaNode): number | null {
  const length = limit(schema, 'maxLength')
  return length === null ? null : length * 4
}

function sizedText(schema: SchemaNode): SizedType {
  switch (schema['format']) {
    case 'byte':
      return { maxElements: limit(schema, 'maxLength') ?? MAX_REQUEST_BYTES - 2, minBytes: MIN_BYTES.text }
    case 'duration':
      return { maxElements: MAX_TIME_BYTES, minBytes: MIN_BYTES.duration }
    case 'date':
      return { maxElements: MIN_BYTES.date, minBytes: MIN_BYTES.date }
    case 'date-time':
      return { maxElements: MAX_TIME_BYTES, minBytes: MIN_BYTES.dateTime }
    default:
      return { maxElements: textLimit(schema) ?? longestOf(schema['enum']) ?? MAX_REQUEST_BYTES - 2, minBytes: MIN_BYTES.text }
  }
}

function longestOf(values: unknown): number | null {
  if (!Array.isArray(values) || values.length === 0) return null
  return Math.max(0, ...values.map((each) => (typeof each === 'string' ? new TextEncoder().encode(each).length : 0)))
}

/** The size of what is at an expression's path, whose first part is the variable of this type. */
export function sizeAt(type: SizedType, path: readonly string[]): number | null {
  let at: SizedType | undefined = type
  for (const step of path.slice(1)) {
    if (step === '@items' || step === '@values') at = at.element
    else if (step === '@keys') at = at.key
    else at = at.fields?.get(step)
    if (at === undefined) return null
  }
  return at.maxElements
}

/** How many values of so few bytes fit into one request, with a comma between them. */
export function mostInRequest({ minBytes }: SizedType): number {
  return Math.floor(MAX_REQUEST_BYTES / (minBytes + 1))
}

/** How many values a schema lets there be within one of its own; null without a bound. */
export function mostWithin(schema: SchemaNode): number | null {
  if (typeOf(schema) === 'array') return limit(schema, 'maxItems')
  return typeOf(schema) === 'object' && schema['additionalProperties'] !== undefined ? limit(schema, 'maxProperties') : 1
}
