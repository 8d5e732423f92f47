import { parseDuration } from '../codec/times.ts'

interface Bounds {
  min: number
  max: number
  names: readonly string[]
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

const FIELDS: readonly Bounds[] = [
  { min: 0, max: 59, names: [] },
  { min: 0, max: 23, names: [] },
  { min: 1, max: 31, names: [] },
  { min: 1, max: 12, names: MONTHS },
  { min: 0, max: 6, names: DAYS },
]

const DESCRIPTORS = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'])

/** What upstream's parser of cron schedules says about a text that is none; null when it is one. @param text is not '' */
export function scheduleError(text: string): string | null {
  if (text.startsWith('@')) return descriptorError(text)
  const fields = text.split(/\s+/).filter((each) => each !== '')
  if (fields.length !== FIELDS.length) return `Expected exactly ${String(FIELDS.length)} fields, found ${String(fields.length)}: ${text}`
  for (const [index, field] of fields.entries()) {
    const bounds = FIELDS[index]
    if (bounds === undefined) continue
    for (const expression of field.split(',').filter((each) => each !== '')) {
      const error = rangeError(expression, bounds)
      if (error !== null) return error
    }
  }
  return null
}

function descriptorError(text: string): string | null {
  if (DESCRIPTORS.has(text)) return null
  if (!text.startsWith('@every ')) return `Unrecognized descriptor: ${text}`
  const duration = text.slice('@every '.length)
  if (parseDuration(duration) !== null) return null
  return `Failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`
}

/** A number or name, or why it is neither. */
function parse(text: string, { min, names }: Bounds): number | string {
  const named = names.indexOf(text.toLowerCase())
  if (named >= 0) return named + min
  if (!/^[+-]?\d+$/.test(text)) return `Failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`
  const value = Number(text)
  if (value > 2 ** 63) return `Failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`
  return value < 0 ? `Negative number (${String(value)}) not allowed: ${text}` : value
}

const NO_NAMES: Bounds = { min: 0, max: 0, names: [] }

function rangeError(expression: string, bounds: Bounds): string | null {
  const [range = '', ...steps] = expression.split('/')
  const ends = range.split('-')
  let [start, end] = [bounds.min, bounds.max]
  if (ends[0] !== '*' && ends[0] !== '?') {
    const first = parse(ends[0] ?? '', bounds)
    if (typeof first === 'string') return first
    const last = ends.length === 2 ? parse(ends[1] ?? '', bounds) : first
    if (typeof last === 'string') return last
    if (ends.length > 2) return `Too many hyphens: ${expression}`
    ;[start, end] = [first, last]
  }
  let step = 1
  if (steps.length > 1) return `Too many slashes: ${expression}`
  if (steps.length === 1) {
    const given = parse(steps[0] ?? '', NO_NAMES)
    if (typeof given === 'string') return given
    step = given
    if (ends.length === 1) end = bounds.max
  }
  if (start < bounds.min) return `Beginning of range (${String(start)}) below minimum (${String(bounds.min)}): ${expression}`
  if (end > bounds.max) return `End of range (${String(end)}) above maximum (${String(bounds.max)}): ${expression}`
  if (start > end) return `Beginning of range (${String(start)}) beyond end of range (${String(end)}): ${expression}`
  return step === 0 ? `Step of range should be a positive number: ${expression}` : null
}
