// FNV-1a 32 of the template's JSON with sorted keys, in the alphabet of generated names. The figure differs from upstream's,
// which hashes Go's memory layout; what counts is that equal templates give equal names.
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  )
}

/** The name suffix and label of a ReplicaSet. `collisions` is the deployment's collisionCount. */
export function podTemplateHash(template: unknown, collisions: number): string {
  const text = JSON.stringify(sorted(template)) + (collisions === 0 ? '' : String(collisions))
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  return [...String(hash)].map((digit) => ALPHABET[digit.charCodeAt(0) % ALPHABET.length] ?? '').join('')
}
