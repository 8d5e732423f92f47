/** When a CronJob runs. */
export interface Schedule {
  /** The first time after `ms` (Unix milliseconds), null when there is none within five years. */
  next(ms: number): number | null
}

export type ParsedSchedule = { schedule: Schedule; error?: undefined } | { error: string }

interface Field {
  name: string
  least: number
  most: number
  names?: readonly string[]
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const FIELDS: readonly Field[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'day of week', least: 0, most: 6, names: DAYS },
]
const DESCRIPTORS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A schedule such as 30 February never comes. */
const HORIZON_MS = 5 * 366 * DAY_MS

/** The values a field admits; `star` when it restricts nothing. */
interface Bits {
  values: Set<number>
  star: boolean
}

/**
 * Parses a schedule as upstream's cron library does in its standard form: five fields with lists, ranges, steps and names,
 * descriptors such as `@daily`, `@every 1h30m`, and a leading `TZ=` or `CRON_TZ=`. When both day fields are restricted either may match.
 *
 * @param timeZone IANA name; a zone in the text wins
 * @see https://github.com/robfig/cron/blob/v3.0.1/parser.go
 */
export function parseSchedule(text: string, timeZone = 'UTC'): ParsedSchedule {
  let zone = timeZone
  let spec = text.trim()
  if (spec === '') return { error: 'empty spec string' }
  const prefix = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/.exec(spec)
  if (prefix !== null) [, zone = '', spec = ''] = prefix
  if (!isTimeZone(zone)) return { error: `provided bad location ${zone}: unknown time zone ${zone}` }
  if (spec.startsWith('@every ')) {
    const everyMs = parseDuration(spec.slice('@every '.length))
    return everyMs === null ? { error: `failed to parse duration ${spec}` } : { schedule: every(everyMs) }
  }
  if (spec.startsWith('@')) {
    const known = DESCRIPTORS[spec]
    if (known === undefined) return { error: `unrecognized descriptor: ${spec}` }
    spec = known
  }
  const parts = spec.split(/\s+/)
  if (parts.length !== FIELDS.length) return { error: `expected exactly 5 fields, found ${String(parts.length)}: [${parts.join(' ')}]` }
  const bits: Bits[] = []
  for (const [index, field] of FIELDS.entries()) {
    const parsed = parseField(parts[index] ?? '', field)
    if (typeof parsed === 'string') return { error: parsed }
    bits.push(parsed)
  }
  const [minute, hour, dayOfMonth, month, dayOfWeek] = bits
  if (minute === undefined || hour === undefined || dayOfMonth === undefined || month === undefined || dayOfWeek === undefined)
    return { error: 'expected exactly 5 fields' }
  return { schedule: new FieldSchedule({ minute, hour, dayOfMonth, month, dayOfWeek }, zone) }
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}

function parseField(text: string, field: Field): Bits | string {
  const result: Bits = { values: new Set(), star: false }
  for (const part of text.split(',').filter((each) => each !== '')) {
    const [range = '', step, ...more] = part.split('/')
    const [low = '', high, ...rest] = range.split('-')
    if (more.length > 0) return `too many slashes: ${part}`
    if (rest.length > 0) return `too many hyphens: ${part}`
    let first = field.least
    let last = field.most
    if (low === '*' || low === '?') result.star ||= step === undefined || step === '1'
    else {
      const parsed = parseValue(low, field)
      const end = high === undefined ? parsed : parseValue(high, field)
      if (parsed === null || end === null)
        return `failed to parse int from ${parsed === null ? low : (high ?? '')}: strconv.Atoi: parsing "${parsed === null ? low : (high ?? '')}": invalid syntax`
      first = parsed
      // `5/15` means from 5 on.
      last = high === undefined && step !== undefined ? field.most : end
    }
    const by = step === undefined ? 1 : /^\d{1,4}$/.test(step) ? Number(step) : null
    if (by === null) return `failed to parse int from ${step ?? ''}: strconv.Atoi: parsing "${step ?? ''}": invalid syntax`
    if (first < field.least) return `beginning of range (${String(first)}) below minimum (${String(field.least)}): ${part}`
    if (last > field.most) return `end of range (${String(last)}) above maximum (${String(field.most)}): ${part}`
    if (first > last) return `beginning of range (${String(first)}) beyond end of range (${String(last)}): ${part}`
    if (by === 0) return `step of range should be a positive number: ${part}`
    for (let value = first; value <= last; value += by) result.values.add(value)
  }
  return result.values.size === 0 ? `empty list of values for ${field.name}` : result
}

function parseValue(text: string, field: Field): number | null {
  const named = field.names?.indexOf(text.toLowerCase()) ?? -1
  if (named >= 0) return named + field.least
  return /^\d{1,4}$/.test(text) ? Number(text) : null
}

const UNITS_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: MINUTE_MS, h: HOUR_MS }

/** Go's duration text in milliseconds. */
function parseDuration(text: string): number | null {
  if (!/^(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return null
  let sum = 0
  for (const [, amount = '', unit = ''] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) sum += Number(amount) * (UNITS_MS[unit] ?? 0)
  return sum
}

/** Whole seconds, at least one, counted from the second before. */
function every(delayMs: number): Schedule {
  const wholeMs = Math.max(1_000, Math.floor(delayMs / 1_000) * 1_000)
  return { next: (ms) => Math.floor(ms / 1_000) * 1_000 + wholeMs }
}

type ScheduleFields = Record<'minute' | 'hour' | 'dayOfMonth' | 'month' | 'dayOfWeek', Bits>

class FieldSchedule implements Schedule {
  readonly #fields: ScheduleFields
  readonly #wall: Intl.DateTimeFormat | null

  constructor(fields: ScheduleFields, zone: string) {
    this.#fields = fields
    this.#wall =
      zone === 'UTC' || zone === 'Etc/UTC'
        ? null
        : new Intl.DateTimeFormat('en-US', {
            timeZone: zone,
            hourCycle: 'h23',
            year: 'numeric',
            month: 'numeric',
            day: 'numeric',
            hour: 'numeric',
            minute: 'numeric',
          })
  }

  next(ms: number): number | null {
    let at = Math.floor(ms / MINUTE_MS) * MINUTE_MS + MINUTE_MS
    const limit = at + HORIZON_MS
    const { minute, hour, month } = this.#fields
    while (at <= limit) {
      const wall = this.#read(at)
      if (!month.values.has(wall.month) || !this.#dayMatches(wall)) at = this.#nextDay(at, wall)
      else if (!hour.values.has(wall.hour)) at += HOUR_MS - wall.minute * MINUTE_MS
      else if (!minute.values.has(wall.minute)) at += MINUTE_MS
      else return at
    }
    return null
  }

  #dayMatches({ day, weekday }: { day: number; weekday: number }): boolean {
    const { dayOfMonth, dayOfWeek } = this.#fields
    const inMonth = dayOfMonth.values.has(day)
    const inWeek = dayOfWeek.values.has(weekday)
    return dayOfMonth.star || dayOfWeek.star ? inMonth && inWeek : inMonth || inWeek
  }

  /** The start of the next day by the wall clock, which may be 23 or 25 hours from the start of this one. */
  #nextDay(at: number, { hour, minute, day }: { hour: number; minute: number; day: number }): number {
    let next = at + DAY_MS - hour * HOUR_MS - minute * MINUTE_MS
    const landed = this.#read(next)
    if (landed.day === day) next += (24 - landed.hour) * HOUR_MS - landed.minute * MINUTE_MS
    else if (landed.hour > 0 && landed.hour < 12) {
      const back = next - landed.hour * HOUR_MS - landed.minute * MINUTE_MS
      if (this.#read(back).day === landed.day) next = back
    }
    return next
  }

  #read(ms: number): { month: number; day: number; weekday: number; hour: number; minute: number } {
    if (this.#wall === null) {
      const date = new Date(ms)
      return { month: date.getUTCMonth() + 1, day: date.getUTCDate(), weekday: date.getUTCDay(), hour: date.getUTCHours(), minute: date.getUTCMinutes() }
    }
    const parts = new Map(this.#wall.formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
    const weekday = new Date(Date.UTC(part('year'), part('month') - 1, part('day'))).getUTCDay()
    return { month: part('month'), day: part('day'), weekday, hour: part('hour'), minute: part('minute') }
  }
}
