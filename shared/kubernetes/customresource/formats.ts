import { fromBase64 } from '../codec/base64.ts'
import { parseAddress } from '../cel/functions/addresses.ts'
import { parseUrl } from '../cel/functions/urls.ts'
import { dnsLabelErrors, dnsSubdomainErrors } from '../validation/names.ts'

/** Dotted IPv4 with leading zeros, which Go's old parser took, or any IPv6. */
function sloppyAddress(text: string): { v4: boolean } | null {
  if (!text.includes(':')) {
    const parts = text.split('.')
    return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256) ? { v4: true } : null
  }
  const mapped = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (mapped !== null) return sloppyAddress(mapped[2] ?? '') !== null && sloppyAddress(`${mapped[1] ?? ''}0:0`) !== null ? { v4: false } : null
  return parseAddress(text) !== null || /^(?:0*:)*:?0*:?ffff:[0-9a-f]{1,4}:[0-9a-f]{1,4}$/i.test(text) ? { v4: false } : null
}

function cidr(text: string): boolean {
  const [address = '', length, ...rest] = text.split('/')
  const kind = sloppyAddress(address)
  return kind !== null && rest.length === 0 && length !== undefined && /^\d{1,3}$/.test(length) && Number(length) <= (kind.v4 ? 32 : 128)
}

const LETTER = '[a-zA-Z0-9\\u00a1-\\uffff]'
const LABEL = `(${LETTER}((-?${LETTER}{0,62})?${LETTER}))`
const HOSTNAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`)

function hostname(text: string): boolean {
  return text.length <= 255 && text.split('.').every((part) => part.length <= 63) && HOSTNAME.test(text)
}

function isbn10(text: string): boolean {
  const digits = text.replace(/[-\s]/g, '')
  if (!/^\d{9}[\dX]$/.test(digits)) return false
  return [...digits].reduce((sum, digit, index) => sum + (index + 1) * (digit === 'X' ? 10 : Number(digit)), 0) % 11 === 0
}

function isbn13(text: string): boolean {
  const digits = text.replace(/[-\s]/g, '')
  if (!/^\d{13}$/.test(digits)) return false
  const sum = [...digits.slice(0, 12)].reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0)
  return (10 - (sum % 10)) % 10 === Number(digits[12])
}

const CARD =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/

function creditCard(text: string): boolean {
  const digits = text.replace(/\D/g, '')
  if (!CARD.test(digits)) return false
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 1 ? 2 : 1)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}

/** A day that exists, as Go's `2006-01-02`. */
function date(text: string): boolean {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T00:00:00Z`) : null
  return time !== null && !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text)
}

/** strfmt's date-time: the hours and minutes are looked at, the rest is a pattern. */
function dateTime(text: string): boolean {
  if (text.length < 4) return false
  const [day = '', time] = text.toLowerCase().split('t')
  if (time === undefined || text.toLowerCase().split('t').length < 2 || !date(day)) return false
  const parts = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(?:.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$/.exec(time)
  return parts !== null && Number(parts[1]) <= 23 && Number(parts[2]) <= 59 && Number(parts[3]) <= 59
}

const UNITS = 'ns|nano|nanosecond|us|µs|micro|microsecond|ms|milli|millisecond|s|sec|second|m|min|minute|h|hr|hour|d|day|w|wk|week'

function duration(text: string): boolean {
  if (/^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|us|µs|μs|ns|m|s))+)$/.test(text)) return true
  return new RegExp(`((-?\\d+)\\s*(?:${UNITS}|[A-Za-zµ]+))`).test(text) && new RegExp(`-?\\d+\\s*(?:${UNITS})s?(?![A-Za-zµ])`).test(text)
}

const EMAIL = /^(?:[^<>]*<)?[^\s<>@",;:()[\]\\]+@[^\s<>@",;:()[\]\\]+>?$/

function base64(text: string): boolean {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/.test(text) && fromBase64(text) !== null
}

/** strfmt's formats, by name without dashes. */
const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  bsonobjectid: (text) => /^[0-9a-fA-F]{24}$/.test(text),
  uri: (text) => typeof parseUrl(text) !== 'string',
  email: (text) => EMAIL.test(text),
  hostname,
  ipv4: (text) => sloppyAddress(text)?.v4 === true,
  ipv6: (text) => text.includes(':') && sloppyAddress(text) !== null,
  cidr,
  mac: (text) => /^(?:[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4,18}[0-9a-fA-F]{2}|(?:[0-9a-fA-F]{4}\.){2,9}[0-9a-fA-F]{4})$/.test(text),
  uuid: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
  uuid3: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
  uuid4: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i.test(text),
  uuid5: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i.test(text),
  isbn: (text) => isbn10(text) || isbn13(text),
  isbn10,
  isbn13,
  creditcard: creditCard,
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: (text) => /^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text),
  rgbcolor: (text) =>
    /^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$/.test(text),
  byte: base64,
  password: () => true,
  date,
  duration,
  datetime: dateTime,
  k8sshortname: (text) => dnsLabelErrors(text).length === 0,
  k8slongname: (text) => dnsSubdomainErrors(text).length === 0,
}

/** The format as it is validated for a type: unknown ones are ignored, as upstream does, and come out as ''. */
export function supportedFormat(types: readonly string[], format: unknown): string {
  if (typeof format !== 'string' || format === '') return ''
  const type = types.length === 1 ? types[0] : ''
  switch (type) {
    case '':
    case 'string':
      return Object.hasOwn(FORMATS, format.replaceAll('-', '')) ? format : ''
    case 'integer':
      return format === 'int32' || format === 'int64' ? format : ''
    case 'number':
      return format === 'float' || format === 'double' ? format : ''
    default:
      return ''
  }
}

/** Whether a text is of a format; null when the format is not one of texts. */
export function isOfFormat(format: string, text: string): boolean | null {
  const name = format.replaceAll('-', '')
  return Object.hasOwn(FORMATS, name) ? (FORMATS[name]?.(text) ?? null) : null
}
