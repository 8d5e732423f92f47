import { isObject, type JsonObject } from '../json.ts'
import { isEmbedded, isIntOrString, isNullable, preserves, type SchemaNode } from '../customresource/schemaNode.ts'

/** What Swagger 2.0 has no words for. */
const V3_ONLY = ['allOf', 'anyOf', 'oneOf', 'not', 'nullable', 'default', 'x-kubernetes-validations']

/**
 * The schema of a custom resource as OpenAPI tells it: with what every resource has.
 *
 * @param common type, metadata and the like of the resource
 * @param full false for v2, whose clients know neither nullable nor unions
 * @see k8s.io/apiextensions-apiserver/pkg/controller/openapi/{builder,v2}
 */
export function customSchema(schema: SchemaNode, common: JsonObject, full: boolean): JsonObject {
  const told = full ? { ...schema } : forV2(schema)
  const properties = { ...(isObject(told['properties']) ? told['properties'] : {}), ...(isObject(common['properties']) ? common['properties'] : {}) }
  return { ...told, ...common, properties }
}

/** A schema of which clients of v2 refuse nothing that the server takes. */
function forV2(schema: SchemaNode): JsonObject {
  const told: JsonObject = Object.fromEntries(Object.entries(schema).filter(([name]) => !V3_ONLY.includes(name)))
  if (isIntOrString(schema) || isNullable(schema)) delete told['type']
  if (isNullable(schema) || preserves(schema) || isEmbedded(schema)) {
    delete told['items']
    delete told['properties']
  }
  if (preserves(schema) && !isEmbedded(schema) && told['type'] !== 'object') delete told['type']
  if (isObject(told['properties']))
    told['properties'] = Object.fromEntries(Object.entries(told['properties']).map(([name, each]) => [name, isObject(each) ? forV2(each) : each]))
  if (isObject(told['items'])) told['items'] = forV2(told['items'])
  if (isObject(told['additionalProperties'])) told['additionalProperties'] = forV2(told['additionalProperties'])
  return told
}
