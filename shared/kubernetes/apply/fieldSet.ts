import { isObject, type JsonObject } from '../json.ts'

/**
 * A set of field paths, as a tree. A key is a path element in FieldsV1's text: `f:name`, `k:{"name":"c"}`, `v:"x"`, `i:0`.
 * `member` says that the path to this node is in the set itself (FieldsV1's `.`). Sets are never changed once built.
 */
export interface FieldSet {
  member: boolean
  children: ReadonlyMap<string, FieldSet>
}

export const EMPTY: FieldSet = { member: false, children: new Map() }
export const LEAF: FieldSet = { member: true, children: new Map() }

export function isEmpty(set: FieldSet): boolean {
  return !set.member && set.children.size === 0
}

/** A node, or EMPTY when nothing is in it. */
function node(member: boolean, children: Map<string, FieldSet>): FieldSet {
  return !member && children.size === 0 ? EMPTY : { member, children }
}

/** The set with some children at the root. */
export function fromChildren(children: Iterable<readonly [string, FieldSet]>, member = false): FieldSet {
  const kept = new Map<string, FieldSet>()
  for (const [key, child] of children) if (!isEmpty(child)) kept.set(key, child)
  return node(member, kept)
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b
  if (isEmpty(b)) return a
  // What nothing is added to stays the same set.
  let children: Map<string, FieldSet> | null = null
  for (const [key, child] of b.children) {
    const own = a.children.get(key)
    const both = own === undefined ? child : union(own, child)
    if (both === own) continue
    children ??= new Map(a.children)
    children.set(key, both)
  }
  const member = a.member || b.member
  return children === null && member === a.member ? a : node(member, children ?? new Map(a.children))
}

export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return a
  // What nothing is taken from stays the same set.
  let children: Map<string, FieldSet> | null = null
  for (const [key, taken] of b.children) {
    const child = a.children.get(key)
    if (child === undefined) continue
    const rest = difference(child, taken)
    if (rest === child) continue
    children ??= new Map(a.children)
    if (isEmpty(rest)) children.delete(key)
    else children.set(key, rest)
  }
  const member = a.member && !b.member
  return children === null && member === a.member ? a : node(member, children ?? new Map(a.children))
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>()
  for (const [key, child] of a.children) {
    const other = b.children.get(key)
    const common = other === undefined ? EMPTY : intersection(child, other)
    if (!isEmpty(common)) children.set(key, common)
  }
  return node(a.member && b.member, children)
}

/** Without the subtrees at some paths, whatever is in them. */
export function without(set: FieldSet, paths: readonly (readonly string[])[]): FieldSet {
  return paths.reduce((current, path) => withoutPath(current, path), set)
}

function withoutPath(set: FieldSet, path: readonly string[]): FieldSet {
  const [first, ...rest] = path
  if (first === undefined) return EMPTY
  const child = set.children.get(first)
  if (child === undefined) return set
  const children = new Map(set.children)
  const remaining = withoutPath(child, rest)
  if (isEmpty(remaining)) children.delete(first)
  else children.set(first, remaining)
  return node(set.member, children)
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  return a.member === b.member && a.children.size === b.children.size && [...a.children].every(([key, child]) => equalSets(child, b.children.get(key) ?? EMPTY))
}

/** Every path in the set. */
export function paths(set: FieldSet, prefix: readonly string[] = []): string[][] {
  // Upstream tells the members of a level before what is within them.
  const children = [...sorted(set)]
  return [
    ...children.filter(([, child]) => child.member).map(([key]) => [...prefix, key]),
    ...children.filter(([, child]) => child.children.size > 0).flatMap(([key, child]) => paths(child, [...prefix, key])),
  ]
}

const ORDER = ['f', 'k', 'v', 'i']

function sorted({ children }: FieldSet): Iterable<readonly [string, FieldSet]> {
  if (children.size < 2) return children
  const keys = [...children.keys()]
  const kind = keys[0]?.charCodeAt(0)
  // Hardly ever are there elements of two kinds beside each other.
  if (keys.every((key) => key.charCodeAt(0) === kind)) keys.sort()
  else keys.sort((a, b) => ORDER.indexOf(a.charAt(0)) - ORDER.indexOf(b.charAt(0)) || (a < b ? -1 : 1))
  return keys.map((key) => [key, children.get(key) ?? EMPTY] as const)
}

/** A set from FieldsV1; what is no path element is left out. */
export function parseFieldsV1(fields: unknown): FieldSet {
  if (!isObject(fields)) return EMPTY
  const known = PARSED.get(fields)
  if (known !== undefined) return known
  const set = parseNode(fields, false)
  PARSED.set(fields, set)
  WRITTEN.set(set, fields)
  return set
}

/** Of objects that are stored, which nobody changes. */
const PARSED = new WeakMap<JsonObject, FieldSet>()
/** The other way round. Of what an update changes, most managers own what they owned before. */
const WRITTEN = new WeakMap<FieldSet, JsonObject>()

function parseNode(fields: unknown, inner: boolean): FieldSet {
  if (!isObject(fields)) return EMPTY
  const children = new Map<string, FieldSet>()
  for (const [key, value] of Object.entries(fields)) if (/^[fkvi]:/.test(key)) children.set(key, parseNode(value, true))
  return node(Object.hasOwn(fields, '.') || (inner && children.size === 0), children)
}

/** FieldsV1 of a set; of equal ones maybe the same object, which nobody changes. */
export function fieldsV1(set: FieldSet): JsonObject {
  const known = WRITTEN.get(set)
  if (known !== undefined) return known
  const result = writtenNode(set)
  WRITTEN.set(set, result)
  PARSED.set(result, set)
  return result
}

function writtenNode(set: FieldSet): JsonObject {
  const result: JsonObject = {}
  const { children, member } = set
  if (children.size === 0) return result
  if (member) result['.'] = {}
  for (const [key, child] of sorted(set)) result[key] = writtenNode(child)
  return result
}

/** The path as conflicts name it: `.spec.template.spec.containers[name="c"].image`. */
export function pathText(path: readonly string[]): string {
  return path
    .map((element) => {
      const rest = element.slice(2)
      if (element.startsWith('f:')) return `.${rest}`
      if (element.startsWith('v:')) return `[=${rest}]`
      if (element.startsWith('i:')) return `[${rest}]`
      const keys: unknown = JSON.parse(rest)
      return `[${
        isObject(keys)
          ? Object.entries(keys)
              .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
              .join(',')
          : rest
      }]`
    })
    .join('')
}
