import { CelFunctionError } from '../functionError.ts'
import type { CelFunction } from '../interface.ts'

/** The bytes of an IP address, 4 or 16; null when the text is none. Leading zeros, zones and IPv4 in IPv6 are none, as in upstream. */
export function parseAddress(text: string): Uint8Array | null {
  if (!text.includes(':')) {
    const parts = text.split('.')
    if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return null
    return Uint8Array.from(parts.map(Number))
  }
  const halves = text.split('::')
  if (halves.length > 2 || text.includes('.')) return null
  const groups = (half: string | undefined): string[] => (half === undefined || half === '' ? [] : half.split(':'))
  const [left, right] = [groups(halves[0]), groups(halves[1])]
  const missing = 8 - left.length - right.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null
  const all = [...left, ...Array.from({ length: Math.max(0, missing) }, () => '0'), ...right]
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null
  const bytes = Uint8Array.from(all.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]))
  // ::ffff:0:0/96 would be an IPv4 address in disguise.
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255 ? null : bytes
}

/** The canonical text of an address (RFC 5952). */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, index) => (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16))
  let best = { at: -1, length: 1 }
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (at + length < 8 && groups[at + length] === '0') length += 1
    if (length > best.length) best = { at, length }
  }
  if (best.at < 0) return groups.join(':')
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`
}

/** An `ip("10.0.0.1")` in an expression. */
export class CelAddress {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  equals(other: unknown): boolean {
    return other instanceof CelAddress && this.toString() === other.toString()
  }

  toString(): string {
    return addressText(this.bytes)
  }
}

/** A `cidr("10.0.0.0/8")` in an expression. */
export class CelCidr {
  readonly bytes: Uint8Array
  readonly length: number

  constructor(bytes: Uint8Array, length: number) {
    this.bytes = bytes
    this.length = length
  }

  masked(): CelCidr {
    return new CelCidr(
      this.bytes.map((byte, index) => byte & (0xff << Math.max(0, 8 - Math.max(0, this.length - 8 * index)))),
      this.length,
    )
  }

  holds(bytes: Uint8Array): boolean {
    return bytes.length === this.bytes.length && new CelCidr(bytes, this.length).masked().bytes.every((byte, index) => byte === this.masked().bytes[index])
  }

  equals(other: unknown): boolean {
    return other instanceof CelCidr && this.toString() === other.toString()
  }

  toString(): string {
    return `${addressText(this.bytes)}/${String(this.length)}`
  }
}

export function parseCidr(text: string): CelCidr | null {
  const parts = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text)
  const bytes = parts === null ? null : parseAddress(parts[1] ?? '')
  const length = Number(parts?.[2])
  return bytes === null || length > bytes.length * 8 ? null : new CelCidr(bytes, length)
}

function address(text: string): CelAddress {
  const bytes = parseAddress(text)
  if (bytes === null) throw new CelFunctionError(`IP Address '${text}' parse error during conversion from string: ParseAddr("${text}"): unable to parse IP`)
  return new CelAddress(bytes)
}

function cidr(text: string): CelCidr {
  const found = parseCidr(text)
  if (found === null) throw new CelFunctionError(`network address parse error during conversion from string: netip.ParsePrefix("${text}"): no '/'`)
  return found
}

const first = (value: CelAddress): number => value.bytes[0] ?? 0
const zero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)
const v4 = (value: CelAddress): boolean => value.bytes.length === 4
const loopback = (value: CelAddress): boolean => (v4(value) ? first(value) === 127 : zero(value.bytes.subarray(0, 15)) && value.bytes[15] === 1)
const linkUnicast = (value: CelAddress): boolean =>
  v4(value) ? first(value) === 169 && value.bytes[1] === 254 : first(value) === 0xfe && ((value.bytes[1] ?? 0) & 0xc0) === 0x80
const linkMulticast = (value: CelAddress): boolean =>
  v4(value) ? first(value) === 224 && zero(value.bytes.subarray(1, 3)) : first(value) === 0xff && ((value.bytes[1] ?? 0) & 0x0f) === 2
const multicast = (value: CelAddress): boolean => (v4(value) ? (first(value) & 0xf0) === 0xe0 : first(value) === 0xff)
const broadcast = (value: CelAddress): boolean => v4(value) && value.bytes.every((byte) => byte === 255)

/** Kubernetes' IP and CIDR libraries. */
export const addressFunctions: readonly CelFunction[] = [
  { signature: 'ip(string): net.IP', call: address },
  { signature: 'isIP(string): bool', call: (text: string) => parseAddress(text) !== null },
  { signature: 'IPNamespace.isCanonical(string): bool', call: (_: unknown, text: string) => address(text).toString() === text },
  { signature: 'net.IP.family(): int', call: (value: CelAddress) => (v4(value) ? 4n : 6n) },
  { signature: 'net.IP.isUnspecified(): bool', call: (value: CelAddress) => zero(value.bytes) },
  { signature: 'net.IP.isLoopback(): bool', call: loopback },
  { signature: 'net.IP.isLinkLocalMulticast(): bool', call: linkMulticast },
  { signature: 'net.IP.isLinkLocalUnicast(): bool', call: linkUnicast },
  {
    signature: 'net.IP.isGlobalUnicast(): bool',
    call: (value: CelAddress) => !zero(value.bytes) && !loopback(value) && !multicast(value) && !linkUnicast(value) && !broadcast(value),
  },
  { signature: 'string(net.IP): string', call: (value: CelAddress) => value.toString() },
  { signature: 'cidr(string): net.CIDR', call: cidr },
  { signature: 'isCIDR(string): bool', call: (text: string) => parseCidr(text) !== null },
  { signature: 'net.CIDR.containsIP(string): bool', call: (value: CelCidr, text: string) => value.holds(address(text).bytes) },
  { signature: 'net.CIDR.containsIP(net.IP): bool', call: (value: CelCidr, other: CelAddress) => value.holds(other.bytes) },
  { signature: 'net.CIDR.containsCIDR(string): bool', call: (value: CelCidr, text: string) => holdsCidr(value, cidr(text)) },
  { signature: 'net.CIDR.containsCIDR(net.CIDR): bool', call: holdsCidr },
  { signature: 'net.CIDR.ip(): net.IP', call: (value: CelCidr) => new CelAddress(value.bytes) },
  { signature: 'net.CIDR.prefixLength(): int', call: (value: CelCidr) => BigInt(value.length) },
  { signature: 'net.CIDR.masked(): net.CIDR', call: (value: CelCidr) => value.masked() },
  { signature: 'string(net.CIDR): string', call: (value: CelCidr) => value.toString() },
]

function holdsCidr(value: CelCidr, other: CelCidr): boolean {
  return other.length >= value.length && value.holds(other.masked().bytes)
}
