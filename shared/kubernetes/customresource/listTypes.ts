import { isObject, type JsonObject } from '../json.ts'
import type { FieldError } from '../validation/fieldError.ts'
import { childPath, indexPath, itemsOf, keyPath, listMapKeysOf, listTypeOf, propertyOf, valuesOf, type SchemaNode } from './schemaNode.ts'
import { duplicateValue, goShown, invalidValue } from './shown.ts'

/**
 * Items that stand twice in lists of type set and map.
 *
 * @see k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype/validation.go
 */
export function listTypeErrors(value: unknown, schema: SchemaNode | undefined, path = ''): FieldError[] {
  if (schema === undefined) return []
  if (Array.isArray(value)) return arrayErrors(value, schema, path)
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([key, each]) => {
    const property = propertyOf(schema, key)
    return [
      ...(valuesOf(schema) === undefined ? [] : listTypeErrors(each, valuesOf(schema), keyPath(path, key))),
      ...(property === undefined ? [] : listTypeErrors(each, property, childPath(path, key))),
    ]
  })
}

function arrayErrors(list: readonly unknown[], schema: SchemaNode, path: string): FieldError[] {
  const errors: FieldError[] = []
  const listType = listTypeOf(schema)
  if (listType === 'set') errors.push(...secondTimes(list).map((index) => duplicateValue(indexPath(path, index), list[index])))
  if (listType === 'map') errors.push(...mapErrors(list, listMapKeysOf(schema), path))
  for (const [index, each] of list.entries()) errors.push(...listTypeErrors(each, itemsOf(schema), indexPath(path, index)))
  return errors
}

/** Where each repeated value stands for the second time. */
function secondTimes(values: readonly unknown[]): number[] {
  const seen = new Map<string, number>()
  return [...values.keys()].filter((index) => {
    const text = goShown(values[index])
    const count = (seen.get(text) ?? 0) + 1
    seen.set(text, count)
    return count === 2
  })
}

function mapErrors(list: readonly unknown[], keys: readonly string[], path: string): FieldError[] {
  for (const [index, each] of list.entries())
    if (each !== null && !isObject(each)) return [invalidValue(indexPath(path, index), each, 'must be an object for an array of list-type map')]
  const found = list.map((each) => {
    const key: JsonObject = {}
    for (const name of keys) if (isObject(each) && Object.hasOwn(each, name)) key[name] = each[name]
    return key
  })
  return secondTimes(found).map((index) => duplicateValue(indexPath(path, index), found[index]))
}
