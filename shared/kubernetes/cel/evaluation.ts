import { Optional } from '@marcbachmann/cel-js'
import { callCost, LOOP_COST, operatorCost, type CostMeter } from './cost.ts'
import { CelFunctionError } from './functionError.ts'
import { matchesRegex } from './functions/regex.ts'
import { stringOverrides } from './functions/strings.ts'
import { childrenOf, type Comprehension, type Evaluate, type Node } from './library.ts'
import { celEquals, compareValues, concatenate, entriesOf } from './values.ts'

const LIST_COST = 10
const MAP_COST = 30

/** What is at a key or index; undefined when nothing is. Null for values that have no members, which the library then refuses. */
function member(value: unknown, key: unknown): { found: unknown } | null {
  if (Array.isArray(value)) {
    const index = typeof key === 'bigint' || (typeof key === 'number' && Number.isInteger(key)) ? Number(key) : null
    return index === null ? null : { found: index >= 0 ? (value[index] as unknown) : undefined }
  }
  if (value instanceof Map) return { found: value.get(key) as unknown }
  const entries = entriesOf(value)
  return entries === null ? null : { found: entries.get(key) ?? entries.get(String(key)) }
}

function access(operand: unknown, key: unknown): { found: unknown } | null {
  if (!(operand instanceof Optional)) {
    const at = member(operand, key)
    if (at !== null && at.found === undefined)
      throw new CelFunctionError(Array.isArray(operand) ? `index out of bounds: ${String(key)}` : `no such key: ${String(key)}`)
    return at
  }
  return { found: accessOptional(operand, key) }
}

function accessOptional(operand: unknown, key: unknown): Optional {
  const value = operand instanceof Optional ? (operand.hasValue() ? operand.value() : undefined) : operand
  const at = value === undefined ? null : member(value, key)
  return at?.found === undefined ? Optional.none() : Optional.of(at.found)
}

/** A binary operator on values whose meaning in Kubernetes is not the library's; undefined leaves it to the library. */
function operate(operator: string, left: unknown, right: unknown): { result: unknown } | undefined {
  switch (operator) {
    case '==':
      return { result: celEquals(left, right) }
    case '!=':
      return { result: !celEquals(left, right) }
    case 'in':
      if (Array.isArray(right)) return { result: right.some((each) => celEquals(left, each)) }
      return entriesOf(right) === null ? undefined : { result: entriesOf(right)?.has(left) === true }
    case '+':
      return Array.isArray(left) && Array.isArray(right) ? { result: concatenate(left, right) } : undefined
    case '<':
    case '<=':
    case '>':
    case '>=': {
      const order = compareValues(left, right)
      if (order === null) return undefined
      return { result: operator === '<' ? order < 0 : operator === '<=' ? order <= 0 : operator === '>' ? order > 0 : order >= 0 }
    }
    default:
      return undefined
  }
}

/** Makes a checked tree count its cost, and mean what it means in Kubernetes where the library differs. */
export function instrument(node: Node, meter: CostMeter): void {
  if (node.meta.alternate !== undefined && (node.op === 'rcall' || node.op === 'call')) countLoop(node, meter)
  for (const child of childrenOf(node)) instrument(child, meter)
  const { alternate, macro, evaluate: original } = node.meta
  if (alternate !== undefined || macro !== undefined) return
  const evaluate = evaluationOf(node, original, meter)
  if (evaluate !== null) node.setMeta('evaluate', evaluate)
}

/** Each turn of a comprehension costs what cel-go's expansion of the macro would. */
function countLoop(node: Node, meter: CostMeter): void {
  const [name] = node.args as [string]
  const { alternate } = node.meta
  if (alternate?.op !== 'comprehension') return
  const { step } = alternate.args as Comprehension
  const original = step.meta.evaluate
  step.setMeta('evaluate', ((evaluator, self, context) => {
    meter.add(LOOP_COST[name] ?? 1)
    return original(evaluator, self, context)
  }) satisfies Evaluate)
}

function evaluationOf(node: Node, original: Evaluate, meter: CostMeter): Evaluate | null {
  switch (node.op) {
    case 'id':
      return (evaluator, self, context) => {
        meter.add(1)
        return original(evaluator, self, context)
      }
    case '.':
    case '[]':
    case '.?':
    case '[?]':
      return memberAccess(node, meter)
    case 'list':
      return (evaluator, self, context) => {
        meter.add(LIST_COST)
        return original(evaluator, self, context)
      }
    case 'map':
      return (evaluator, _self, context) => {
        meter.add(MAP_COST)
        const entries = new Map<unknown, unknown>()
        for (const [key, value] of node.args as [Node, Node][]) {
          const at = evaluator.run(key, context)
          if (entries.has(at)) throw new CelFunctionError(`Failed with repeated key ${String(at)}`)
          entries.set(at, evaluator.run(value, context))
        }
        return entries
      }
    case 'call':
    case 'rcall':
      return callEvaluation(node, meter)
    case '!_':
    case '-_':
      return (evaluator, self, context) => {
        meter.add(1)
        return original(evaluator, self, context)
      }
    case '?:':
    case '&&':
    case '||':
    case 'value':
    case 'comprehension':
    case 'accuValue':
    case 'accuInc':
    case 'accuPush':
      return null
    default:
      return binary(node, meter)
  }
}

function memberAccess(node: Node, meter: CostMeter): Evaluate {
  const [operand, right] = node.args as [Node, Node | string]
  const optional = node.op.includes('?')
  return (evaluator, self, context) => {
    meter.add(1)
    const value = evaluator.run(operand, context)
    const key = typeof right === 'string' ? right : evaluator.run(right, context)
    if (optional) return accessOptional(value, key)
    const at = access(value, key)
    return at === null ? self.handle?.(value, key, self, evaluator) : at.found
  }
}

function binary(node: Node, meter: CostMeter): Evaluate {
  const [leftNode, rightNode] = node.args as [Node, Node]
  return (evaluator, self, context) => {
    const left = evaluator.run(leftNode, context)
    const right = evaluator.run(rightNode, context)
    meter.add(operatorCost(self.op, left, right))
    const done = operate(self.op, left, right)
    return done === undefined ? self.handle?.(left, right, self, evaluator) : done.result
  }
}

function callEvaluation(node: Node, meter: CostMeter): Evaluate {
  const [name] = node.args as [string]
  const override = node.op === 'rcall' ? stringOverrides[name] : undefined
  const operands = childrenOf(node)
  return (evaluator, self, context) => {
    const values = operands.map((each) => evaluator.run(each, context))
    const [first, second] = values
    if (name === 'matches' && typeof first === 'string' && typeof second === 'string') {
      meter.add(callCost(name, values, false))
      return matchesRegex(first, second)
    }
    let result: unknown
    if (override !== undefined && typeof first === 'string') result = override(first, ...(values.slice(1) as never[]))
    else if (node.op === 'call') result = self.handle?.(values, self, evaluator)
    else result = self.handle?.(values, evaluator, self)
    meter.add(callCost(name, values, result))
    return result
  }
}
