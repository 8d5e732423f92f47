import { CelFunctionError } from '../functionError.ts'
import type { CelFunction } from '../interface.ts'
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { entriesOf } from '../values.ts'

/** cel-go's strings count code points, JavaScript's count UTF-16 units. */
const points = (text: string): string[] => Array.from(text)

function indexIn(text: string, sought: string, from: bigint): bigint {
  const [characters, wanted] = [points(text), points(sought)]
  if (from < 0n || from > BigInt(characters.length)) throw new CelFunctionError(`index out of range: ${String(from)}`)
  if (wanted.length === 0) return from
  for (let at = Number(from); at + wanted.length <= characters.length; at++)
    if (wanted.every((each, index) => characters[at + index] === each)) return BigInt(at)
  return -1n
}

function lastIndexIn(text: string, sought: string, from: bigint): bigint {
  const [characters, wanted] = [points(text), points(sought)]
  if (from < 0n || from > BigInt(characters.length)) throw new CelFunctionError(`index out of range: ${String(from)}`)
  if (wanted.length === 0) return from
  for (let at = Math.min(Number(from), characters.length - wanted.length); at >= 0; at--)
    if (wanted.every((each, index) => characters[at + index] === each)) return BigInt(at)
  return -1n
}

function substring(text: string, start: bigint, end?: bigint): string {
  const characters = points(text)
  const [from, to] = [start, end ?? BigInt(characters.length)]
  if (from < 0n || from > BigInt(characters.length)) throw new CelFunctionError(`index out of range: ${String(from)}`)
  if (end !== undefined && (to < 0n || to > BigInt(characters.length))) throw new CelFunctionError(`index out of range: ${String(to)}`)
  if (from > to) throw new CelFunctionError(`invalid substring range. start: ${String(from)}, end: ${String(to)}`)
  return characters.slice(Number(from), Number(to)).join('')
}

function split(text: string, separator: string, limit?: bigint): string[] {
  if (limit === 0n) return []
  const parts = separator === '' ? points(text) : text.split(separator)
  if (limit === undefined || limit < 0n || BigInt(parts.length) <= limit) return parts
  const kept = Number(limit) - 1
  return [...parts.slice(0, kept), parts.slice(kept).join(separator)]
}

function replace(text: string, from: string, to: string, limit = -1n): string {
  let count = limit < 0n ? Number.POSITIVE_INFINITY : Number(limit)
  if (from === '') {
    const characters = points(text)
    return characters.reduce((result, each) => result + (count-- > 0 ? to : '') + each, '') + (count > 0 ? to : '')
  }
  let [result, rest] = ['', text]
  while (count-- > 0) {
    const at = rest.indexOf(from)
    if (at < 0) break
    result += rest.slice(0, at) + to
    rest = rest.slice(at + from.length)
  }
  return result + rest
}

/** A double as Go's `%g` writes it. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  if (exponent < -4 || exponent >= 21) return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  return String(value)
}

function quote(text: string): string {
  const escapes: Readonly<Record<string, string>> = {
    '\x07': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
    '\\': '\\\\',
    '"': '\\"',
  }
  return `"${points(text)
    .map((each) => escapes[each] ?? each)
    .join('')}"`
}

/** A value in a format's `%s`. */
export function formatValue(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return doubleText(value)
  if (value === null) return 'null'
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z')
  if (value instanceof Duration) return value.toString()
  if (value instanceof Uint8Array) return String.fromCharCode(...value)
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`
  const entries = entriesOf(value)
  if (entries !== null)
    return `{${[...entries]
      .map(([key, each]) => `${formatValue(key)}: ${formatValue(each)}`)
      .sort()
      .join(', ')}}`
  return String(value)
}

function format(template: string, values: readonly unknown[]): string {
  let next = 0
  const text = template.replace(/%(?:%|(?:\.(\d+))?([sdfebxXo]))/g, (verb, precision: string | undefined, clause: string | undefined) => {
    if (verb === '%%') return '%'
    if (next >= values.length) throw new CelFunctionError(`index ${String(next)} out of range`)
    const value = values[next++]
    const digits = precision === undefined ? 6 : Number(precision)
    switch (clause) {
      case 's':
        return formatValue(value)
      case 'd':
        if (typeof value === 'bigint' || value instanceof UnsignedInt) return String(value)
        if (typeof value === 'number' && !Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
        throw new CelFunctionError('error during formatting: decimal clause can only be used on integers')
      case 'f':
        return Number(value).toFixed(digits)
      case 'e':
        return Number(value)
          .toExponential(digits)
          .replace(/e([+-])(\d)$/, 'e$10$2')
      case 'b':
        return typeof value === 'boolean' ? (value ? '1' : '0') : BigInt(String(value)).toString(2)
      case 'o':
        return BigInt(String(value)).toString(8)
      default: {
        const hex =
          typeof value === 'string'
            ? [...new TextEncoder().encode(value)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
            : value instanceof Uint8Array
              ? [...value].map((byte) => byte.toString(16).padStart(2, '0')).join('')
              : BigInt(String(value)).toString(16)
        return clause === 'X' ? hex.toUpperCase() : hex
      }
    }
  })
  const broken = /%(?!%)[^sdfebxXo.%]/.exec(template.replaceAll('%%', ''))
  if (broken !== null) throw new CelFunctionError(`could not parse formatting clause: unrecognized formatting clause "${broken[0].slice(1)}"`)
  return text
}

const ascii = (text: string, change: (letter: string) => string): string => text.replace(/[a-zA-Z]/g, change)

/** Methods of strings whose library form counts UTF-16 units, or is JavaScript's: these take their place when an expression runs. */
export const stringOverrides: Readonly<Record<string, (text: string, ...rest: never[]) => unknown>> = {
  indexOf: (text, sought: string, from: bigint = 0n) => indexIn(text, sought, from),
  lastIndexOf: (text, sought: string, from: bigint = BigInt(points(text).length)) => lastIndexIn(text, sought, from),
  substring: (text, start: bigint, end?: bigint) => substring(text, start, end),
  split: (text, separator: string, limit?: bigint) => split(text, separator, limit),
  lowerAscii: (text) => ascii(text, (letter) => letter.toLowerCase()),
  upperAscii: (text) => ascii(text, (letter) => letter.toUpperCase()),
  trim: (text) => text.replace(/^[\s\u0085]+|[\s\u0085]+$/g, ''),
}

/** cel-go's strings extension, version 2, as far as the library does not have it. */
export const stringFunctions: readonly CelFunction[] = [
  {
    signature: 'string.charAt(int): string',
    call: (text: string, at: bigint) => {
      const characters = points(text)
      if (at < 0n || at > BigInt(characters.length)) throw new CelFunctionError(`index out of range: ${String(at)}`)
      return characters[Number(at)] ?? ''
    },
  },
  { signature: 'string.replace(string, string): string', call: (text: string, from: string, to: string) => replace(text, from, to) },
  { signature: 'string.replace(string, string, int): string', call: (text: string, from: string, to: string, limit: bigint) => replace(text, from, to, limit) },
  { signature: 'string.format(list<dyn>): string', call: (text: string, values: unknown[]) => format(text, values) },
  { signature: 'StringsNamespace.quote(string): string', call: (_: unknown, text: string) => quote(text) },
  { signature: 'string(google.protobuf.Timestamp): string', call: (value: Date) => formatValue(value) },
  { signature: 'string(google.protobuf.Duration): string', call: (value: Duration) => value.toString() },
  { signature: 'int(google.protobuf.Timestamp): int', call: (value: Date) => BigInt(Math.floor(value.getTime() / 1000)) },
  { signature: 'timestamp(google.protobuf.Timestamp): google.protobuf.Timestamp', call: (value: Date) => value },
  { signature: 'duration(google.protobuf.Duration): google.protobuf.Duration', call: (value: Duration) => value },
]
