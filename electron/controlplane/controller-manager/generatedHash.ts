// k8s.io/apimachinery/pkg/util/rand: letters and digits that spell no words.
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'

/** Encodes text in the alphabet of generated names (upstream's rand.SafeEncodeString). */
export function safeEncode(text: string): string {
  return [...text].map((each) => ALPHABET[each.charCodeAt(0) % ALPHABET.length] ?? '').join('')
}

/** FNV-1, 32 bits, as Go's hash/fnv New32. */
export function fnv32(bytes: Uint8Array, start = 0x811c9dc5): number {
  let hash = start
  for (const byte of bytes) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0
  return hash
}

/** FNV-1a, 32 bits, as Go's hash/fnv New32a. */
export function fnv32a(bytes: Uint8Array, start = 0x811c9dc5): number {
  let hash = start
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}

const ESCAPED: Readonly<Record<string, string>> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026', '\u2028': '\\u2028', '\u2029': '\\u2029' }

/** JSON as Go's encoding/json writes a map: keys sorted by bytes, characters of HTML escaped. */
export function goJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`
  if (typeof value === 'string') return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (each) => ESCAPED[each] ?? each)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).filter(([, each]) => each !== undefined)
  fields.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return `{${fields.map(([key, each]) => `${goJson(key)}:${goJson(each)}`).join(',')}}`
}
