import { isObject } from '../json.ts'
import { EMPTY, fromChildren, union, type FieldSet } from './fieldSet.ts'
import type { Managers } from './managers.ts'
import type { MergeType } from './mergeType.ts'
import { elementOf, fieldsOf } from './typedValue.ts'

// What Kubernetes before 1.21 does otherwise: its structured-merge-diff was version 4.0.

/**
 * A bare entry of a map or a list says to version 4 that it was a unit when it was written, and is granular by now: its manager
 * gets all that is in it.
 *
 * @see sigs.k8s.io/structured-merge-diff/v4 typed/reconcile_schema.go
 */
export function reconciled(managers: Managers, live: unknown, type: MergeType): Managers {
  return new Map([...managers].map(([key, manager]) => [key, { ...manager, set: union(manager.set, granular(manager.set, live, type)) }]))
}

function granular(set: FieldSet, value: unknown, type: MergeType): FieldSet {
  if (type.kind === 'leaf' || value === undefined || value === null) return EMPTY
  const found: [string, FieldSet][] = []
  for (const [element, child] of set.children) {
    const inner = innerType(type, element)
    // Within a unit there is nothing, and most fields are units.
    if (inner.kind === 'leaf') continue
    const held = at(value, element, type)
    if (!child.member || child.children.size > 0) found.push([element, granular(child, held, inner)])
    else {
      const whole = held === undefined || held === null ? EMPTY : fieldsOf(held, inner, true)
      found.push([element, whole.children.size === 0 ? EMPTY : whole])
    }
  }
  return found.length === 0 ? EMPTY : fromChildren(found)
}

function innerType(type: MergeType, element: string): MergeType {
  if (type.kind === 'object') return type.member(element.slice(2))
  return type.kind === 'keyed' ? type.item : { kind: 'leaf' }
}

function at(value: unknown, element: string, type: MergeType): unknown {
  if (type.kind === 'object') return isObject(value) ? value[element.slice(2)] : undefined
  if (type.kind === 'leaf' || !Array.isArray(value)) return undefined
  return (value as unknown[]).find((item) => elementOf(type, item) === element)
}
