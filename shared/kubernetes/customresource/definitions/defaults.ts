import { deepCopy, deepEqual, isObject } from '../../json.ts'
import type { FieldError } from '../../validation/fieldError.ts'
import { coerceMetadata, embeddedErrors } from '../embedded.ts'
import { prune } from '../objectFields.ts'
import { RuleValidator } from '../rules.ts'
import { asResourceRoot, childPath, isEmbedded, itemsOf, keyPath, META_FIELDS, propertiesOf, type SchemaNode } from '../schemaNode.ts'
import { schemaErrors } from '../schemaValidation.ts'
import { invalidValue } from '../shown.ts'

/**
 * What is wrong with the defaults in a schema; those within additionalProperties are not looked at, as upstream forbids them elsewhere.
 *
 * @see k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting/validation.go
 */
export function defaultErrors(schema: SchemaNode, path: string): FieldError[] {
  return [...errorsIn(asResourceRoot(schema), path, false, true)]
}

function* errorsIn(schema: SchemaNode, path: string, insideMeta: boolean, isRoot: boolean): Iterable<FieldError> {
  const embedded = isEmbedded(schema)
  const inside = insideMeta && !embedded
  const value = schema['default']
  if (value !== undefined && value !== null) yield* errorsOf(value, schema, childPath(path, 'default'), { inside, isRoot: isRoot || embedded })
  const items = itemsOf(schema)
  if (items !== undefined) yield* errorsIn(items, childPath(path, 'items'), inside, false)
  for (const [name, property] of Object.entries(propertiesOf(schema)).sort(([a], [b]) => (a < b ? -1 : 1)))
    if (isObject(property)) yield* errorsIn(property, keyPath(childPath(path, 'properties'), name), inside || (embedded && META_FIELDS.has(name)), false)
}

function* errorsOf(value: unknown, schema: SchemaNode, path: string, { inside, isRoot }: { inside: boolean; isRoot: boolean }): Iterable<FieldError> {
  if (!inside) {
    const pruned = { value: deepCopy(value) }
    prune(pruned.value, schema, { isResourceRoot: isEmbedded(schema) })
    if (!deepEqual(pruned.value, value)) yield invalidValue(path, value, 'must not have unknown fields')
    const coerced = coerceMetadata(deepCopy(value), schema, { isResourceRoot: isEmbedded(schema), path })
    if (coerced !== null) {
      yield coerced
      return
    }
    const wrong = embeddedErrors(value, schema, { isResourceRoot: isEmbedded(schema), path })
    if (wrong.length > 0) {
      yield* wrong
      return
    }
  }
  const errors = schemaErrors(value, schema, { path })
  if (errors.length > 0) {
    yield* errors
    return
  }
  const rules = RuleValidator.of(schema, isRoot)
  if (rules === null) return
  const kept = rules.validate(value, value, { path }).errors
  yield* kept
  // A default must do as a new value too.
  if (kept.length === 0) yield* rules.validate(value, null, { path }).errors
}
