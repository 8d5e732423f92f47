import type { Random } from '#shared/base/random.ts'

// Upstream's alphabet: no vowels, so that no words come out, and no look-alikes.
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'
const MAX_BASE = 58
const SUFFIX = 5

/** `base` and five random characters, at most 63 in all. */
export function generateName(base: string, random: Random): string {
  let suffix = ''
  for (let index = 0; index < SUFFIX; index++) suffix += ALPHABET[random.below(ALPHABET.length)] ?? ''
  return base.slice(0, MAX_BASE) + suffix
}

/** RFC 9562 version 4 from the injected generator: a simulated cluster with one seed has the same uids. */
export function newUid(random: Random): string {
  const hex = Array.from({ length: 16 }, (_, index) => {
    const byte = random.below(256)
    const marked = index === 6 ? (byte & 0x0f) | 0x40 : index === 8 ? (byte & 0x3f) | 0x80 : byte
    return marked.toString(16).padStart(2, '0')
  }).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
