import { memoized } from '../../base/memo.ts'

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ns: 1n,
}

/** RFC 3339 text of seconds since the epoch; with `digits`, that many decimals of the second. */
export function timeText(seconds: bigint, nanos: number, digits: 0 | 6): string {
  const whole = Number(seconds)
  // The JavaScript calendar ends at ±8.64e12 s; such a time can only come from damaged bytes.
  if (Math.abs(whole) > 8.64e12) return '0001-01-01T00:00:00Z'
  const text = new Date(whole * 1000).toISOString().slice(0, -5)
  return digits === 0 ? `${text}Z` : `${text}.${String(Math.trunc(nanos / 1000)).padStart(6, '0')}Z`
}

/** Seconds and nanoseconds of an RFC 3339 text; null when it is none. */
export const parseTime: (text: string) => { readonly seconds: bigint; readonly nanos: number } | null = memoized(readTime, 4096)

// Each write reads the same few times several times over.
function readTime(text: string): { seconds: bigint; nanos: number } | null {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (parts === null) return null
  const milliseconds = Date.parse(`${parts[1] ?? ''}${parts[3] ?? 'Z'}`)
  if (Number.isNaN(milliseconds)) return null
  return { seconds: BigInt(Math.floor(milliseconds / 1000)), nanos: Number((parts[2] ?? '').padEnd(9, '0')) }
}

/** Go's text of a duration, such as `1h0m0s`, `1.5s`, `150ms`, `0s`. */
export function durationText(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s'
  const sign = nanoseconds < 0n ? '-' : ''
  const total = nanoseconds < 0n ? -nanoseconds : nanoseconds
  const decimal = (value: bigint, unit: bigint): string => {
    const rest = (value % unit)
      .toString()
      .padStart(unit.toString().length - 1, '0')
      .replace(/0+$/, '')
    return `${String(value / unit)}${unit === 1n || rest === '' ? '' : `.${rest}`}`
  }
  if (total < 1000n) return `${sign}${String(total)}ns`
  if (total < 1_000_000n) return `${sign}${decimal(total, 1000n)}µs`
  if (total < 1_000_000_000n) return `${sign}${decimal(total, 1_000_000n)}ms`
  const minutes = total / 60_000_000_000n
  const seconds = `${decimal(total % 60_000_000_000n, 1_000_000_000n)}s`
  if (minutes === 0n) return sign + seconds
  return minutes < 60n ? `${sign}${String(minutes)}m${seconds}` : `${sign}${String(minutes / 60n)}h${String(minutes % 60n)}m${seconds}`
}

/** Nanoseconds of Go's text of a duration; null when it is none. */
export function parseDuration(text: string): bigint | null {
  const body = /^[+-]/.test(text) ? text.slice(1) : text
  if (body === '0') return 0n
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|us|µs|μs|ns|m|s))+$/.test(body)) return null
  let total = 0n
  for (const part of body.matchAll(/(\d*)\.?(\d*)(h|ms|us|µs|μs|ns|m|s)/g)) {
    const unit = NANOSECONDS[part[3] ?? ''] ?? 0n
    const fraction = part[2] ?? ''
    total += BigInt(part[1] === '' ? '0' : (part[1] ?? '0')) * unit
    if (fraction !== '') total += (BigInt(fraction) * unit) / 10n ** BigInt(fraction.length)
  }
  return text.startsWith('-') ? -total : total
}
