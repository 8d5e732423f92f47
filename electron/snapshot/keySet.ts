/* eslint-disable @typescript-eslint/no-non-null-assertion -- slots are taken modulo the tables' length */
const FIRST_SLOTS = 1 << 16
/** From here on the tables are so large that they only double. */
const MANY_SLOTS = 1 << 20

/**
 * A set of byte strings by 64-bit hash, open-addressed, in two typed arrays: a tenth of what a Set of strings takes. What is deleted is
 * closed up by moving later entries of its run back, so that no marks pile up.
 */
export class KeySet {
  #high = new Uint32Array(FIRST_SLOTS)
  #low = new Uint32Array(FIRST_SLOTS)
  #size = 0
  /** Of the key looked for last. */
  #hashHigh = 0
  #hashLow = 0

  get size(): number {
    return this.#size
  }

  /** @returns whether it is new */
  add(key: Uint8Array, start = 0, end = key.length): boolean {
    this.#hash(key, start, end)
    const [high, low] = [this.#hashHigh, this.#hashLow]
    const slot = this.#slot(high, low)
    if (this.#high[slot] !== 0) return false
    this.#high[slot] = high
    this.#low[slot] = low
    if (++this.#size * 2 > this.#high.length) this.#grow()
    return true
  }

  /** @returns whether it was there */
  delete(key: Uint8Array, start = 0, end = key.length): boolean {
    this.#hash(key, start, end)
    let hole = this.#slot(this.#hashHigh, this.#hashLow)
    if (this.#high[hole] === 0) return false
    this.#size--
    const mask = this.#high.length - 1
    for (let next = (hole + 1) & mask; this.#high[next] !== 0; next = (next + 1) & mask) {
      // One whose home lies behind the hole, going round, must stay where it is.
      const home = this.#low[next]! & mask
      if (((next - home) & mask) < ((next - hole) & mask)) continue
      this.#high[hole] = this.#high[next]!
      this.#low[hole] = this.#low[next]!
      hole = next
    }
    this.#high[hole] = 0
    return true
  }

  /** Where a hash is, or would be put. */
  #slot(high: number, low: number): number {
    const mask = this.#high.length - 1
    let slot = low & mask
    while (this.#high[slot] !== 0 && (this.#high[slot] !== high || this.#low[slot] !== low)) slot = (slot + 1) & mask
    return slot
  }

  #grow(): void {
    const [highs, lows] = [this.#high, this.#low]
    const slots = highs.length * (highs.length < MANY_SLOTS ? 4 : 2)
    this.#high = new Uint32Array(slots)
    this.#low = new Uint32Array(slots)
    for (let index = 0; index < highs.length; index++) {
      const high = highs[index]!
      if (high === 0) continue
      const slot = this.#slot(high, lows[index]!)
      this.#high[slot] = high
      this.#low[slot] = lows[index]!
    }
  }

  /** Two 32-bit hashes of different primes, mixed at the end; the first is never 0, which marks a free slot. */
  #hash(bytes: Uint8Array, start: number, end: number): void {
    let high = 0x811c9dc5
    let low = 0x9747b28c
    for (let index = start; index < end; index++) {
      const byte = bytes[index]!
      high = Math.imul(high ^ byte, 0x01000193)
      low = Math.imul(low ^ byte, 0x5bd1e995) ^ (low >>> 15)
    }
    this.#hashHigh = mixed(high) || 1
    this.#hashLow = mixed(low)
  }
}

function mixed(hash: number): number {
  let value = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
