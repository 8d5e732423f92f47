import { Optional } from '@marcbachmann/cel-js'
import { UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { CelAddress, CelCidr } from './functions/addresses.ts'
import { CelFormat } from './functions/formats.ts'
import { CelCostError } from './functionError.ts'
import { entriesOf } from './values.ts'

/** cel-go's common.StringTraversalCostFactor and RegexStringLengthCostFactor. */
const STRING = 0.1
const REGEX = 0.25

/** What an evaluation has cost so far, and may. */
export class CostMeter {
  cost = 0
  limit = Number.POSITIVE_INFINITY
  exceeded = false

  start(limit: number): void {
    this.cost = 0
    this.limit = limit
    this.exceeded = false
  }

  /** @throws CelCostError for good, once the limit is passed */
  add(cost: number): void {
    this.cost += cost
    if (this.cost <= this.limit) return
    this.exceeded = true
    throw new CelCostError('operation cancelled: actual cost limit exceeded')
  }
}

/** cel-go's actualSize: characters, bytes, elements, entries; 1 for everything else. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return Array.from(value).length
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length
  if (value instanceof CelAddress) return value.bytes.length
  if (value instanceof CelCidr) return Math.ceil(value.length / 8)
  if (value instanceof Optional) return value.hasValue() ? sizeOf(value.value()) : 1
  if (value instanceof UnsignedInt) return 1
  return entriesOf(value)?.size ?? 1
}

const strings = (size: number, times = 1): number => Math.ceil(size * times * STRING)
const regex = (text: unknown, patternSize: number): number => strings(1 + sizeOf(text)) * Math.ceil(patternSize * REGEX)

function traversal(value: unknown): number {
  return Array.isArray(value) ? value.reduce((sum: number, each) => sum + (typeof each === 'string' ? strings(sizeOf(each)) : 1), 0) : strings(sizeOf(value))
}

/**
 * What a call costs by the sizes of its arguments (the receiver first).
 *
 * @see cel.dev/cel-go/interpreter/runtimecost.go, k8s.io/apiserver/pkg/cel/library/cost.go
 */
export function callCost(name: string, args: readonly unknown[], result: unknown): number {
  const [first, second] = args
  switch (name) {
    case 'check':
      return 350_000
    case 'startsWith':
    case 'endsWith':
      return strings(sizeOf(second))
    case 'isSorted':
    case 'sum':
    case 'max':
    case 'min':
    case 'indexOf':
    case 'lastIndexOf':
      return traversal(first)
    case 'url':
    case 'isURL':
    case 'lowerAscii':
    case 'upperAscii':
    case 'substring':
    case 'trim':
    case 'cidr':
    case 'isIP':
    case 'isCIDR':
    case 'quantity':
    case 'isQuantity':
    case 'semver':
    case 'isSemver':
    case 'quote':
    case 'format':
    case 'bytes':
      return strings(sizeOf(first))
    case 'ip':
      return first instanceof CelCidr ? 1 : strings(sizeOf(first))
    case 'isCanonical':
      return strings(sizeOf(second), 2)
    case 'replace':
    case 'split':
      return strings(sizeOf(first), 2)
    case 'join':
      return strings(sizeOf(result), 2)
    case 'matches':
    case 'find':
    case 'findAll':
      return regex(first, sizeOf(second))
    case 'contains':
      return typeof first === 'string' ? strings(sizeOf(first)) * strings(sizeOf(second)) : sizeOf(first) * sizeOf(second)
    case 'validate':
      return first instanceof CelFormat ? regex(second, first.maxRegexSize) : 1
    case 'containsIP':
      return strings(sizeOf(first), 2) + (typeof second === 'string' ? strings(sizeOf(second)) : 0)
    case 'containsCIDR':
      return strings(sizeOf(first), 2) + strings(sizeOf(first)) + 1 + (typeof second === 'string' ? strings(sizeOf(second)) : 0)
    default:
      return 1
  }
}

/** What an operator costs. */
export function operatorCost(operator: string, left: unknown, right: unknown): number {
  switch (operator) {
    case '==':
    case '!=':
      return strings(Math.min(sizeOf(left), sizeOf(right)))
    case '<':
    case '<=':
    case '>':
    case '>=':
      return typeof left === 'string' || left instanceof Uint8Array ? strings(Math.min(sizeOf(left), sizeOf(right))) : 1
    case 'in':
      return Array.isArray(right) ? sizeOf(right) : 1
    case '+':
      return typeof left === 'string' || left instanceof Uint8Array ? strings(sizeOf(left) + sizeOf(right)) : 1
    default:
      return 1
  }
}

/** The nodes that a macro's expansion evaluates for each element beside the expression's own. */
export const LOOP_COST: Readonly<Record<string, number>> = { all: 3, exists: 4, exists_one: 1, existsOne: 1, map: 12, filter: 1 }
