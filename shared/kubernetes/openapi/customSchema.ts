import { isObject, type JsonObject } from '../json.ts'
import { isEmbedded, isIntOrString, isNullable, preserves, type SchemaNode } from '../customresource/schemaNode.ts'

/** What Swagger 2.0 has no words for. */
const V3_ONLY = ['allOf', 'anyOf', 'oneOf', 'not', 'nullable', 'default', 'x-kubernetes-validations']

/**
 * The schema of a custom resource as OpenAPI tells it: with what every resource has.
 *
 * @param common type, metadata and the like of the resource
 * @param full false for v2, whose clients know neither nullable nor unions, and take what they find no schema of for wrong
 * @see k8s.io/apiextensions-apiserver/pkg/controller/openapi/{builder,v2}
 */
export function customSchema(schema: SchemaNode, common: JsonObject, full: boolean): JsonObject {
  const { properties: _, ...opaque } = common
  if (!full && preserves(schema)) return opaque
  const told = full ? { ...schema } : forV2(schema)
  const properties = { ...(isObject(told['properties']) ? told['properties'] : {}), ...(isObject(common['properties']) ? common['properties'] : {}) }
  return { ...told, ...common, properties }
}

/** A schema of which clients of v2 refuse nothing that the server takes. */
function forV2(schema: SchemaNode): JsonObject {
  const told: JsonObject = Object.fromEntries(Object.entries(schema).filter(([name]) => !V3_ONLY.includes(name)))
  const open = isNullable(schema) || preserves(schema)
  // kubectl 1.20 refuses members that it finds no schema of, and null of any type.
  if (open || isIntOrString(schema)) delete told['type']
  if (open) {
    delete told['items']
    delete told['properties']
  }
  if (isEmbedded(schema) && !open) Object.assign(told, asEmbedded(told))
  const properties = isObject(told['properties']) ? told['properties'] : null
  if (properties !== null) {
    told['properties'] = Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, isObject(each) ? forV2(each) : each]))
    const required = Array.isArray(told['required']) ? told['required'].filter((name) => !isNullable(properties[String(name)] as SchemaNode)) : []
    if (required.length === 0) delete told['required']
    else told['required'] = required
  }
  if (isObject(told['items'])) told['items'] = forV2(told['items'])
  if (isObject(told['additionalProperties'])) told['additionalProperties'] = forV2(told['additionalProperties'])
  return told
}

/** An object within has kind, version and metadata. */
function asEmbedded({ properties }: JsonObject): JsonObject {
  const own = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' } }
  return { properties: { ...(isObject(properties) ? properties : {}), ...own }, required: ['kind', 'apiVersion'] }
}
