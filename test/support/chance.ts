import type { Random } from '#shared/base/random.ts'

/** What random objects are drawn by. */
export class Chance {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** A whole number from 0 to one less than `limit`. */
  below(limit: number): number {
    return this.#random.below(limit)
  }

  of<T>(list: readonly T[]): T {
    const item = list[this.#random.below(list.length)]
    if (item === undefined) throw new Error('nothing to choose from')
    return item
  }

  is(share: number): boolean {
    return this.#random.next() < share
  }

  between(least: number, most: number): number {
    return least + this.#random.below(most - least + 1)
  }

  some<T>(least: number, most: number, make: (index: number) => T): T[] {
    return Array.from({ length: this.between(least, most) }, (_, index) => make(index))
  }
}
