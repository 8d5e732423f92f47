import { isObject, type JsonObject } from '../json.ts'
import { ProtobufWriter } from '../codec/protobufWriter.ts'
import { minorOf } from '../schema/served.ts'
import { Definitions, pathsOf, type PublishedResource } from './definitions.ts'

/** Swagger 2.0 of everything that is served. */
export function openApiV2Document(resources: readonly PublishedResource[], kubernetesVersion: string): JsonObject {
  const definitions = new Definitions({ refs: '#/definitions/', unions: false }, resources)
  const paths: JsonObject = {}
  for (const resource of resources) {
    const { group, version, kind } = resource
    definitions.resource(resource)
    for (const { path, method, action, parameters } of pathsOf(resource, minorOf(kubernetesVersion))) {
      const operations = isObject(paths[path]) ? paths[path] : {}
      paths[path] = operations
      operations[method] = {
        operationId: `${action}${group}${version}${kind}`,
        parameters: parameters.map((name) => ({ name, in: 'query', type: 'string', uniqueItems: true })),
        responses: { '200': { description: 'OK' } },
        'x-kubernetes-action': action,
        'x-kubernetes-group-version-kind': { group, version, kind },
      }
    }
  }
  return { swagger: '2.0', info: { title: 'Kubernetes', version: kubernetesVersion }, paths, definitions: definitions.schemas }
}

// Message field numbers: gnostic's OpenAPIv2.proto, package openapi.v2.

/** The same as a gnostic `openapi.v2.Document`, which kubectl up to 1.26 asks for. The writer goes from the last field to the first. */
export function openApiV2Protobuf(resources: readonly PublishedResource[], kubernetesVersion: string): Uint8Array<ArrayBuffer> {
  const document = openApiV2Document(resources, kubernetesVersion)
  const writer = new ProtobufWriter(4 << 20)
  writer.message(9, () => {
    for (const [name, schema] of backwards(document['definitions']))
      named(writer, 1, name, () => {
        writeSchema(writer, schema)
      })
  })
  writer.message(8, () => {
    for (const [path, item] of backwards(document['paths']))
      named(writer, 2, path, () => {
        writePathItem(writer, item)
      })
  })
  writer.message(2, () => {
    writer.string(2, kubernetesVersion)
    writer.string(1, 'Kubernetes')
  })
  writer.string(1, '2.0')
  return writer.finish()
}

const backwards = (value: unknown): [string, unknown][] => (isObject(value) ? Object.entries(value).reverse() : [])

/** A repeated NamedX: name and value. */
function named(writer: ProtobufWriter, field: number, name: string, value: () => void): void {
  writer.message(field, () => {
    writer.message(2, value)
    writer.string(1, name)
  })
}

/** NamedAny with YAML, which JSON is. */
function extensions(writer: ProtobufWriter, field: number, object: JsonObject): void {
  for (const [name, value] of backwards(object))
    if (name.startsWith('x-'))
      named(writer, field, name, () => {
        writer.string(2, JSON.stringify(value))
      })
}

function writeSchema(writer: ProtobufWriter, schema: unknown): void {
  if (!isObject(schema)) return
  extensions(writer, 31, schema)
  if (isObject(schema['properties']))
    writer.message(25, () => {
      for (const [name, property] of backwards(schema['properties']))
        named(writer, 1, name, () => {
          writeSchema(writer, property)
        })
    })
  if (schema['items'] !== undefined)
    writer.message(23, () => {
      writer.message(1, () => {
        writeSchema(writer, schema['items'])
      })
    })
  if (typeof schema['type'] === 'string') {
    const type = schema['type']
    writer.message(22, () => {
      writer.string(1, type)
    })
  }
  if (schema['additionalProperties'] !== undefined)
    writer.message(21, () => {
      writer.message(1, () => {
        writeSchema(writer, schema['additionalProperties'])
      })
    })
  if (Array.isArray(schema['required'])) for (const name of schema['required'].toReversed()) writer.string(19, String(name))
  if (typeof schema['description'] === 'string') writer.string(4, schema['description'])
  if (typeof schema['format'] === 'string') writer.string(2, schema['format'])
  if (typeof schema['$ref'] === 'string') writer.string(1, schema['$ref'])
}

const METHODS = { get: 2, put: 3, post: 4, delete: 5, patch: 8 } as const

function writePathItem(writer: ProtobufWriter, item: unknown): void {
  if (!isObject(item)) return
  const operations = Object.entries(METHODS).sort((a, b) => b[1] - a[1])
  for (const [method, field] of operations) {
    const operation = item[method]
    if (isObject(operation))
      writer.message(field, () => {
        writeOperation(writer, operation)
      })
  }
}

function writeOperation(writer: ProtobufWriter, operation: JsonObject): void {
  extensions(writer, 13, operation)
  writer.message(9, () => {
    named(writer, 1, '200', () => {
      writer.message(1, () => {
        writer.string(1, 'OK')
      })
    })
  })
  for (const parameter of Array.isArray(operation['parameters']) ? operation['parameters'].toReversed() : [])
    if (isObject(parameter)) writeQueryParameter(writer, String(parameter['name']))
  writer.string(5, String(operation['operationId']))
}

/** ParametersItem → Parameter → NonBodyParameter → QueryParameterSubSchema. */
function writeQueryParameter(writer: ProtobufWriter, name: string): void {
  const within = (fields: readonly number[], write: () => void): void => {
    const [field, ...rest] = fields
    if (field === undefined) write()
    else
      writer.message(field, () => {
        within(rest, write)
      })
  }
  within([8, 1, 2, 3], () => {
    writer.string(6, 'string')
    writer.string(4, name)
    writer.string(2, 'query')
  })
}
