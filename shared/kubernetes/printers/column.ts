import { isObject, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'

/** A column of a Table as the server describes it. */
export interface ColumnDefinition {
  name: string
  type: 'string' | 'integer' | 'number' | 'date' | 'boolean'
  format: string
  description: string
  /** 0: always shown; 1: only with `-o wide`. */
  priority: number
}

export type Cell = string | number | boolean | null

/** How one kind is printed. `nowMs` dates the ages. */
export interface Printer {
  columns: ColumnDefinition[]
  cells: (object: KubeObject, nowMs: number) => Cell[]
}

type ColumnSpec = string | [name: string, options: { type?: ColumnDefinition['type']; wide?: boolean }]

/** Columns by name; the first that is called Name has format `name`. */
export function columns(...specs: ColumnSpec[]): ColumnDefinition[] {
  return specs.map((spec) => {
    const [name, options] = typeof spec === 'string' ? [spec, {}] : spec
    return { name, type: options.type ?? 'string', format: name === 'Name' ? 'name' : '', description: '', priority: options.wide === true ? 1 : 0 }
  })
}

export const wide = (name: string): ColumnSpec => [name, { wide: true }]
export const integer = (name: string): ColumnSpec => [name, { type: 'integer' }]

export function at(value: unknown, ...path: (string | number)[]): unknown {
  let current = value
  for (const name of path) current = Array.isArray(current) ? (current as unknown[])[Number(name)] : isObject(current) ? current[name] : undefined
  return current
}

export function textAt(value: unknown, ...path: (string | number)[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : typeof found === 'number' || typeof found === 'boolean' ? String(found) : ''
}

export function countAt(value: unknown, ...path: (string | number)[]): number {
  const found = at(value, ...path)
  return typeof found === 'number' ? found : 0
}

export function listAt(value: unknown, ...path: (string | number)[]): unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? (found as unknown[]) : []
}

export function mapAt(value: unknown, ...path: (string | number)[]): JsonObject {
  const found = at(value, ...path)
  return isObject(found) ? found : {}
}

export function orNone(text: string): string {
  return text === '' ? '<none>' : text
}

/** A span as kubectl shows ages: two units at most, coarser as it grows. */
export function durationText(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds <= 0) return '0s'
  if (seconds < 120) return `${String(seconds)}s`
  const minutes = Math.trunc(seconds / 60)
  const pair = (whole: number, unit: string, rest: number, restUnit: string): string =>
    `${String(whole)}${unit}${rest === 0 ? '' : `${String(rest)}${restUnit}`}`
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${String(minutes)}m`
  const hours = Math.trunc(minutes / 60)
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${String(hours)}h`
  const days = Math.trunc(hours / 24)
  if (hours < 192) return pair(days, 'd', hours % 24, 'h')
  if (days < 365 * 2) return `${String(days)}d`
  const years = Math.trunc(days / 365)
  if (days < 365 * 8) return pair(years, 'y', days % 365, 'd')
  return `${String(years)}y`
}

/** The age of an RFC 3339 time; `<unknown>` when there is none. */
export function since(time: unknown, nowMs: number): string {
  const then = typeof time === 'string' ? Date.parse(time) : Number.NaN
  return Number.isNaN(then) ? '<unknown>' : durationText(nowMs - then)
}

export function age(object: KubeObject, nowMs: number): string {
  return since(object.metadata.creationTimestamp, nowMs)
}

/** `a=b,c=d` in the order of keys; `<none>` when empty. */
export function labelsText(labels: JsonObject): string {
  return orNone(
    Object.keys(labels)
      .sort()
      .map((key) => `${key}=${String(labels[key])}`)
      .join(','),
  )
}

/** A label selector as upstream prints it; `<none>` when it selects everything, `<unset>` when absent. */
export function labelSelectorText(selector: unknown): string {
  if (!isObject(selector)) return '<none>'
  const terms = Object.entries(mapAt(selector, 'matchLabels')).map(([key, value]) => ({ key, text: `${key}=${String(value)}` }))
  for (const each of listAt(selector, 'matchExpressions')) {
    const [key, values] = [textAt(each, 'key'), listAt(each, 'values').map(String).sort().join(',')]
    const operator = textAt(each, 'operator')
    const text = operator === 'In' ? `${key} in (${values})` : operator === 'NotIn' ? `${key} notin (${values})` : operator === 'DoesNotExist' ? `!${key}` : key
    terms.push({ key, text })
  }
  return orNone(
    terms
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map((each) => each.text)
      .join(','),
  )
}

/** Names and images of a pod template's containers. */
export function layout(template: unknown): [containers: string, images: string] {
  const containers = listAt(template, 'spec', 'containers')
  return [containers.map((each) => textAt(each, 'name')).join(','), containers.map((each) => textAt(each, 'image')).join(',')]
}
