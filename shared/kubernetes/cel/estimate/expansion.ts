import { fixed, NOTHING, sum, union, type Range } from './range.ts'

/** What making a list or a map costs. */
export const LIST_COST = 10
export const MAP_COST = 30

/**
 * What the expansion of a comprehension costs once, and with each element; `list` is null when it makes no container.
 *
 * @see cel.dev/cel-go/parser/macro.go, ext/comprehensions.go
 */
export function expansion(name: string, costs: readonly Range[]): { once: Range; each: Range; list: boolean | null } {
  const [first = NOTHING, second] = costs
  /** With a filter first, what stands behind it may be left out. */
  const filtered = (step: number): Range => (second === undefined ? sum(first, fixed(step)) : sum(first, union(sum(second, fixed(step)), fixed(1))))
  switch (name) {
    case 'all':
      return { once: fixed(1), each: sum(first, fixed(3)), list: null }
    case 'exists':
      return { once: fixed(1), each: sum(first, fixed(4)), list: null }
    case 'exists_one':
    case 'existsOne':
      return { once: fixed(2), each: sum(first, { min: 1, max: 2 }), list: null }
    case 'filter':
      return { once: fixed(LIST_COST + 1), each: sum(first, { min: 1, max: 13 }), list: true }
    case 'transformMap':
      return { once: fixed(MAP_COST + 1), each: filtered(3), list: false }
    case 'transformMapEntry':
      return { once: fixed(MAP_COST + 1), each: filtered(2), list: false }
    default:
      return { once: fixed(LIST_COST + 1), each: filtered(12), list: true }
  }
}
