import { invalid, type FieldError } from './fieldError.ts'

/** An address as its 4 or 16 bytes; IPv4 mapped into IPv6 counts as IPv4, as in Go. */
export type Address = readonly number[]

/** Parses what Go takes: four decimals without leading zeros, or IPv6. */
export function parseAddress(text: string): Address | null {
  if (text.includes(':')) return parseV6(text)
  return parseV4(text)
}

function parseV4(text: string): Address | null {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null
  return parts.map(Number)
}

function parseV6(text: string): Address | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const words = (half: string): number[] | null => {
    if (half === '') return []
    const result: number[] = []
    const parts = half.split(':')
    for (const [index, part] of parts.entries()) {
      if (part.includes('.')) {
        const v4 = index === parts.length - 1 ? parseV4(part) : null
        if (v4 === null) return null
        const [a = 0, b = 0, c = 0, d = 0] = v4
        result.push(a * 256 + b, c * 256 + d)
      } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) result.push(Number.parseInt(part, 16))
      else return null
    }
    return result
  }
  const [left, right] = [words(halves[0] ?? ''), words(halves[1] ?? '')]
  if (left === null || right === null) return null
  const missing = 8 - left.length - right.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null
  const all = [...left, ...Array.from({ length: halves.length === 1 ? 0 : missing }, () => 0), ...right].flatMap((word) => [word >> 8, word & 255])
  const mapped = all.slice(0, 10).every((byte) => byte === 0) && all[10] === 255 && all[11] === 255
  return mapped ? all.slice(12) : all
}

export interface Network {
  address: Address
  bits: number
}

/** Parses CIDR notation; the address is the network's own. */
export function parseNetwork(text: string): Network | null {
  const slash = text.indexOf('/')
  if (slash < 0) return null
  const address = parseAddress(text.slice(0, slash))
  const bitsText = text.slice(slash + 1)
  if (address === null || !/^\d{1,3}$/.test(bitsText)) return null
  const bits = Number(bitsText)
  if (bits > address.length * 8) return null
  return { address: address.map((byte, index) => byte & mask(bits - index * 8)), bits }
}

function mask(bits: number): number {
  if (bits >= 8) return 255
  return bits <= 0 ? 0 : (255 << (8 - bits)) & 255
}

export function containsAddress({ address, bits }: Network, other: Address): boolean {
  return address.length === other.length && address.every((byte, index) => byte === ((other[index] ?? 0) & mask(bits - index * 8)))
}

export const isV6 = (text: string): boolean => parseAddress(text)?.length === 16

/** Whether both families are among addresses (or networks). */
export function isDualStack(texts: readonly string[]): boolean {
  const families = new Set(texts.map((each) => parseAddress(each.split('/')[0] ?? '')?.length))
  return families.has(4) && families.has(16)
}

export function ipErrors(text: string): string[] {
  return parseAddress(text) === null ? ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'] : []
}

/** Addresses that name no host of the network. */
export function* specialAddressErrors(text: string, field: string): Iterable<FieldError> {
  const ip = parseAddress(text)
  if (ip === null) {
    yield invalid(field, text, 'must be a valid IP address')
    return
  }
  const v4 = ip.length === 4
  const [a = 0, b = 0, c = 0] = ip
  if (ip.every((byte) => byte === 0)) yield invalid(field, text, 'may not be unspecified (0.0.0.0)')
  if (v4 ? a === 127 : ip.every((byte, index) => byte === (index === 15 ? 1 : 0))) yield invalid(field, text, 'may not be in the loopback range (127.0.0.0/8)')
  if (v4 ? a === 169 && b === 254 : a === 0xfe && (b & 0xc0) === 0x80) yield invalid(field, text, 'may not be in the link-local range (169.254.0.0/16)')
  if (v4 ? a === 224 && b === 0 && c === 0 : a === 0xff && (b & 0x0f) === 2)
    yield invalid(field, text, 'may not be in the link-local multicast range (224.0.0.0/24)')
}
