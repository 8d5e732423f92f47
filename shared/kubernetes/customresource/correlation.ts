import { deepEqual, isObject } from '../json.ts'
import { itemsOf, listMapKeysOf, listTypeOf, propertyOf, valuesOf, type SchemaNode } from './schemaNode.ts'

/** An object's keys of a list of type map, as one text; null when it lacks one, or has one that is no scalar. */
function mapKey(item: unknown, keys: readonly string[]): string | null {
  if (!isObject(item) || keys.length === 0) return null
  const values = keys.map((key) => (Object.hasOwn(item, key) ? item[key] : undefined))
  return values.every((value) => ['boolean', 'number', 'string'].includes(typeof value)) ? JSON.stringify(values) : null
}

/**
 * A new value beside the old one it came from, as far as the schema tells which belong together: properties by name, items of
 * lists of type map by their keys. What was invalid before and did not change may stay (ratcheting).
 *
 * @see k8s.io/apiserver/pkg/cel/common/equality.go
 */
export class Correlated {
  readonly value: unknown
  readonly old: unknown
  readonly #schema: SchemaNode | undefined
  readonly #children = new Map<string | number, Correlated | null>()
  #same: boolean | null = null

  constructor(value: unknown, old: unknown, schema: SchemaNode | undefined) {
    this.value = value
    this.old = old
    this.#schema = schema
  }

  /** Null when the field is not in both, or the schema does not know it. */
  key(field: string): Correlated | null {
    const known = this.#children.get(field)
    if (known !== undefined) return known
    const schema = this.#schema === undefined ? undefined : (propertyOf(this.#schema, field) ?? valuesOf(this.#schema))
    const { value, old } = this
    if (schema === undefined || !isObject(value) || !isObject(old) || !Object.hasOwn(value, field) || !Object.hasOwn(old, field)) return null
    return this.#remember(field, new Correlated(value[field], old[field], schema))
  }

  index(index: number): Correlated | null {
    const known = this.#children.get(index)
    if (known !== undefined) return known
    const schema = this.#schema
    if (schema === undefined || listTypeOf(schema) !== 'map' || !Array.isArray(this.value) || !Array.isArray(this.old)) return null
    const keys = listMapKeysOf(schema)
    const wanted = mapKey(this.value[index], keys)
    const items = itemsOf(schema)
    const old: unknown = wanted === null ? undefined : this.old.find((each) => mapKey(each, keys) === wanted)
    if (old === undefined || old === null || items === undefined) return null
    return this.#remember(index, new Correlated(this.value[index], old, items))
  }

  /** Whether nothing changed. Lists of type map compare by their keys, whatever their order. */
  same(): boolean {
    return (this.#same ??= this.#compare())
  }

  #compare(): boolean {
    const { value, old } = this
    if (value === null || value === undefined || old === null || old === undefined) return (value ?? null) === null && (old ?? null) === null
    if (Array.isArray(value)) {
      if (!Array.isArray(old) || value.length !== old.length) return false
      if (this.#schema === undefined || listTypeOf(this.#schema) !== 'map') return deepEqual(value, old)
      return value.every((_, index) => this.index(index)?.same() === true)
    }
    if (isObject(value)) {
      if (!isObject(old) || Array.isArray(old) || Object.keys(value).length !== Object.keys(old).length) return false
      return Object.keys(value).every((key) => this.key(key)?.same() === true)
    }
    return value === old
  }

  #remember(key: string | number, child: Correlated): Correlated {
    this.#children.set(key, child)
    return child
  }
}

/** The old item with the keys of a new one in a list of type map; undefined elsewhere. */
export function oldItemOf(schema: SchemaNode, old: unknown, item: unknown): unknown {
  if (listTypeOf(schema) !== 'map' || !Array.isArray(old)) return undefined
  const keys = listMapKeysOf(schema)
  const wanted = mapKey(item, keys)
  return wanted === null ? undefined : old.find((each) => mapKey(each, keys) === wanted)
}
