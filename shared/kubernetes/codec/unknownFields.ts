import { isObject } from '../json.ts'
import type { StructType, WireField } from '../schema/schema.ts'

/** What of a protobuf message, and of those within it, the object's JSON cannot hold. */
export interface UnknownFields {
  /** Fields that the table does not know, which a newer release wrote: in the order in which they stood, each with its tag. */
  fields: { number: number; bytes: Uint8Array }[]
  /** Integers beyond 2^53, by `placeOf`: the number that stands for each in JSON, and the field as it was, with its tag. */
  exact: Map<string, { shown: number; bytes: Uint8Array }>
  /** Of the messages within, by `placeOf`. */
  within: Map<string, UnknownFields>
}

export function noUnknownFields(): UnknownFields {
  return { fields: [], exact: new Map(), within: new Map() }
}

/**
 * Where a message or number stands in the message around it: items of a list by the key that merges them, so that they are found again when
 * others come or go before them, and by their index where they have none.
 */
export function placeOf(struct: StructType, field: WireField, value: unknown, at: number | string = 0): string {
  const { type } = field
  if (type.kind !== 'list') return type.kind === 'map' ? `${String(field.number)}/${String(at)}` : String(field.number)
  const facts = struct.fields.get(field.name)
  const keys = facts === undefined ? [] : facts.listMapKeys.length > 0 ? facts.listMapKeys : facts.patchMergeKey === null ? [] : [facts.patchMergeKey]
  if (keys.length === 0 || !isObject(value)) return `${String(field.number)}#${String(at)}`
  return `${String(field.number)}/${JSON.stringify(keys.map((key) => value[key] ?? null))}`
}
