import { deepEqual, isObject, type JsonObject } from '../json.ts'
import { builtinSchema, type TypeRef } from '../schema/schema.ts'

/**
 * What differs between two objects, in the manner of Go's cmp.Diff: lines that only `now` has start with `-`, lines that only
 * `was` has with `+`, equal members are counted. Upstream puts it behind "may not change"; cmp promises no stable form.
 *
 * @param type the table's name of the struct
 */
export function objectDiff(now: unknown, was: unknown, type: string): string {
  return lines(now, was, { kind: 'struct', name: type }, '', 0).join('\n')
}

const MAX_LINES = 60

const indent = (depth: number): string => '\t'.repeat(depth)

function titleOf(type: TypeRef): string {
  if (type.kind === 'struct') {
    const [room = '', ...rest] = type.name.split('.')
    return `${room === 'meta' ? 'v1' : room}.${rest.at(-1) ?? ''}`
  }
  if (type.kind === 'list') return `[]${titleOf(type.of)}`
  if (type.kind === 'map') return `map[string]${titleOf(type.of)}`
  return type.scalar
}

function inline(value: unknown): string {
  return value === undefined || value === null ? 'nil' : JSON.stringify(value)
}

function memberType(type: TypeRef, name: string): TypeRef {
  if (type.kind === 'struct') return builtinSchema.struct(type.name)?.fields.get(name)?.type ?? { kind: 'scalar', scalar: 'json' }
  return type.kind === 'map' || type.kind === 'list' ? type.of : { kind: 'scalar', scalar: 'json' }
}

function members(value: unknown, type: TypeRef): JsonObject {
  if (Array.isArray(value)) return Object.fromEntries((value as unknown[]).entries())
  if (!isObject(value)) return {}
  return type.kind === 'struct' ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name.charAt(0).toUpperCase() + name.slice(1), each])) : value
}

function jsonName(type: TypeRef, shown: string): string {
  return type.kind === 'struct' ? shown.charAt(0).toLowerCase() + shown.slice(1) : shown
}

function lines(now: unknown, was: unknown, type: TypeRef, label: string, depth: number): string[] {
  const same = (Array.isArray(now) && Array.isArray(was)) || (isObject(now) && isObject(was))
  if (!same) {
    const result: string[] = []
    if (now !== undefined) result.push(`- ${indent(depth)}${label}${inline(now)},`)
    if (was !== undefined) result.push(`+ ${indent(depth)}${label}${inline(was)},`)
    return result
  }
  const [left, right] = [members(now, type), members(was, type)]
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])].sort()
  const result = [`  ${indent(depth)}${label}${titleOf(type)}{`]
  let equal = 0
  const flush = (): void => {
    if (equal > 0)
      result.push(`  ${indent(depth + 1)}... // ${String(equal)} identical ${type.kind === 'struct' ? 'fields' : type.kind === 'map' ? 'entries' : 'elements'}`)
    equal = 0
  }
  for (const name of names) {
    if (deepEqual(left[name] ?? null, right[name] ?? null)) {
      equal += 1
      continue
    }
    flush()
    const shown = type.kind === 'struct' ? `${name}: ` : type.kind === 'map' ? `${JSON.stringify(name)}: ` : ''
    result.push(...lines(left[name], right[name], memberType(type, jsonName(type, name)), shown, depth + 1))
    if (result.length > MAX_LINES) break
  }
  flush()
  result.push(`  ${indent(depth)}}${depth === 0 ? '\n' : ','}`)
  return result
}
