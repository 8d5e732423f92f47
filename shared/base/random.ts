/** A seeded generator: equal seeds give equal sequences. Not for secrets. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** A whole number in [0, exclusiveMax). */
  below(exclusiveMax: number): number
  /** A generator of its own, whose sequence depends only on this one's seed and the label. */
  fork(label: string): Random
}

/** FNV-1a, 32 bits. */
function hashText(text: string, start: number): number {
  let hash = (0x811c9dc5 ^ start) >>> 0
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  return hash
}

/** mulberry32: small, fast, good enough for jitter and name suffixes. */
export class SeededRandom implements Random {
  readonly #seed: number
  #state: number

  constructor(seed: number) {
    this.#seed = seed >>> 0
    this.#state = this.#seed
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  below(exclusiveMax: number): number {
    return Math.floor(this.next() * exclusiveMax)
  }

  fork(label: string): Random {
    return new SeededRandom(hashText(label, this.#seed))
  }
}
