import { isObject, type JsonObject } from '../../json.ts'
import type { FieldError } from '../../validation/fieldError.ts'
import { text } from '../../validation/values.ts'
import { validFieldPath } from '../fieldPath.ts'
import { indexPath, typeOf, type SchemaNode } from '../schemaNode.ts'
import { duplicateValue, invalidValue, requiredValue, tooMany } from '../shown.ts'

const MAX_SELECTABLE = 8
const MAX_WARNING = 256
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string']
const COLUMN_FORMATS = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']

/** A version's deprecation warning. */
export function* warningErrors(version: JsonObject, field: string): Iterable<FieldError> {
  const warning = version['deprecationWarning']
  if (typeof warning !== 'string') return
  if (version['deprecated'] !== true) {
    yield invalidValue(field, warning, 'can only be set for deprecated versions')
    return
  }
  if (new TextEncoder().encode(warning).length > MAX_WARNING) yield invalidValue(field, warning, `must be <= ${String(MAX_WARNING)} characters long`)
  if (warning === '') yield invalidValue(field, warning, 'must not be an empty string')
  let offset = 0
  for (const character of warning) {
    if (character !== ' ' && /[\p{C}\p{Z}]/u.test(character)) {
      yield invalidValue(field, warning, `must only contain printable UTF-8 characters; non-printable character found at index ${String(offset)}`)
      return
    }
    offset += new TextEncoder().encode(character).length
  }
}

function* simplePathErrors(path: string, field: string): Iterable<FieldError> {
  if (!path.startsWith('.')) yield invalidValue(field, path, 'must be a simple json path starting with .')
}

/** The paths of a version's scale subresource. */
export function* subresourceErrors(subresources: JsonObject | undefined, path: string): Iterable<FieldError> {
  const scale = subresources?.['scale']
  if (!isObject(scale)) return
  for (const [name, root] of [
    ['specReplicasPath', '.spec'],
    ['statusReplicasPath', '.status'],
  ] as const) {
    const field = `${path}.scale.${name}`
    const given = text(scale[name])
    const wrong = [...simplePathErrors(given, field)]
    if (given === '') yield requiredValue(field)
    else if (wrong.length > 0) yield* wrong
    else if (!given.startsWith(`${root}.`)) yield invalidValue(field, given, `should be a json path under ${root}`)
  }
  const selector = text(scale['labelSelectorPath'])
  if (selector === '') return
  const field = `${path}.scale.labelSelectorPath`
  const wrong = [...simplePathErrors(selector, field)]
  if (wrong.length > 0) yield* wrong
  else if (!selector.startsWith('.spec.') && !selector.startsWith('.status.'))
    yield invalidValue(field, selector, 'should be a json path under either .spec or .status')
}

/** One of a version's printer columns. */
export function* columnErrors(column: JsonObject, path: string): Iterable<FieldError> {
  const [type, format, jsonPath] = [text(column['type']), text(column['format']), text(column['jsonPath'])]
  if (text(column['name']) === '') yield requiredValue(`${path}.name`)
  const oneOf = `must be one of ${COLUMN_TYPES.join(',')}`
  if (type === '') yield requiredValue(`${path}.type`, oneOf)
  else if (!COLUMN_TYPES.includes(type)) yield invalidValue(`${path}.type`, type, oneOf)
  if (format !== '' && !COLUMN_FORMATS.includes(format)) yield invalidValue(`${path}.format`, format, `must be one of ${COLUMN_FORMATS.join(',')}`)
  if (jsonPath === '') yield requiredValue(`${path}.JSONPath`)
  else yield* simplePathErrors(jsonPath, `${path}.JSONPath`)
}

/** The fields by which objects of a version can be selected. */
export function* selectableErrors(selectable: readonly JsonObject[], schema: SchemaNode, path: string): Iterable<FieldError> {
  const known = new Set<string>()
  for (const [index, { jsonPath }] of selectable.entries()) {
    const field = `${indexPath(path, index)}.jsonPath`
    const given = text(jsonPath)
    if (given === '') {
      yield requiredValue(field)
      continue
    }
    const found = validFieldPath(given, schema, { arrayNotation: false })
    if (found.error !== undefined) {
      yield invalidValue(field, given, `is an invalid path: ${found.error}`)
      continue
    }
    if (found.root === 'metadata') yield invalidValue(field, given, 'must not point to fields in metadata')
    if (!['string', 'boolean', 'integer'].includes(typeOf(found.schema)))
      yield invalidValue(field, given, 'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.')
    if (known.has(found.path)) yield duplicateValue(field, given)
    known.add(found.path)
  }
  if (known.size > MAX_SELECTABLE) yield tooMany(path, known.size, MAX_SELECTABLE)
}
