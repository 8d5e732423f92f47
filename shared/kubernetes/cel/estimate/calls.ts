import { fixed, NOTHING, scaled, sum, times, union, UNKNOWN, type Range } from './range.ts'

/** cel-go's common.StringTraversalCostFactor and RegexStringLengthCostFactor. */
const STRING = 0.1
const REGEX = 0.25
const LIST_COST = 10
/** Kubernetes' bounds of format names and of the patterns behind them. */
const MAX_FORMAT = 64
const MAX_PATTERN = 128
/** Bytes of an address. */
const ADDRESS: Range = { min: 4, max: 16 }

/** An operand of a call, as far as the estimate knows it. */
export interface Operand {
  /** The library's name of its type. */
  type: string
  size: Range
  /** Size of a list's elements, and the name of their type; null of what is no list. */
  element: { type: string; size: Range } | null
  /** Whether the size stands in the expression or its schema. */
  known: boolean
  literal: unknown
}

export interface CallEstimate {
  cost: Range
  result?: Range
}

const dynOr = (name: string, type: string): boolean => type === name || type === 'dyn'
const isText = (type: string): boolean => type === 'string' || type === 'bytes'

function regexCost(text: Range, pattern: Range): Range {
  return times(scaled(sum(text, fixed(1)), STRING), scaled(pattern, REGEX))
}

function allocating(factor: number, size: Range): CallEstimate {
  return { cost: sum(scaled(size, factor), fixed(1 + LIST_COST)), result: size }
}

const wholeNumber = ({ literal }: Operand, otherwise: number): number => (typeof literal === 'bigint' ? Math.max(0, Number(literal)) : otherwise)

/** Of what is done element by element: comparing, adding. */
function eachElement({ size, element }: Operand): CallEstimate {
  if (element === null) return { cost: scaled(size, STRING) }
  return { cost: times(size, isText(element.type) ? sum(fixed(1), scaled(element.size, STRING)) : fixed(1)) }
}

function replaced(text: Range, from: Range, to: Range): Range {
  let [most, kept] = [0, 0]
  if (from.min === 0) [most, kept] = [text.max + 1, text.max]
  else if (to.max <= from.min) kept = text.max
  else most = Math.ceil(text.max / from.min)
  let [least, leastKept] = [0, 0]
  if (from.max === 0) [least, leastKept] = [text.min + 1, text.min]
  else if (from.max <= to.min) leastKept = text.min
  else least = Math.ceil(text.min / from.max)
  return sum(times({ min: least, max: most }, to), { min: leastKept, max: kept })
}

function joined(list: Operand, separator: Operand | undefined): CallEstimate {
  const texts = list.element === null ? NOTHING : times(list.size, list.element.size)
  const between = { min: Math.max(0, list.size.min - 1), max: Math.max(0, list.size.max - 1) }
  const size = separator === undefined ? texts : sum(texts, times(separator.size, between))
  return { cost: scaled(size, STRING), result: size }
}

function sorted({ size, element }: Operand): CallEstimate {
  const texts = element === null || isText(element.type) || element.type === 'dyn'
  return allocating(2 + (texts ? STRING : 0), times(size, size))
}

function slice(list: Operand, start: Operand, end: Operand): CallEstimate {
  const length = wholeNumber(end, list.size.max) - wholeNumber(start, 0)
  return allocating(1, fixed(length < 0 ? UNKNOWN.max : length))
}

/**
 * What a method costs beside its operands; null when it is one of the many that cost 1.
 *
 * @see k8s.io/apiserver/pkg/cel/library/cost.go, cel.dev/cel-go/checker/cost.go and ext/lists.go
 */
export function methodEstimate(name: string, target: Operand, args: readonly Operand[]): CallEstimate | null {
  const [first, second] = args
  switch (name) {
    case 'check':
      return { cost: fixed(350_000) }
    case 'isSorted':
    case 'sum':
    case 'max':
    case 'min':
    case 'indexOf':
    case 'lastIndexOf':
      return eachElement(target)
    case 'lowerAscii':
    case 'upperAscii':
    case 'substring':
    case 'trim':
      return { cost: scaled(target.size, STRING), result: target.size }
    case 'replace':
      return first === undefined || second === undefined
        ? null
        : { cost: scaled(target.size, 2 * STRING), result: replaced(target.size, first.size, second.size) }
    case 'split':
      return { cost: scaled(target.size, 2 * STRING), result: { min: 0, max: second === undefined ? target.size.max : wholeNumber(second, target.size.max) } }
    case 'join':
      return joined(target, first)
    case 'find':
    case 'findAll':
      return first === undefined ? null : { cost: regexCost(target.size, first.size), result: { min: 0, max: target.size.max } }
    case 'matches':
      return first === undefined ? null : { cost: regexCost(target.size, first.size) }
    case 'contains':
      return first === undefined ? null : { cost: times(scaled(target.size, STRING), scaled(first.size, STRING)) }
    case 'startsWith':
    case 'endsWith':
      return first === undefined ? null : { cost: scaled(first.size, STRING) }
    case 'format':
      return { cost: scaled(target.size, STRING) }
    case 'containsIP':
      return first === undefined ? null : { cost: sum(scaled(sum(ADDRESS, ADDRESS), STRING), parsed(first)) }
    case 'containsCIDR':
      return first === undefined ? null : { cost: sum(scaled(sum(ADDRESS, ADDRESS), STRING), scaled(ADDRESS, STRING), fixed(1), parsed(first)) }
    case 'validate':
      return first === undefined ? null : { cost: scaled(scaled(first.size, STRING), MAX_PATTERN * REGEX) }
    case 'slice':
      return first === undefined || second === undefined ? null : slice(target, first, second)
    case 'reverse':
      return target.element === null ? null : allocating(1, target.size)
    case 'flatten':
      return allocating(first === undefined ? 1 : wholeNumber(first, UNKNOWN.max), target.size)
    case 'distinct':
      return allocating(2, times(target.size, target.size))
    case 'sort':
      return sorted(target)
    default:
      return null
  }
}

const parsed = ({ type, size }: Operand): Range => (type === 'string' ? scaled(size, STRING) : NOTHING)

/** What sorting by the keys in a list costs. */
export function sortByEstimate(keys: Operand): CallEstimate {
  return sorted(keys)
}

/** What a function costs beside its operands, its namespace in its name; null when it costs 1. */
export function functionEstimate(name: string, args: readonly Operand[]): CallEstimate | null {
  const [first, second] = args
  if (first === undefined) return null
  switch (name) {
    case 'url':
      return { cost: scaled(first.size, STRING), result: first.size }
    case 'cidr':
    case 'isIP':
    case 'isCIDR':
    case 'ip':
    case 'quantity':
    case 'isQuantity':
    case 'semver':
    case 'isSemver':
      return { cost: scaled(first.size, STRING) }
    case 'ip.isCanonical':
      return { cost: scaled(first.size, 2 * STRING) }
    case 'strings.quote':
      return { cost: scaled(first.size, STRING), result: { min: first.size.min + 2, max: sum(first.size, first.size, fixed(2)).max } }
    case 'bytes':
      return dynOr('string', first.type) ? { cost: scaled(first.size, STRING), result: { min: first.size.min, max: times(first.size, fixed(4)).max } } : null
    case 'string':
      return dynOr('bytes', first.type)
        ? { cost: first.type === 'dyn' ? union(scaled(first.size, STRING), fixed(1)) : scaled(first.size, STRING), result: first.size }
        : null
    case 'lists.range':
      return allocating(1, fixed(wholeNumber(first, UNKNOWN.max)))
    case 'sets.contains':
    case 'sets.intersects':
      return second === undefined ? null : { cost: sum(times(first.size, second.size), fixed(1)) }
    case 'sets.equivalent':
      return second === undefined ? null : { cost: sum(scaled(times(first.size, second.size), 2), fixed(1)) }
    default:
      return null
  }
}

/** Opaque types whose values are equal or not at once. */
const CHEAP = new Set(['net.IP', 'net.CIDR', 'Quantity', 'Semver'])

function compared(left: Range, right: Range): Range {
  const max = Math.min(left.max, right.max)
  return scaled({ min: max > 0 ? 1 : 0, max }, STRING)
}

const either = (left: string, right: string, kind: (type: string) => boolean): boolean => (kind(left) || left === 'dyn') && (kind(right) || right === 'dyn')
const isList = (type: string): boolean => type.startsWith('list')

/** What a binary operator costs beside its operands. */
export function operatorEstimate(operator: string, left: Operand, right: Operand): CallEstimate {
  const one = { cost: fixed(1) }
  const both = left.type === 'dyn' && right.type === 'dyn'
  switch (operator) {
    case '==':
      if (left.type === right.type && CHEAP.has(left.type)) return one
      if (left.type === right.type && left.type === 'Format') return { cost: scaled({ min: 1, max: MAX_FORMAT }, STRING) }
      if (left.type === right.type && left.type === 'URL') return { cost: scaled({ min: 1, max: right.known ? right.size.max : 1 }, STRING) }
      return { cost: compared(left.size, right.size) }
    case '!=':
      return { cost: compared(left.size, right.size) }
    case '<':
    case '<=':
    case '>':
    case '>=': {
      if (!either(left.type, right.type, (type) => type === 'string') && !either(left.type, right.type, (type) => type === 'bytes')) return one
      const cost = compared(left.size, right.size)
      return { cost: both ? union(cost, fixed(1)) : cost }
    }
    case 'in':
      if (isList(right.type)) return { cost: right.size }
      return right.type === 'dyn' ? { cost: union(right.size, fixed(1)) } : one
    case '+': {
      const result = sum(left.size, right.size)
      const texts = either(left.type, right.type, (type) => type === 'string') || either(left.type, right.type, (type) => type === 'bytes')
      const lists = either(left.type, right.type, isList)
      if (!texts && !lists) return one
      const cost = texts ? scaled(result, STRING) : fixed(1)
      return { cost: texts && (lists || both) ? union(cost, fixed(1)) : cost, result }
    }
    default:
      return one
  }
}
