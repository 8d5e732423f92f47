import { sha256 } from '@noble/hashes/sha2.js'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const SHOWN = 16

/** The first characters of the base32 of a text's SHA-256: iptables takes no names beyond 28 characters. */
function shortHash(text: string): string {
  const bytes = sha256(new TextEncoder().encode(text))
  let result = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5 && result.length < SHOWN) {
      bits -= 5
      result += BASE32[(value >> bits) & 31] ?? ''
    }
    value &= (1 << bits) - 1
  }
  return result
}

/** What a chain of a Service's port is for: see the names that upstream gives them. */
export type ServiceChain = 'SVC' | 'SVL' | 'XLB' | 'EXT' | 'FW'

/** @param port the port's name, `namespace/name:port` */
export function serviceChain(kind: ServiceChain, port: string, protocol: string): string {
  return `KUBE-${kind}-${shortHash(port + protocol)}`
}

/** @param endpoint `address:port` */
export function endpointChain(port: string, protocol: string, endpoint: string): string {
  return `KUBE-SEP-${shortHash(port + protocol + endpoint)}`
}
