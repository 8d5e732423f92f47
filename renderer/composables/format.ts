/** kubectl's age: `45s`, `12m`, `3h20m`, `2d4h`, `41d`, `2y10d`. @see apimachinery util/duration HumanDuration */
export function duration(ms: number): string {
  if (Number.isNaN(ms)) return ''
  const seconds = Math.floor(ms / 1000)
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${String(seconds)}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${String(minutes)}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${String(hours)}h`
  const days = Math.floor(hours / 24)
  if (days < 8) return pair(days, 'd', hours % 24, 'h')
  if (days < 730) return `${String(days)}d`
  const years = Math.floor(days / 365)
  return years < 8 ? pair(years, 'y', days % 365, 'd') : `${String(years)}y`
}

const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  `${String(large)}${largeUnit}${small === 0 ? '' : `${String(small)}${smallUnit}`}`

/** Local date and time to the second. */
export function dateTime(ms: number): string {
  if (Number.isNaN(ms)) return ''
  const date = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${String(date.getFullYear())}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** `2.1 GiB`. */
export function bytes(value: number): string {
  if (Number.isNaN(value)) return ''
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let scaled = value
  let unit = 0
  while (Math.abs(scaled) >= 1024 && unit < units.length - 1) {
    scaled /= 1024
    unit++
  }
  return `${unit === 0 || scaled >= 100 ? String(Math.round(scaled)) : scaled.toFixed(1)} ${units[unit] ?? ''}`
}

/** Millicores below ten cores (`250m`), cores above (`12.5`), as kubectl top and quantities have it. */
export function cores(value: number): string {
  if (Number.isNaN(value)) return ''
  return value < 10 ? `${String(Math.round(value * 1000))}m` : value.toFixed(1).replace(/\.0$/, '')
}

/** `41%`. */
export function percent(ratio: number): string {
  return Number.isNaN(ratio) || !Number.isFinite(ratio) ? '' : `${String(Math.round(ratio * 100))}%`
}

/** Thousands set apart: `50,000`. */
export function count(value: number): string {
  return Number.isNaN(value) ? '' : value.toLocaleString('en-US', { maximumFractionDigits: 2 })
}

/** The wall clock with its zone: `20:48:03 UTC`, `21:48:03 UTC+1`. */
export function clockTime(ms: number): string {
  const date = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, '0')
  const minutesEast = -date.getTimezoneOffset()
  const hours = Math.trunc(minutesEast / 60)
  const rest = Math.abs(minutesEast % 60)
  const zone = minutesEast === 0 ? 'UTC' : `UTC${minutesEast > 0 ? '+' : '−'}${String(Math.abs(hours))}${rest === 0 ? '' : `:${two(rest)}`}`
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone}`
}

/** A time as `kubeadm certs check-expiration` prints it: `Nov 27, 2027 07:06 UTC`. */
export function kubeadmTime(ms: number): string {
  if (Number.isNaN(ms)) return ''
  const date = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, '0')
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][date.getUTCMonth()] ?? ''
  return `${month} ${two(date.getUTCDate())}, ${String(date.getUTCFullYear())} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())} UTC`
}

/** A day: `2027-03-01`. */
export const day = (ms: number): string => dateTime(ms).slice(0, 10)
