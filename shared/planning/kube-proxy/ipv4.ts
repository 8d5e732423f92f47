/** An IPv4 address as a number; null for everything else. */
export function ipv4Of(text: string): number | null {
  const parts = text.split('.')
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return null
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}

export interface Ipv4Range {
  first: number
  bits: number
  contains(address: string): boolean
  /** `10.1.0.0/16`, the host part cleared. */
  toString(): string
}

/** A CIDR of IPv4; null for everything else. */
export function ipv4Range(text: string): Ipv4Range | null {
  const [address = '', bitsText = '', ...more] = text.split('/')
  const value = ipv4Of(address)
  const bits = Number(bitsText)
  if (value === null || more.length > 0 || !/^\d{1,2}$/.test(bitsText) || bits > 32) return null
  const size = 2 ** (32 - bits)
  const first = value - (value % size)
  return {
    first,
    bits,
    contains: (other) => {
      const number = ipv4Of(other)
      return number !== null && number >= first && number < first + size
    },
    toString: () => `${[24, 16, 8, 0].map((shift) => String(Math.floor(first / 2 ** shift) % 256)).join('.')}/${String(bits)}`,
  }
}
