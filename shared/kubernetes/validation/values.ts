import { isObject, type JsonObject } from '../json.ts'

// Objects reach validation decoded: a field that is there has its type. These read it as Go would, absent meaning the zero value.

export function has(value: unknown): boolean {
  return value !== undefined && value !== null
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function number(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/** The object in a field; an absent one is empty. */
export function object(value: unknown): JsonObject {
  return isObject(value) ? value : {}
}

/** The object in a field, or null. */
export function pointer(value: unknown): JsonObject | null {
  return isObject(value) ? value : null
}

export function objects(value: unknown): JsonObject[] {
  return Array.isArray(value) ? (value as unknown[]).map(object) : []
}

export function texts(value: unknown): string[] {
  return Array.isArray(value) ? (value as unknown[]).map(text) : []
}

/** Key and value of a string map, in the order of keys. */
export function entries(value: unknown): [string, string][] {
  return Object.entries(object(value))
    .map(([key, each]): [string, string] => [key, text(each)])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Bytes of a text in UTF-8, which is what Go's limits count. */
export function byteLength(value: string): number {
  return /^[\x00-\x7f]*$/.test(value) ? value.length : new TextEncoder().encode(value).length
}
