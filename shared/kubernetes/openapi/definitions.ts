import type { SchemaNode } from '../customresource/schemaNode.ts'
import { setOwn, type JsonObject } from '../json.ts'
import { builtinSchema, type Field, type Scalar, type StructType, type TypeRef } from '../schema/schema.ts'
import type { ServedResource } from '../schema/served.ts'
import { COMMON_FIELDS, COMMON_TYPES, KIND_FIELDS } from './commonFields.ts'
import { customSchema } from './customSchema.ts'

/** OpenAPI's name of a table type, as upstream names it: `io.k8s.api.apps.v1.Deployment`. */
export function definitionName(type: string): string {
  const [room = '', ...rest] = type.split('.')
  const name = rest.join('.')
  switch (room) {
    case 'meta':
      return `io.k8s.apimachinery.pkg.apis.meta.v1.${name}`
    case 'runtime':
      return `io.k8s.apimachinery.pkg.runtime.${name}`
    case 'apimachinery':
      return `io.k8s.apimachinery.pkg.${name}`
    case 'apiextensions':
      return `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.${name}`
    case 'apiregistration':
      return `io.k8s.kube-aggregator.pkg.apis.apiregistration.${name}`
    default:
      return `io.k8s.api.${type}`
  }
}

/** A resource with, for custom ones, the schema of its objects; null when anything goes. */
export interface PublishedResource extends ServedResource {
  customSchema?: SchemaNode | null
}

const SCALARS: Readonly<Record<Scalar, JsonObject>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  float64: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  quantity: { type: 'string' },
  intstr: { type: 'string', format: 'int-or-string' },
  time: { type: 'string', format: 'date-time' },
  microtime: { type: 'string', format: 'date-time' },
  duration: { type: 'string' },
  raw: { type: 'object' },
  fieldsv1: { type: 'object' },
  json: {},
}

export interface SchemaStyle {
  /** `#/definitions/` or `#/components/schemas/`. */
  refs: string
  /** v3 writes what JSON numbers and texts both may be as `oneOf`. */
  unions: boolean
}

const KIND = { apiVersion: { description: KIND_FIELDS.apiVersion, type: 'string' }, kind: { description: KIND_FIELDS.kind, type: 'string' } }

/** Types that stand for JSON of several shapes, which OpenAPI leaves open. */
const ANY_SHAPE = /^apiextensions\..*\.(JSON|JSONSchemaPropsOr(Array|Bool|StringArray))$/

/** Schemas of types and of everything they refer to, by definition name. */
export class Definitions {
  readonly schemas: JsonObject = {}
  readonly #style: SchemaStyle
  readonly #kinds = new Map<string, { group: string; version: string; kind: string }[]>()

  constructor(style: SchemaStyle, resources: readonly PublishedResource[]) {
    this.#style = style
    for (const { type, group, version, kind, customSchema: custom } of resources) {
      if (custom !== undefined) continue
      this.#announce(type, { group, version, kind })
      this.#announce(`${type}List`, { group, version, kind: `${kind}List` })
    }
  }

  #announce(type: string, kind: { group: string; version: string; kind: string }): void {
    this.#kinds.set(type, [...(this.#kinds.get(type) ?? []), kind])
  }

  /** A reference to a table type, whose schema is added; null when the table lacks it. */
  reference(type: string): JsonObject | null {
    const name = definitionName(type)
    if (!Object.hasOwn(this.schemas, name)) {
      const struct = builtinSchema.struct(type)
      if (struct === null) return null
      // Entered before it is built: types refer to themselves.
      const schema: JsonObject = {}
      setOwn(this.schemas, name, schema)
      if (!ANY_SHAPE.test(type)) Object.assign(schema, this.#struct(struct))
    }
    return { $ref: `${this.#style.refs}${name}` }
  }

  /** A reference to a resource's schema, which is added with that of its list; null when the table lacks it. */
  resource(resource: PublishedResource): JsonObject | null {
    const { type, group, version, kind, customSchema: schema } = resource
    if (schema === undefined) {
      this.reference(`${type}List`)
      return this.reference(type)
    }
    const name = `${group.split('.').reverse().join('.')}.${version}.${kind}`
    const named = (suffix: string, metadata: string, properties: JsonObject): JsonObject => ({
      'x-kubernetes-group-version-kind': [{ group, version, kind: `${kind}${suffix}` }],
      type: 'object',
      properties: { ...properties, ...KIND, metadata: { ...this.#whole(metadata), description: KIND_FIELDS.metadata } },
    })
    const reference = { $ref: `${this.#style.refs}${name}` }
    const open = { type: 'object', 'x-kubernetes-group-version-kind': [{ group, version, kind }] }
    setOwn(this.schemas, name, schema === null ? open : customSchema(schema, named('', 'meta.ObjectMeta', {}), this.#style.unions))
    setOwn(this.schemas, `${name}List`, { ...named('List', 'meta.ListMeta', { items: { type: 'array', items: reference } }), required: ['items'] })
    return reference
  }

  /** A reference that other words may stand beside: in v3 nothing counts beside a $ref. */
  #whole(type: string): JsonObject {
    const reference = this.reference(type) ?? { type: 'object' }
    return this.#style.unions ? { allOf: [reference] } : reference
  }

  #struct(struct: StructType): JsonObject {
    const properties: JsonObject = {}
    if (struct.typed) {
      Object.assign(properties, KIND)
    }
    const required: string[] = []
    for (const field of struct.fields.values()) {
      const description = field.name === 'metadata' && struct.typed ? KIND_FIELDS.metadata : COMMON_FIELDS[struct.name]?.[field.name]
      setOwn(properties, field.name, this.#field(field, description))
      if (field.required) required.push(field.name)
    }
    const kinds = this.#kinds.get(struct.name)
    const description = COMMON_TYPES[struct.name]
    return {
      ...(description === undefined ? {} : { description }),
      type: 'object',
      ...(required.length === 0 ? {} : { required: required.sort() }),
      ...(Object.keys(properties).length === 0 ? {} : { properties }),
      ...(struct.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(kinds === undefined ? {} : { 'x-kubernetes-group-version-kind': kinds }),
    }
  }

  #field(field: Field, description: string | undefined): JsonObject {
    const schema = this.#type(field.type)
    const extensions: JsonObject = description === undefined ? {} : { description }
    if (field.type.kind === 'list' && field.listTypeDeclared) extensions['x-kubernetes-list-type'] = field.listType
    if (field.listType === 'map' && field.listTypeDeclared && field.listMapKeys.length > 0) extensions['x-kubernetes-list-map-keys'] = field.listMapKeys
    if (field.atomic && field.type.kind !== 'list') extensions['x-kubernetes-map-type'] = 'atomic'
    if (field.patchStrategies.length > 0) extensions['x-kubernetes-patch-strategy'] = field.patchStrategies.join(',')
    if (field.patchMergeKey !== null) extensions['x-kubernetes-patch-merge-key'] = field.patchMergeKey
    if (Object.keys(extensions).length === 0) return schema
    // Beside a $ref nothing else counts in v3.
    return this.#style.unions && schema['$ref'] !== undefined ? { allOf: [schema], ...extensions } : { ...schema, ...extensions }
  }

  #type(type: TypeRef): JsonObject {
    switch (type.kind) {
      case 'list':
        return { type: 'array', items: this.#type(type.of) }
      case 'map':
        return { type: 'object', additionalProperties: this.#type(type.of) }
      case 'struct':
        return this.reference(type.name) ?? { type: 'object' }
      default:
        if (this.#style.unions && type.scalar === 'quantity') return { oneOf: [{ type: 'string' }, { type: 'number' }] }
        if (this.#style.unions && type.scalar === 'intstr') return { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' }
        return { ...SCALARS[type.scalar] }
    }
  }
}

/** Operations of a resource's paths that clients look up: which kind, and which query parameters a write takes. */
export interface PathFacts {
  path: string
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  action: string
  parameters: string[]
}

const WRITE_PARAMETERS = ['dryRun', 'fieldManager', 'fieldValidation']

/** Paths of a resource with the operations of its verbs. `fieldValidation` exists since 1.25. */
export function pathsOf({ group, version, plural, namespaced, verbs }: ServedResource, minor: number): PathFacts[] {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const collection = `${root}${namespaced ? '/namespaces/{namespace}' : ''}/${plural}`
  const item = `${collection}/{name}`
  const parameters = minor >= 25 ? WRITE_PARAMETERS : WRITE_PARAMETERS.slice(0, 2)
  const facts: PathFacts[] = []
  const add = (verb: string, path: string, method: PathFacts['method'], action: string, names: string[]): void => {
    if (verbs.includes(verb)) facts.push({ path, method, action, parameters: names })
  }
  add('list', collection, 'get', 'list', ['labelSelector', 'fieldSelector', 'limit', 'continue', 'resourceVersion', 'watch'])
  add('create', collection, 'post', 'post', parameters)
  add('get', item, 'get', 'get', [])
  add('update', item, 'put', 'put', parameters)
  add('patch', item, 'patch', 'patch', [...parameters, 'force'])
  add('delete', item, 'delete', 'delete', ['dryRun', 'gracePeriodSeconds', 'propagationPolicy'])
  return facts
}
