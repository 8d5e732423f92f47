import type { JsonObject } from '../json.ts'
import { difference, intersection, isEmpty, union, type FieldSet } from './fieldSet.ts'
import type { MergeType } from './mergeType.ts'
import { fieldsOf, removeFields } from './typedValue.ts'

export interface Pruning {
  /** What the manager applied last time. */
  last: FieldSet
  /** What it applies now, with the fields of metadata that nobody owns afterwards. */
  applied: FieldSet
  /** What the other managers own. */
  others: Iterable<FieldSet>
  /** Without declared fields above what is owned, as Kubernetes before 1.21 does. */
  version4: boolean
}

/**
 * Takes out what the manager applied last time, then gives back what anybody owns now, and what hangs on it. A list without items counts
 * for nothing in this: `spec: {list: []}` goes when the other members of `spec` go, whoever owns the list.
 *
 * @see sigs.k8s.io/structured-merge-diff/v6 merge/update.go prune
 */
export function pruned(merged: JsonObject, { last, applied, others, version4 }: Pruning, type: MergeType): JsonObject {
  const named = (set: FieldSet): FieldSet => (version4 ? set : withNamed(set, type))
  const before = named(last)
  // Who still applies all of it leaves nothing behind.
  if (!version4 && isEmpty(difference(before, named(applied)))) return merged
  const remove = (gone: FieldSet): JsonObject => removeFields(merged, gone, type) as JsonObject
  const fields = (value: unknown): FieldSet => named(fieldsOf(value, type, version4))
  const all = fields(merged)
  let owned = applied
  for (const set of others) owned = union(owned, set)
  const first = remove(before)
  const second = remove(difference(all, union(fields(first), named(owned))))
  return remove(intersection(difference(all, fields(second)), before))
}

/** Declared fields above a path of the set belong to it too; free keys and items do not. */
function withNamed(set: FieldSet, type: MergeType): FieldSet {
  if (set.children.size === 0) return set
  const children = new Map<string, FieldSet>()
  for (const [element, child] of set.children) {
    const isField = element.startsWith('f:') && type.kind === 'object'
    const inner = withNamed(child, isField ? type.member(element.slice(2)) : type.kind === 'keyed' ? type.item : { kind: 'leaf' })
    const member = inner.member || (inner.children.size > 0 && isField && type.named(element.slice(2)))
    children.set(element, member === inner.member ? inner : { member, children: inner.children })
  }
  return { member: set.member, children }
}
