import { stepsTo } from '../codec/canonical.ts'
import { isObject } from '../json.ts'
import { EMPTY, fromChildren, LEAF, union, type FieldSet } from './fieldSet.ts'
import type { MergeType } from './mergeType.ts'
import { elementOf } from './typedValue.ts'

/**
 * Fields owned as a whole in which an empty list or map was written: upstream compares such fields by reflect.DeepEqual, and what it
 * reads from storage has none of those.
 *
 * @param emptied paths as in `spec.ingress[0].from`
 * @param value the object that was written
 */
export function emptiedLeaves(emptied: readonly string[], value: unknown, type: MergeType): FieldSet {
  return emptied.reduce((set, path) => union(set, leafAt(stepsTo(value, path), value, type)), EMPTY)
}

function leafAt(steps: readonly string[], value: unknown, type: MergeType): FieldSet {
  if (value === undefined) return EMPTY
  // The members of a struct that is owned as a whole are compared one by one, and those left out when empty are then the same.
  if (type.kind === 'leaf') return steps.length === 0 || steps.some((each) => /^\d+$/.test(each)) ? LEAF : EMPTY
  const [step, ...rest] = steps
  if (step === undefined) return EMPTY
  if (type.kind === 'object') {
    if (!isObject(value) || !Object.hasOwn(value, step)) return EMPTY
    return fromChildren([[`f:${step}`, leafAt(rest, value[step], type.member(step))]])
  }
  const item: unknown = Array.isArray(value) ? value[Number(step)] : undefined
  return item === undefined || type.kind === 'set' ? EMPTY : fromChildren([[elementOf(type, item), leafAt(rest, item, type.item)]])
}
