import { deepEqual, isObject, type JsonObject } from '../../json.ts'
import type { KubeObject } from '../../object.ts'
import type { FieldError } from '../../validation/fieldError.ts'
import { genericMetadataErrors, genericMetadataUpdateErrors, immutable } from '../../validation/metadata.ts'
import { dns1035Errors, dnsSubdomainErrors, subdomainName } from '../../validation/names.ts'
import { object as at, objects, text, texts } from '../../validation/values.ts'
import { isCondition, parseDefinition } from '../definition.ts'
import { supportedFormat } from '../formats.ts'
import { branchesOf, childPath, indexPath, itemsOf, keyPath, propertiesOf, typeOf, valuesOf, type SchemaNode } from '../schemaNode.ts'
import { enumErrors, forbiddenValue, invalidValue, requiredValue } from '../shown.ts'
import { conversionErrors } from './conversion.ts'
import { defaultErrors } from './defaults.ts'
import { internalSchema, setFields, structText } from './internalForm.ts'
import { schemaRuleErrors } from './schemaRules.ts'
import { structuralErrors } from './structural.ts'
import { columnErrors, selectableErrors, subresourceErrors, warningErrors } from './versionParts.ts'

const APPROVED = 'api-approved.kubernetes.io'
const ROOT_FIELDS = [
  ...['Description', 'Type', 'Format', 'Title', 'Maximum', 'ExclusiveMaximum', 'Minimum', 'ExclusiveMinimum', 'MaxLength', 'MinLength', 'Pattern'],
  ...['MaxItems', 'MinItems', 'UniqueItems', 'MultipleOf', 'Required', 'Items', 'Properties', 'ExternalDocs', 'Example'],
  ...['XPreserveUnknownFields', 'XValidations'],
]

/**
 * The spec as upstream's internal type has it: what all versions have in common stands above them, and is told of there.
 */
interface Parts {
  path: string
  schema: SchemaNode | undefined
  subresources: JsonObject | undefined
  columns: JsonObject[]
  selectable: JsonObject[]
}

function shared<T>(versions: readonly JsonObject[], name: string, empty: T): T | undefined {
  const [first, ...others] = versions.map((version) => version[name] ?? null)
  if (versions.length === 0) return empty
  return others.every((each) => deepEqual(each, first)) ? ((first ?? empty) as T) : undefined
}

const schemaOf = (validation: unknown): SchemaNode | undefined => {
  const schema = at(validation)['openAPIV3Schema']
  return isObject(schema) ? schema : undefined
}

/** Errors of a new definition. */
export function definitionErrors(definition: KubeObject): FieldError[] {
  const spec = at(definition['spec'])
  const required = `${text(at(spec['names'])['plural'])}.${text(spec['group'])}`
  const name = (given: string, prefix: boolean): string[] => [
    ...subdomainName(given, prefix),
    ...(given === required ? [] : ['must be spec.names.plural+"."+spec.group']),
  ]
  return [...genericMetadataErrors(definition, { namespaced: false, name }), ...specErrors(spec, new Set()), ...restErrors(definition, null)]
}

/** Errors of a changed definition; of a write of its status, errors of the status alone. */
export function definitionUpdateErrors(after: KubeObject, before: KubeObject, subresource: string): FieldError[] {
  const metadata = [...genericMetadataUpdateErrors(after, before)]
  if (subresource === 'status') return [...metadata, ...namesErrors(at(at(after['status'])['acceptedNames']), 'status.acceptedNames')]
  const [spec, old] = [at(after['spec']), at(before['spec'])]
  const [names, oldNames] = [at(spec['names']), at(old['names'])]
  const errors = [...metadata, ...specErrors(spec, unchangedVersions(spec, old))]
  if (isCondition(parseDefinition(before), 'Established'))
    errors.push(...immutable(spec['scope'], old['scope'], 'spec.scope'), ...immutable(names['kind'], oldNames['kind'], 'spec.names.kind'))
  errors.push(...immutable(spec['group'], old['group'], 'spec.group'), ...immutable(names['plural'], oldNames['plural'], 'spec.names.plural'))
  return [...errors, ...restErrors(after, before)]
}

function* restErrors(definition: KubeObject, before: KubeObject | null): Iterable<FieldError> {
  const [spec, status] = [at(definition['spec']), at(definition['status'])]
  yield* namesErrors(at(status['acceptedNames']), 'status.acceptedNames')
  yield* storedVersionErrors(status['storedVersions'], objects(spec['versions']))
  yield* approvalErrors(definition, before)
  if (spec['preserveUnknownFields'] === true && (before === null || at(before['spec'])['preserveUnknownFields'] !== true))
    yield invalidValue(
      'spec.preserveUnknownFields',
      true,
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
    )
}

/** Names of versions whose schema stood so before. */
function unchangedVersions(spec: JsonObject, old: JsonObject): Set<string> {
  const before = new Map(objects(old['versions']).map((version) => [text(version['name']), version['schema'] ?? null]))
  const same = objects(spec['versions']).filter(({ name, schema }) => before.has(text(name)) && deepEqual(schema ?? null, before.get(text(name))))
  return new Set(same.map(({ name }) => text(name)))
}

/** @param unchanged names of versions whose schema stood so before */
function* specErrors(spec: JsonObject, unchanged: ReadonlySet<string>): Iterable<FieldError> {
  const group = text(spec['group'])
  if (group === '') yield requiredValue('spec.group')
  else if (dnsSubdomainErrors(group).length > 0) yield invalidValue('spec.group', group, dnsSubdomainErrors(group).join(','))
  else if (!group.includes('.')) yield invalidValue('spec.group', group, 'should be a domain with at least one dot')
  yield* enumErrors('spec.scope', text(spec['scope']), ['Cluster', 'Namespaced'])
  const versions = objects(spec['versions'])
  const common = {
    schema: shared<JsonObject | null>(versions, 'schema', null),
    subresources: shared<JsonObject | null>(versions, 'subresources', null),
    columns: shared<JsonObject[]>(versions, 'additionalPrinterColumns', []),
    selectable: shared<JsonObject[]>(versions, 'selectableFields', []),
  }
  if (schemaOf(common.schema) === undefined)
    for (const [index, version] of versions.entries())
      if (schemaOf(version['schema']) === undefined) yield requiredValue(`spec.versions[${String(index)}].schema.openAPIV3Schema`)
  const own = versions.map((version) => ownParts(version, common))
  for (const [index, version] of versions.entries()) {
    const path = `spec.versions[${String(index)}]`
    const name = text(version['name'])
    const wrong = dns1035Errors(name)
    if (wrong.length > 0) yield invalidValue(`${path}.name`, name, wrong.join(','))
    yield* warningErrors(version, `${path}.deprecationWarning`)
    const parts = own[index]
    const subresources = common.subresources ?? at(version['subresources'])
    const known = { status: isObject(subresources['status']), unchanged: unchanged.has(name) }
    if (parts !== undefined) yield* versionErrors({ ...parts, path }, known)
  }
  const names = versions.map((version) => text(version['name']))
  const shownVersions = structText(versions.map((version, index) => internalVersion(version, own[index])))
  const versionsError = (detail: string): FieldError => ({ type: 'Invalid', field: 'spec.versions', value: shownVersions, detail })
  if (new Set(names).size < names.length) yield versionsError('must contain unique version names')
  if (versions.filter((version) => version['storage'] === true).length !== 1) yield versionsError('must have exactly one version marked as storage version')
  // Upstream keeps the first version's name apart too.
  const [first] = names
  if (first !== undefined && first !== '' && dns1035Errors(first).length > 0) yield invalidValue('spec.version', first, dns1035Errors(first).join(','))
  for (const name of ['plural', 'singular', 'kind', 'listKind']) if (text(at(spec['names'])[name]) === '') yield requiredValue(`spec.names.${name}`)
  yield* namesErrors(at(spec['names']), 'spec.names')
  yield* commonErrors(common, versions, unchanged)
  yield* conversionErrors(at(spec['conversion']))
}

interface Common {
  schema: JsonObject | null | undefined
  subresources: JsonObject | null | undefined
  columns: JsonObject[] | undefined
  selectable: JsonObject[] | undefined
}

function ownParts(version: JsonObject, common: Common): Omit<Parts, 'path'> {
  return {
    schema: common.schema === undefined ? schemaOf(version['schema']) : undefined,
    subresources: common.subresources === undefined && isObject(version['subresources']) ? version['subresources'] : undefined,
    columns: common.columns === undefined ? objects(version['additionalPrinterColumns']) : [],
    selectable: common.selectable === undefined ? objects(version['selectableFields']) : [],
  }
}

/** What else counts for a schema: whether there is a status subresource, and whether the schema stood so before. */
interface SchemaPlace {
  status: boolean
  unchanged: boolean
}

function* versionErrors({ path, schema, subresources, columns, selectable }: Parts, place: SchemaPlace): Iterable<FieldError> {
  if (schema !== undefined) yield* validationErrors(schema, place, childPath(path, 'schema'))
  yield* subresourceErrors(subresources, childPath(path, 'subresources'))
  for (const [index, column] of columns.entries()) yield* columnErrors(column, indexPath(childPath(path, 'additionalPrinterColumns'), index))
  if (selectable.length === 0) return
  const field = childPath(path, 'selectableFields')
  if (schema === undefined) yield invalidValue(field, '', 'may only be set when `version.schema.openAPIV3Schema` is not included')
  else yield* selectableErrors(selectable, schema, field)
}

function* commonErrors(common: Common, versions: readonly JsonObject[], unchanged: ReadonlySet<string>): Iterable<FieldError> {
  const schema = schemaOf(common.schema)
  const status = [common.subresources, ...versions.map((version) => version['subresources'])].some((each) => isObject(at(each)['status']))
  // Upstream asks for the first version alone.
  const place = { status, unchanged: unchanged.has(text(versions[0]?.['name'])) }
  if (schema !== undefined) yield* validationErrors(schema, place, 'spec.validation')
  yield* subresourceErrors(common.subresources ?? undefined, 'spec.subresources')
  for (const [index, column] of (common.columns ?? []).entries()) yield* columnErrors(column, `spec.additionalPrinterColumns[${String(index)}]`)
  if ((common.selectable ?? []).length === 0) return
  if (schema === undefined) yield invalidValue('spec.selectableFields', '', 'may only be set when validations.schema is included')
  else yield* selectableErrors(common.selectable ?? [], schema, 'spec.selectableFields')
}

/** A schema's errors, of its place in a definition too. */
function* validationErrors(schema: SchemaNode, { status, unchanged }: SchemaPlace, path: string): Iterable<FieldError> {
  const field = childPath(path, 'openAPIV3Schema')
  const found: FieldError[] = status ? [...rootErrors(schema, field)] : []
  if (schema['nullable'] === true) found.push(forbiddenValue(`${field}.nullable`, 'nullable cannot be true at the root'))
  const unusual = unstructured(schema)
  let rules = false
  if (unusual === null) {
    const structural = structuralErrors(schema, field)
    const wrong = structural.length > 0 ? structural : defaultErrors(schema, field)
    found.push(...wrong)
    rules = wrong.length === 0
  }
  found.push(...schemaRuleErrors(schema, field, { rules, unchanged }))
  if (found.length === 0 && unusual !== null) found.push(invalidValue(field, '', unusual))
  yield* found
}

/** Words that upstream's structural schemas have no room for; null when there are none. */
function unstructured(schema: SchemaNode): string | null {
  if (Array.isArray(schema['items'])) return "OpenAPIV3Schema 'items' must be a schema, but is an array"
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
  for (const [word, name] of [
    ['id', 'id'],
    ['$schema', 'schema'],
    ['$ref', '$ref'],
    ['patternProperties', 'patternProperties'],
    ['dependencies', 'dependencies'],
    ['additionalItems', 'additionalItems'],
    ['definitions', 'definitions'],
  ] as const)
    if (schema[word] !== undefined && schema[word] !== '') return `OpenAPIV3Schema '${name}' is not supported`
  for (const inner of innerSchemas(schema)) {
    const found = unstructured(inner)
    if (found !== null) return found
  }
  return null
}

function innerSchemas(schema: SchemaNode): SchemaNode[] {
  const found = [itemsOf(schema), valuesOf(schema), isObject(schema['not']) ? schema['not'] : undefined]
  return [
    ...found.filter((each) => each !== undefined),
    ...(['allOf', 'anyOf', 'oneOf'] as const).flatMap((name) => branchesOf(schema, name)),
    ...Object.values(propertiesOf(schema)).filter(isObject),
  ]
}

/** With a status subresource the status is validated by itself: what the root says of the whole would be lost. */
function* rootErrors(schema: SchemaNode, field: string): Iterable<FieldError> {
  for (const name of setFields(schema)) {
    if (name === 'Type') {
      if (schema['type'] === 'object') continue
      yield invalidValue(`${field}.type`, schema['type'], 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled')
      return
    }
    if (ROOT_FIELDS.includes(name)) continue
    const detail = `only [${ROOT_FIELDS.join(' ')}] fields are allowed at the root of the schema if the status subresource is enabled`
    yield { type: 'Invalid', field, value: structText(internalSchema(schema)), detail }
    return
  }
}

function* namesErrors(names: JsonObject, path: string): Iterable<FieldError> {
  for (const name of ['plural', 'singular', 'kind', 'listKind']) {
    const value = text(names[name])
    const mixed = name === 'kind' || name === 'listKind'
    const wrong = value === '' ? [] : dns1035Errors(mixed ? value.toLowerCase() : value)
    if (wrong.length > 0) yield invalidValue(`${path}.${name}`, value, `${mixed ? 'may have mixed case, but should otherwise match: ' : ''}${wrong.join(',')}`)
  }
  yield* eachName(texts(names['shortNames']), `${path}.shortNames`)
  const [kind, listKind] = [text(names['kind']), text(names['listKind'])]
  if (kind !== '' && kind === listKind) yield invalidValue(`${path}.listKind`, listKind, 'kind and listKind may not be the same')
  yield* eachName(texts(names['categories']), `${path}.categories`)
}

function* eachName(names: readonly string[], path: string): Iterable<FieldError> {
  for (const [index, name] of names.entries()) {
    const wrong = dns1035Errors(name)
    if (wrong.length > 0) yield invalidValue(indexPath(path, index), name, wrong.join(','))
  }
}

function* storedVersionErrors(stored: unknown, versions: readonly JsonObject[]): Iterable<FieldError> {
  const field = 'status.storedVersions'
  const names = texts(stored)
  if (names.length === 0) {
    yield invalidValue(field, Array.isArray(stored) ? stored : null, 'must have at least one stored version')
    return
  }
  const known = new Set(versions.map(({ name }) => text(name)))
  for (const version of versions)
    if (version['storage'] === true && !names.includes(text(version['name'])))
      yield invalidValue(field, names, `must have the storage version ${text(version['name'])}`)
  for (const [index, name] of names.entries())
    if (!known.has(name))
      yield invalidValue(
        indexPath(field, index),
        name,
        `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
      )
}

/** Groups of the community are approved by name. */
function* approvalErrors(definition: KubeObject, before: KubeObject | null): Iterable<FieldError> {
  const group = text(at(definition['spec'])['group'])
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group)) return
  const state = approval(definition)
  if (before !== null && approval(before) === state) return
  const field = keyPath('metadata.annotations', APPROVED)
  const needed = `protected groups must have approval annotation "${APPROVED}"`
  const see = 'see https://github.com/kubernetes/enhancements/pull/1111'
  if (state === 'missing') yield requiredValue(field, `${needed}, ${see}`)
  if (state === 'invalid')
    yield invalidValue(field, definition.metadata.annotations?.[APPROVED] ?? '', `${needed} with either a URL or a reason starting with "unapproved", ${see}`)
}

function approval({ metadata }: KubeObject): 'missing' | 'bypassed' | 'approved' | 'invalid' {
  const annotation = metadata.annotations?.[APPROVED] ?? ''
  if (annotation === '') return 'missing'
  if (annotation.startsWith('unapproved')) return 'bypassed'
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+[^\s]*$/i.test(annotation) ? 'approved' : 'invalid'
}

/** A version as upstream's internal type is told in errors. */
function internalVersion(version: JsonObject, own: Omit<Parts, 'path'> | undefined): unknown {
  const { subresources, columns = [], selectable = [], schema } = own ?? { schema: undefined, subresources: undefined }
  const scale = subresources?.['scale']
  return {
    Name: version['name'] ?? '',
    Served: version['served'] === true,
    Storage: version['storage'] === true,
    Deprecated: version['deprecated'] === true,
    DeprecationWarning: version['deprecationWarning'] ?? null,
    Schema: schema === undefined ? null : { OpenAPIV3Schema: internalSchema(schema) },
    Subresources:
      subresources === undefined
        ? null
        : {
            Status: isObject(subresources['status']) ? {} : null,
            Scale: isObject(scale)
              ? {
                  SpecReplicasPath: scale['specReplicasPath'] ?? '',
                  StatusReplicasPath: scale['statusReplicasPath'] ?? '',
                  LabelSelectorPath: scale['labelSelectorPath'] ?? null,
                }
              : null,
          },
    AdditionalPrinterColumns:
      columns.length === 0
        ? null
        : columns.map((column) => ({
            Name: column['name'] ?? '',
            Type: column['type'] ?? '',
            Format: column['format'] ?? '',
            Description: column['description'] ?? '',
            Priority: column['priority'] ?? 0,
            JSONPath: column['jsonPath'] ?? '',
          })),
    SelectableFields: selectable.length === 0 ? null : selectable.map(({ jsonPath }) => ({ JSONPath: jsonPath ?? '' })),
  }
}

/** Formats that no validation looks at, of a new definition, or new in a changed one. */
export function formatWarnings(definition: KubeObject, before: KubeObject | null): string[] {
  const known = new Set(before === null ? [] : unknownFormats(before))
  return unknownFormats(definition)
    .filter((format) => !known.has(format))
    .map((format) => `unrecognized format ${JSON.stringify(format)}`)
}

function unknownFormats(definition: KubeObject): string[] {
  const versions = objects(at(definition['spec'])['versions'])
  const common = shared<JsonObject | null>(versions, 'schema', null)
  const schemas = common === undefined ? versions.map((version) => schemaOf(version['schema'])) : [schemaOf(common)]
  const inSchema = (schema: SchemaNode): string[] => {
    const format = text(schema['format'])
    const type = typeOf(schema)
    return [...(format === '' || supportedFormat(type === '' ? [] : [type], format) !== '' ? [] : [format]), ...innerSchemas(schema).flatMap(inSchema)]
  }
  return schemas.flatMap((schema) => (schema === undefined ? [] : inSchema(schema)))
}
