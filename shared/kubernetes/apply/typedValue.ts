import { deepCopy, deepEqual, isObject, setOwn, type JsonObject } from '../json.ts'
import { EMPTY, fromChildren, isEmpty, LEAF, pathText, union, type FieldSet } from './fieldSet.ts'
import { mergedItems, type KeyedItem } from './mergedItems.ts'
import type { MergeType } from './mergeType.ts'

/** Sorted JSON of a value, as path elements hold it. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value ?? null)
  return `{${Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`)
    .join(',')}}`
}

/** The path element of a list's item. */
export function elementOf(type: MergeType & { kind: 'keyed' | 'set' }, item: unknown): string {
  if (type.kind === 'set') return `v:${canonicalJson(item)}`
  const keys: JsonObject = {}
  for (const key of type.keys) {
    const value = isObject(item) ? (item[key] ?? type.defaults[key]) : undefined
    if (value !== undefined) keys[key] = value
  }
  return `k:${canonicalJson(keys)}`
}

/** Items by path element; there is more than one where a list has an item twice. */
function itemsOf(type: MergeType & { kind: 'keyed' | 'set' }, list: unknown): Map<string, readonly unknown[]> {
  const items = new Map<string, readonly unknown[]>()
  for (const item of Array.isArray(list) ? (list as unknown[]) : []) {
    const element = elementOf(type, item)
    items.set(element, [...(items.get(element) ?? []), item])
  }
  return items
}

function itemType(type: MergeType & { kind: 'keyed' | 'set' }): MergeType {
  return type.kind === 'keyed' ? type.item : { kind: 'leaf' }
}

/** Whether the value must be taken as one unit: its type says so, or it is not of the type's shape. */
function isLeaf(type: MergeType, ...values: unknown[]): boolean {
  if (type.kind === 'leaf') return true
  return values.some((value) => value !== undefined && value !== null && (type.kind === 'object' ? !isObject(value) : !Array.isArray(value)))
}

/**
 * The fields that an applied object names: leaves, list items, free keys, and objects given empty.
 *
 * @param version4 without the objects given empty, as Kubernetes before 1.21 has it
 */
export function fieldsOf(value: unknown, type: MergeType, version4 = false): FieldSet {
  if (isLeaf(type, value)) return LEAF
  if (type.kind === 'object') {
    if (!isObject(value)) return EMPTY
    return fromChildren(
      Object.entries(value).map(([name, each]) => {
        const inner = fieldsOf(each, type.member(name), version4)
        const bare = each === null || (isObject(each) && Object.keys(each).length === 0)
        const own = (bare && !version4) || !type.named(name)
        return [`f:${name}`, own && !inner.member ? { member: true, children: inner.children } : inner] as const
      }),
    )
  }
  if (type.kind === 'leaf') return LEAF
  // Of what is there twice only the item is told, and nothing in it.
  const inner = (items: readonly unknown[]): FieldSet => (items.length > 1 ? LEAF : union(LEAF, fieldsOf(items[0], itemType(type), version4)))
  return fromChildren([...itemsOf(type, value)].map(([element, items]) => [element, inner(items)] as const))
}

/** Why version 4 takes a value for none of its type: items of a list that are named alike, or lack what names them. Null when it does. */
export function typeFault(value: unknown, type: MergeType): string | null {
  if (!hasFault(value, type)) return null
  const faults = [...typeFaults(value, type, [])]
  return faults.length > 1 ? ['errors:', ...faults.map((each) => `  ${each}`)].join('\n') : (faults[0] ?? null)
}

/** Whether `typeFaults` has anything to tell, which it rarely has. */
function hasFault(value: unknown, type: MergeType): boolean {
  const within = type.kind === 'leaf' ? type.items : undefined
  if (within !== undefined && Array.isArray(value)) return value.some((item) => hasFault(item, within))
  if (isLeaf(type, value) || type.kind === 'leaf' || value === undefined || value === null) return false
  if (type.kind === 'object') {
    const object = value as JsonObject
    return Object.keys(object).some((name) => hasFault(object[name], type.member(name)))
  }
  const items = value as unknown[]
  const seen = new Set<string>()
  for (const item of items) {
    if (type.kind === 'keyed' && type.keys.some((key) => isObject(item) && item[key] === undefined && type.defaults[key] === undefined)) return true
    if (items.length > 1) seen.add(elementOf(type, item))
    if (type.kind === 'keyed' && hasFault(item, type.item)) return true
  }
  return items.length > 1 && seen.size < items.length
}

function* typeFaults(value: unknown, type: MergeType, path: readonly string[]): Generator<string> {
  const within = type.kind === 'leaf' ? type.items : undefined
  if (within !== undefined && Array.isArray(value))
    for (const [index, item] of value.entries()) yield* typeFaults(item, within, [...path, `i:${String(index)}`])
  if (isLeaf(type, value) || type.kind === 'leaf') return
  if (type.kind === 'object') {
    for (const [name, each] of Object.entries(isObject(value) ? value : {})) yield* typeFaults(each, type.member(name), [...path, `f:${name}`])
    return
  }
  const seen = new Set<string>()
  for (const [index, item] of (Array.isArray(value) ? (value as unknown[]) : []).entries()) {
    const lacking = type.kind === 'keyed' ? type.keys.find((key) => isObject(item) && item[key] === undefined && type.defaults[key] === undefined) : undefined
    if (lacking !== undefined) {
      yield `${pathText(path)}: element ${String(index)}: associative list with keys has an element that omits key field ${JSON.stringify(lacking)} (and doesn't have default value)`
      // Version 4 looks no further in such a list.
      return
    }
    const element = elementOf(type, item)
    if (seen.has(element)) yield `${pathText(path)}: duplicate entries for key ${pathText([element])}`
    seen.add(element)
    yield* typeFaults(item, itemType(type), [...path, element])
  }
}

export interface Comparison {
  added: FieldSet
  modified: FieldSet
  removed: FieldSet
}

const SAME: Comparison = { added: EMPTY, modified: EMPTY, removed: EMPTY }

function isBare(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0)
}

/** What became of each field between two objects of one type. */
export function compare(before: unknown, after: unknown, type: MergeType): Comparison {
  if (before === undefined && after === undefined) return SAME
  const leaf = isLeaf(type, before, after) || (isBare(before) && isBare(after))
  if (leaf || type.kind === 'leaf') {
    if (before === undefined) return { ...SAME, added: LEAF }
    if (after === undefined) return { ...SAME, removed: LEAF }
    return deepEqual(before, after) ? SAME : { ...SAME, modified: LEAF }
  }
  // Most of what is new or gone is so as a whole: one set is made instead of three.
  if (before === undefined) return { ...SAME, added: everything(after, type) }
  if (after === undefined) return { ...SAME, removed: everything(before, type) }
  const parts = { added: [] as Child[], modified: [] as Child[], removed: [] as Child[] }
  const collect = (key: string, each: Comparison): void => {
    if (each === SAME) return
    parts.added.push([key, each.added])
    parts.modified.push([key, each.modified])
    parts.removed.push([key, each.removed])
  }
  if (type.kind === 'object') {
    const [left, right] = [isObject(before) ? before : {}, isObject(after) ? after : {}]
    for (const name of Object.keys(left)) collect(`f:${name}`, compare(left[name], Object.hasOwn(right, name) ? right[name] : undefined, type.member(name)))
    for (const name of Object.keys(right)) if (!Object.hasOwn(left, name)) collect(`f:${name}`, compare(undefined, right[name], type.member(name)))
  } else {
    // Most lists did not change, and naming their items costs more than comparing them.
    if (deepEqual(before, after)) return SAME
    const [left, right] = [itemsOf(type, before), itemsOf(type, after)]
    for (const [element, items] of left) collect(element, compareItems(items, right.get(element) ?? [], itemType(type)))
    for (const [element, items] of right) if (!left.has(element)) collect(element, compareItems([], items, itemType(type)))
  }
  if (parts.added.length === 0) return SAME
  return { added: fromChildren(parts.added), modified: fromChildren(parts.modified), removed: fromChildren(parts.removed) }
}

/** Items of one path element. What is there twice is compared as a whole, and becoming twice or once is coming and going. */
function compareItems(before: readonly unknown[], after: readonly unknown[], type: MergeType): Comparison {
  const twice = [before.length > 1, after.length > 1]
  if (twice.every(Boolean)) return deepEqual(before, after) ? SAME : { ...SAME, modified: LEAF }
  if (!twice.some(Boolean)) return compare(before[0], after[0], type)
  const one = twice[0] === true ? compare(undefined, after[0], type) : compare(before[0], undefined, type)
  return twice[0] === true ? { ...one, removed: union(one.removed, LEAF) } : { ...one, added: union(one.added, LEAF) }
}

type Child = readonly [string, FieldSet]

/** Every field of a value that is new or gone as a whole. */
function everything(value: unknown, type: MergeType): FieldSet {
  if (value === undefined) return EMPTY
  if (isLeaf(type, value) || isBare(value) || type.kind === 'leaf') return LEAF
  const children: Child[] = []
  if (type.kind === 'object') {
    const object = isObject(value) ? value : {}
    for (const name of Object.keys(object)) children.push([`f:${name}`, everything(object[name], type.member(name))])
  } else for (const [element, items] of itemsOf(type, value)) children.push([element, items.length > 1 ? LEAF : everything(items[0], itemType(type))])
  return fromChildren(children, true)
}

/**
 * The live value with the applied one laid over it; the applied order of list items wins, live-only items keep their places.
 *
 * @param version4 with the live order of list items and new ones at the end, as Kubernetes before 1.21 has it
 */
export function merge(live: unknown, applied: unknown, type: MergeType, version4 = false): unknown {
  if (applied === undefined) return deepCopy(live)
  if (version4 && applied === null && type.kind !== 'leaf' && !isBare(live)) return deepCopy(live)
  if (live === undefined || live === null || isLeaf(type, live, applied) || type.kind === 'leaf') return deepCopy(applied)
  // A null takes nothing from a map or list that has members.
  if (isBare(live) && isBare(applied)) return deepCopy(applied)
  if (type.kind === 'object') {
    const [left, right] = [live as JsonObject, isObject(applied) ? applied : {}]
    const result: JsonObject = {}
    for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
      const of = (each: JsonObject): unknown => (Object.hasOwn(each, name) ? each[name] : undefined)
      setOwn(result, name, merge(of(left), of(right), type.member(name), version4))
    }
    return result
  }
  if (version4) {
    const [left, right] = [itemsOf(type, live), itemsOf(type, applied)]
    return [
      ...[...left].map(([element, [item]]) => merge(item, right.get(element)?.[0], itemType(type), true)),
      ...[...right].flatMap(([element, [item]]) => (left.has(element) ? [] : [deepCopy(item)])),
    ]
  }
  return mergedItems(keyedItems(type, live), keyedItems(type, applied), (mine, theirs) => merge(mine, theirs, itemType(type)))
}

function keyedItems(type: MergeType & { kind: 'keyed' | 'set' }, list: unknown): KeyedItem[] {
  return (Array.isArray(list) ? (list as unknown[]) : []).map((item) => ({ element: elementOf(type, item), item }))
}

/** A copy without the members of `gone`, whole with what is in them; null where nothing is left of a map or list. */
export function removeFields(value: unknown, gone: FieldSet, type: MergeType): unknown {
  if (isEmpty(gone) || isLeaf(type, value) || type.kind === 'leaf') return value
  if (type.kind === 'object') {
    if (!isObject(value)) return value
    const result: JsonObject = {}
    for (const [name, each] of Object.entries(value)) {
      const child = gone.children.get(`f:${name}`)
      if (child?.member === true) continue
      setOwn(result, name, child === undefined ? each : removeFields(each, child, type.member(name)))
    }
    return Object.keys(result).length === 0 ? null : result
  }
  if (!Array.isArray(value)) return value
  const left = (value as unknown[]).flatMap((item) => {
    const child = gone.children.get(elementOf(type, item))
    if (child?.member === true) return []
    return [child === undefined ? item : removeFields(item, child, itemType(type))]
  })
  return left.length === 0 ? null : left
}
