/**
 * Remembers what a pure function made of short texts. When there are too many all are forgotten: what is asked again and again
 * is soon there anew.
 *
 * @param limit most results that are kept
 */
export function memoized<T>(make: (text: string) => T, limit: number): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined) return found
    const made = make(text)
    if (text.length > MAX_TEXT) return made
    if (known.size >= limit) known.clear()
    known.set(text, made)
    return made
  }
}

/** Longer ones are hardly asked twice. */
const MAX_TEXT = 64
