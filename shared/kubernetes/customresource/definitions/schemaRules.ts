import { isObject } from '../../json.ts'
import type { FieldError } from '../../validation/fieldError.ts'
import { validFieldPath } from '../fieldPath.ts'
import { compileRules } from '../rules.ts'
import { celTypeOf } from '../ruleTypes.ts'
import {
  branchesOf,
  childPath,
  indexPath,
  isEmbedded,
  itemsOf,
  keyPath,
  listMapKeysOf,
  listTypeOf,
  META_FIELDS,
  propertiesOf,
  propertyOf,
  rulesOf,
  typeOf,
  valuesOf,
  type Rule,
  type SchemaNode,
} from '../schemaNode.ts'
import { mostInRequest, mostWithin, sizeAt, sizedTypeOf } from '../sizedTypes.ts'
import { forbiddenValue, goShown, invalidValue, requiredValue, unsupportedValue } from '../shown.ts'
import { internalRule, structText } from './internalForm.ts'
import { RuleCosts } from './ruleCosts.ts'

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']

/** What stands over a node: whether it may have defaults and look at the old value. */
interface Place {
  path: string
  isRoot: boolean
  /** null when defaults may be; else why not. */
  defaultsForbidden: string | null
  insideMeta: boolean
  /** The first node above whose parts cannot be told from one version of an object to the next. */
  uncorrelatable: string | null
  /** Whether rules are compiled: not under value validations, and not when the schema is no good. */
  rules: boolean
  /** How many values of this schema one object may hold; null without a bound. */
  mostValues: number | null
  costs: RuleCosts
}

interface Found {
  schema: FieldError[]
  rules: FieldError[]
}

const at = (place: Place, path: string, change: Partial<Place> = {}): Place => ({ ...place, path, isRoot: false, ...change })

/** The place of what a node's values hold: items, values, properties. */
function within(schema: SchemaNode, place: Place, path: string, change: Partial<Place>): Place {
  const most = mostWithin(schema)
  return at(place, path, { ...change, mostValues: most === null || place.mostValues === null ? null : place.mostValues * most })
}

/**
 * What is wrong with a schema beside its structure: unsupported words, list and map types, and rules that do not compile.
 *
 * @param rules false when the schema is not structural: rules then have no types
 * @param unchanged the schema stood so before: no single rule is too costly then
 * @see k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation ValidateCustomResourceDefinitionOpenAPISchema
 */
export function schemaRuleErrors(schema: SchemaNode, path: string, { rules, unchanged = false }: { rules: boolean; unchanged?: boolean }): FieldError[] {
  const costs = new RuleCosts({ unchanged })
  const found = inNode(schema, { path, isRoot: true, defaultsForbidden: null, insideMeta: false, uncorrelatable: null, rules, mostValues: 1, costs })
  return [...found.schema, ...found.rules, ...costs.totalErrors(path)]
}

function inNode(schema: SchemaNode, place: Place): Found {
  const { path } = place
  const found: Found = { schema: [...wordErrors(schema, place)], rules: [] }
  const add = (inner: unknown, innerPlace: Place): void => {
    if (!isObject(inner)) return
    const { schema: schemaErrors, rules } = inNode(inner, innerPlace)
    found.schema.push(...schemaErrors)
    found.rules.push(...rules)
  }
  if (schema['uniqueItems'] === true)
    found.schema.push(forbiddenValue(childPath(path, 'uniqueItems'), 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'))
  addMembers(schema, place, found, add)
  const noRules = { rules: false }
  add(schema['not'], at(place, childPath(path, 'not'), noRules))
  for (const junctor of ['allOf', 'oneOf', 'anyOf'] as const)
    for (const [index, branch] of branchesOf(schema, junctor).entries()) add(branch, at(place, indexPath(childPath(path, junctor), index), noRules))
  for (const [name, each] of Object.entries(isObject(schema['definitions']) ? schema['definitions'] : {}))
    add(each, at(place, keyPath(childPath(path, 'definitions'), name), noRules))
  const items = itemsOf(schema)
  const apart = { uncorrelatable: place.uncorrelatable ?? path }
  if (items !== undefined) add(items, within(schema, place, childPath(path, 'items'), listTypeOf(schema) === 'map' ? {} : apart))
  found.schema.push(...extensionErrors(schema, path))
  const rules = rulesOf(schema)
  if (rules.length === 0) return found
  found.schema.push(...rules.flatMap((rule, index) => [...ruleTextErrors(schema, rule, indexPath(childPath(path, 'x-kubernetes-validations'), index))]))
  // A schema that is no good gives no types to compile rules with.
  if (found.schema.length === 0 && place.rules) found.rules.push(...compileErrors(schema, place))
  return found
}

function addMembers(schema: SchemaNode, place: Place, found: Found, add: (inner: unknown, innerPlace: Place) => void): void {
  const { path } = place
  const properties = Object.entries(propertiesOf(schema)).sort(([a], [b]) => (a < b ? -1 : 1))
  const { additionalProperties } = schema
  if (additionalProperties !== undefined) {
    if (properties.length > 0 && additionalProperties !== true)
      found.schema.push(forbiddenValue(childPath(path, 'additionalProperties'), 'additionalProperties and properties are mutual exclusive'))
    const forbidden = place.insideMeta ? { defaultsForbidden: ' inside additionalProperties applying to object metadata' } : {}
    add(valuesOf(schema), within(schema, place, childPath(path, 'additionalProperties'), forbidden))
  }
  for (const [name, property] of properties) {
    const meta = (place.isRoot || isEmbedded(schema)) && META_FIELDS.has(name)
    add(
      property,
      within(schema, place, keyPath(childPath(path, 'properties'), name), {
        insideMeta: place.insideMeta || meta,
        defaultsForbidden: meta && place.isRoot ? ` in top-level ${name}` : place.defaultsForbidden,
      }),
    )
  }
}

function* wordErrors(schema: SchemaNode, { path, defaultsForbidden, insideMeta }: Place): Iterable<FieldError> {
  const type = typeOf(schema)
  if (type !== '' && !TYPES.includes(type)) yield unsupportedValue(childPath(path, 'type'), type, TYPES)
  if (schema['default'] !== undefined && schema['default'] !== null && defaultsForbidden !== null)
    yield forbiddenValue(childPath(path, 'default'), `must not be set${defaultsForbidden}`)
  for (const word of ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref']) {
    const value = schema[word]
    const empty = value === undefined || value === null || value === '' || (isObject(value) && Object.keys(value).length === 0 && word !== 'dependencies')
    if (!empty) yield forbiddenValue(childPath(path, word), `${word} is not supported`)
  }
  if (type === 'null') yield forbiddenValue(childPath(path, 'type'), 'type cannot be set to null, use nullable as an alternative')
  if (Array.isArray(schema['items']) && schema['items'].length > 0)
    yield forbiddenValue(childPath(path, 'items'), 'items must be a schema object and not an array')
  if (insideMeta && isEmbedded(schema)) yield forbiddenValue(childPath(path, 'x-kubernetes-embedded-resource'), 'must not be used inside of resource meta')
}

function* extensionErrors(schema: SchemaNode, path: string): Iterable<FieldError> {
  const type = typeOf(schema)
  const preserve = childPath(path, 'x-kubernetes-preserve-unknown-fields')
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) yield invalidValue(preserve, false, 'must be true or undefined')
  const mapType = schema['x-kubernetes-map-type']
  const mismatch = (wanted: string, by: string): FieldError => {
    const detail = `must be ${wanted} if ${by} is specified`
    return type === '' ? requiredValue(childPath(path, 'type'), detail) : invalidValue(childPath(path, 'type'), type, detail)
  }
  if (typeof mapType === 'string') {
    if (type !== 'object') yield mismatch('object', 'x-kubernetes-map-type')
    if (mapType !== 'atomic' && mapType !== 'granular') yield unsupportedValue(childPath(path, 'x-kubernetes-map-type'), mapType, ['atomic', 'granular'])
  }
  const listType = listTypeOf(schema)
  const items = itemsOf(schema)
  if (listType !== undefined) {
    if (type !== 'array') yield mismatch('array', 'x-kubernetes-list-type')
    else if (listType === 'set' && items !== undefined) yield* setItemErrors(items, path)
    if (!['atomic', 'set', 'map'].includes(listType)) yield unsupportedValue(childPath(path, 'x-kubernetes-list-type'), listType, ['atomic', 'set', 'map'])
  }
  yield* listMapErrors(schema, path)
  if (items !== undefined && (listType === 'set' || listType === 'map')) yield* itemNullErrors(schema, items, listType, path)
}

function* setItemErrors(items: SchemaNode, path: string): Iterable<FieldError> {
  const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const listType = listTypeOf(items)
  const field = childPath(path, 'items')
  if (typeOf(items) === 'array' && listType !== undefined && listType !== 'atomic')
    yield invalidValue(childPath(field, 'x-kubernetes-list-type'), listType, detail)
  // Upstream shows the list type here.
  if (typeOf(items) === 'object' && items['x-kubernetes-map-type'] !== 'atomic')
    yield invalidValue(childPath(field, 'x-kubernetes-map-type'), listType ?? null, detail)
}

function* listMapErrors(schema: SchemaNode, path: string): Iterable<FieldError> {
  const keys = listMapKeysOf(schema)
  const listType = listTypeOf(schema)
  const typeField = childPath(path, 'x-kubernetes-list-type')
  const keysField = childPath(path, 'x-kubernetes-list-map-keys')
  if (keys.length > 0 && listType !== 'map') {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty'
    yield listType === undefined ? requiredValue(typeField, detail) : invalidValue(typeField, listType, detail)
  }
  if (listType !== 'map') return
  const items = itemsOf(schema)
  const field = childPath(path, 'items')
  if (keys.length === 0) yield requiredValue(keysField, 'must not be empty if x-kubernetes-list-type is map')
  if (items === undefined) {
    yield requiredValue(field, 'must have a schema if x-kubernetes-list-type is map')
    return
  }
  if (typeOf(items) !== 'object') {
    yield invalidValue(childPath(field, 'type'), typeOf(items), "must be object if parent array's x-kubernetes-list-type is map")
    return
  }
  for (const [index, key] of keys.entries()) {
    const property = propertyOf(items, key)
    if (property === undefined) yield invalidValue(keysField, keys, 'entries must all be names of item properties')
    else if (typeOf(property) === 'array' || typeOf(property) === 'object')
      yield invalidValue(
        `${keyPath(childPath(field, 'properties'), key)}.type`,
        typeOf(items),
        "must be a scalar type if parent array's x-kubernetes-list-type is map",
      )
    if (keys.indexOf(key) < index) yield invalidValue(keysField, keys, 'must not contain duplicate entries')
  }
}

function* itemNullErrors(schema: SchemaNode, items: SchemaNode, listType: string, path: string): Iterable<FieldError> {
  const field = childPath(path, 'items')
  if (items['nullable'] === true) yield forbiddenValue(childPath(field, 'nullable'), `cannot be nullable when x-kubernetes-list-type is ${listType}`)
  if (listType !== 'map') return
  const required = Array.isArray(items['required']) ? items['required'] : []
  for (const key of listMapKeysOf(schema)) {
    const property = propertyOf(items, key)
    if (property === undefined) continue
    const keyField = keyPath(childPath(field, 'properties'), key)
    if (!required.includes(key) && (property['default'] ?? null) === null)
      yield requiredValue(`${keyField}.default`, 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property')
    if (property['nullable'] === true) yield forbiddenValue(`${keyField}.nullable`, 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable')
  }
}

const hasNewlines = (text: string): boolean => /[\n\r]/.test(text)

function* ruleTextErrors(schema: SchemaNode, rule: Rule, path: string): Iterable<FieldError> {
  const { message = '', messageExpression = '', reason, fieldPath = '' } = rule
  const [text, trimmed] = [rule.rule.trim(), message.trim()]
  if (text === '') yield requiredValue(childPath(path, 'rule'), 'rule is not specified')
  else if (message !== '' && trimmed === '') yield invalidValue(childPath(path, 'message'), message, 'must be non-empty if specified')
  else if (hasNewlines(trimmed)) yield invalidValue(childPath(path, 'message'), message, 'must not contain line breaks')
  else if (hasNewlines(text) && trimmed === '') yield requiredValue(childPath(path, 'message'), 'message must be specified if rule contains line breaks')
  if (messageExpression !== '' && messageExpression.trim() === '')
    yield requiredValue(childPath(path, 'messageExpression'), 'messageExpression must be non-empty if specified')
  if (reason !== undefined && !REASONS.includes(reason)) yield unsupportedValue(childPath(path, 'reason'), reason, REASONS)
  if (fieldPath === '') return
  if (fieldPath.trim() === '') yield invalidValue(childPath(path, 'fieldPath'), fieldPath, 'must be non-empty if specified')
  if (hasNewlines(fieldPath)) yield invalidValue(childPath(path, 'fieldPath'), fieldPath, 'must not contain line breaks')
  if (validFieldPath(fieldPath, schema).error !== undefined) yield invalidValue(childPath(path, 'fieldPath'), fieldPath, 'must be a valid path')
}

function* compileErrors(schema: SchemaNode, { path, isRoot, uncorrelatable, mostValues, costs }: Place): Iterable<FieldError> {
  const field = childPath(path, 'x-kubernetes-validations')
  const type = celTypeOf(schema, isRoot || isEmbedded(schema))
  const sized = sizedTypeOf(schema, isRoot || isEmbedded(schema))
  if (type === null || sized === null) {
    yield { type: 'InternalError', field, value: '', detail: 'internal error: failed to retrieve type information for x-kubernetes-validations' }
    return
  }
  for (const [index, compiled] of compileRules(schema, type).entries()) {
    const { rule, error, messageError, usesOldSelf } = compiled
    const own = indexPath(field, index)
    const wrong = (name: string, detail: string): FieldError => ({
      type: 'Invalid',
      field: childPath(own, name),
      value: structText(internalRule(rule as unknown as SchemaNode)),
      detail,
    })
    const most = mostValues ?? mostInRequest(sized)
    const cost = (compiled.program?.maxCost((place) => sizeAt(sized, place)) ?? 0) * most
    yield* costs.observe(childPath(own, 'rule'), 'estimated rule cost', cost)
    if (error !== null) yield wrong('rule', error)
    if (messageError !== null) yield wrong('messageExpression', messageError)
    else if (compiled.message !== null) {
      const messageCost = compiled.message.maxCost((place) => sizeAt(sized, place))
      yield* costs.observe(childPath(own, 'messageExpression'), 'estimated messageExpression cost', messageCost)
    }
    if (usesOldSelf && uncorrelatable !== null)
      yield invalidValue(childPath(own, 'rule'), rule.rule, `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`)
    if (!usesOldSelf && rule.optionalOldSelf !== undefined)
      yield {
        type: 'Invalid',
        field: childPath(own, 'optionalOldSelf'),
        value: goShown(rule.optionalOldSelf),
        detail: 'may not be set if oldSelf is not used in rule',
      }
  }
}
