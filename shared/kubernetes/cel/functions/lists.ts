import { Optional } from '@marcbachmann/cel-js'
import { type Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { CelFunctionError } from '../functionError.ts'
import type { CelFunction } from '../interface.ts'
import { celEquals, compareValues, durationNanoseconds, durationOf } from '../values.ts'

type List = readonly unknown[]

function compare(a: unknown, b: unknown): number {
  const order = compareValues(a, b)
  if (order === null) throw new CelFunctionError('no such overload')
  return order
}

function extreme(name: string, sign: 1 | -1): (list: List) => unknown {
  return (list) => {
    if (list.length === 0) throw new CelFunctionError(`${name} called on empty list`)
    return list.reduce((best, each) => (compare(each, best) * sign > 0 ? each : best))
  }
}

function flatten(list: List, depth: bigint): unknown[] {
  if (depth < 0n) throw new CelFunctionError('level must be non-negative')
  return list.flatMap((each) => (Array.isArray(each) && depth > 0n ? flatten(each, depth - 1n) : [each]))
}

function slice(list: List, start: bigint, end: bigint): List {
  const size = BigInt(list.length)
  if (start < 0n || end < 0n) throw new CelFunctionError(`cannot slice(${String(start)}, ${String(end)}), negative indexes not supported`)
  if (start > end) throw new CelFunctionError(`cannot slice(${String(start)}, ${String(end)}), start index must be less than or equal to end index`)
  if (end > size) throw new CelFunctionError(`cannot slice(${String(start)}, ${String(end)}), list is length ${String(size)}`)
  return list.slice(Number(start), Number(end))
}

function distinct(list: List): unknown[] {
  const found: unknown[] = []
  for (const each of list) if (!found.some((other) => celEquals(other, each))) found.push(each)
  return found
}

function indexOf(list: List, value: unknown): bigint {
  return BigInt(list.findIndex((each) => celEquals(each, value)))
}

const holds = (list: List, value: unknown): boolean => list.some((each) => celEquals(each, value))
const sets: Readonly<Record<string, (a: List, b: List) => boolean>> = {
  contains: (a, b) => b.every((each) => holds(a, each)),
  equivalent: (a, b) => a.every((each) => holds(b, each)) && b.every((each) => holds(a, each)),
  intersects: (a, b) => a.some((each) => holds(b, each)),
}

/** A range that takes longer than a request may, refused before it is made. */
const LONGEST_RANGE = 1_000_000n

/** Kubernetes' lists library, cel-go's lists extension (version 3) and sets extension. */
export const listFunctions: readonly CelFunction[] = [
  { signature: 'list<T>.isSorted(): bool', call: (list: List) => list.every((each, index) => index === 0 || compare(list[index - 1], each) <= 0) },
  { signature: 'list<int>.sum(): int', call: (list: readonly bigint[]) => list.reduce((sum, each) => sum + each, 0n) },
  { signature: 'list<double>.sum(): double', call: (list: readonly number[]) => list.reduce((sum, each) => sum + each, 0) },
  {
    signature: 'list<uint>.sum(): uint',
    call: (list: readonly UnsignedInt[]) => new UnsignedInt(list.reduce((sum, each) => sum + each.valueOf(), 0n)),
  },
  {
    signature: 'list<google.protobuf.Duration>.sum(): google.protobuf.Duration',
    call: (list: readonly Duration[]) => durationOf(list.reduce((sum, each) => sum + durationNanoseconds(each), 0n)),
  },
  { signature: 'list<T>.min(): T', call: extreme('min', -1) },
  { signature: 'list<T>.max(): T', call: extreme('max', 1) },
  { signature: 'list<T>.indexOf(T): int', call: indexOf },
  {
    signature: 'list<T>.lastIndexOf(T): int',
    call: (list: List, value: unknown) => BigInt(list.findLastIndex((each) => celEquals(each, value))),
  },
  { signature: 'list<T>.slice(int, int): list<T>', call: slice },
  { signature: 'list<dyn>.flatten(): list<dyn>', call: (list: List) => flatten(list, 1n) },
  { signature: 'list<dyn>.flatten(int): list<dyn>', call: flatten },
  { signature: 'list<T>.sort(): list<T>', call: (list: List) => list.toSorted(compare) },
  { signature: 'list<T>.distinct(): list<T>', call: distinct },
  { signature: 'list<T>.reverse(): list<T>', call: (list: List) => list.toReversed() },
  { signature: 'list<T>.first(): optional<T>', call: (list: List) => (list.length === 0 ? Optional.none() : Optional.of(list[0])) },
  { signature: 'list<T>.last(): optional<T>', call: (list: List) => (list.length === 0 ? Optional.none() : Optional.of(list.at(-1))) },
  {
    signature: 'ListsNamespace.range(int): list<int>',
    call: (_: unknown, size: bigint) => {
      if (size > LONGEST_RANGE) throw new CelFunctionError(`lists.range() of ${String(size)} elements is too long`)
      return Array.from({ length: Math.max(0, Number(size)) }, (_each, index) => BigInt(index))
    },
  },
  ...Object.entries(sets).map(([name, call]) => ({
    signature: `SetsNamespace.${name}(list<T>, list<T>): bool`,
    call: (_: unknown, a: List, b: List) => call(a, b),
  })),
]
