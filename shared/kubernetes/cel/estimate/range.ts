/** The least and the most of a size or a cost; what is not known ends at `UNKNOWN.max`. */
export interface Range {
  readonly min: number
  readonly max: number
}

/** Upstream counts in 64 bits and stays at the largest number instead of running over. */
const LARGEST = 2 ** 64

export const UNKNOWN: Range = { min: 0, max: LARGEST }
export const NOTHING: Range = { min: 0, max: 0 }

export const fixed = (count: number): Range => ({ min: count, max: count })

const bounded = (count: number): number => Math.min(count, LARGEST)

export function sum(...ranges: readonly Range[]): Range {
  return ranges.reduce((total, each) => ({ min: bounded(total.min + each.min), max: bounded(total.max + each.max) }), NOTHING)
}

const product = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : bounded(a * b))

export function times(a: Range, b: Range): Range {
  return { min: product(a.min, b.min), max: product(a.max, b.max) }
}

/** By a factor, rounded up. */
export function scaled({ min, max }: Range, factor: number): Range {
  return { min: bounded(Math.ceil(min * factor)), max: bounded(Math.ceil(max * factor)) }
}

/** What takes in both. */
export function union(a: Range, b: Range): Range {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) }
}
