import { isObject, type JsonObject } from '../json.ts'
import { minorOf } from '../schema/served.ts'
import { Definitions, pathsOf, type PublishedResource } from './definitions.ts'

/** The OpenAPI v3 document of one group version: schemas of its kinds and the operations that clients look up. */
export function openApiV3Document(resources: readonly PublishedResource[], kubernetesVersion: string): JsonObject {
  const definitions = new Definitions({ refs: '#/components/schemas/', unions: true }, resources)
  const paths: JsonObject = {}
  for (const resource of resources) {
    const { group, version, kind } = resource
    const schema = definitions.resource(resource)
    for (const { path, method, action, parameters } of pathsOf(resource, minorOf(kubernetesVersion))) {
      const operations = isObject(paths[path]) ? paths[path] : {}
      paths[path] = operations
      const body = schema === null || method === 'get' || method === 'delete' ? {} : { requestBody: { content: { '*/*': { schema } } } }
      operations[method] = {
        operationId: `${action}${kind}`,
        parameters: parameters.map((name) => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } })),
        ...body,
        responses: { '200': { description: 'OK' } },
        'x-kubernetes-action': action,
        'x-kubernetes-group-version-kind': { group, version, kind },
      }
    }
  }
  return { openapi: '3.0.0', info: { title: 'Kubernetes', version: kubernetesVersion }, paths, components: { schemas: definitions.schemas } }
}
