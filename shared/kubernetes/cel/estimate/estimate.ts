import { childrenOf, type LibraryType, type Node } from '../library.ts'
import { functionEstimate, methodEstimate, operatorEstimate, sortByEstimate, type CallEstimate, type Operand } from './calls.ts'
import { expansion, LIST_COST, MAP_COST } from './expansion.ts'
import { fixed, NOTHING, sum, times, union, UNKNOWN, type Range } from './range.ts'

/** Way to a value from the variables: a variable, then fields, `@items`, `@values`, `@keys`. */
type Path = readonly string[]

/** The largest size of what is at a path; null when nothing tells. */
export type SizeOf = (path: Path) => number | null

/** Sizes of what a list or map holds. */
interface Entries {
  list: boolean
  key: Range
  value: Range
}

interface Local {
  path: Path
  size: Range | null
  entries: Entries | null
}

const SCALARS = new Set(['bool', 'double', 'int', 'uint', 'google.protobuf.Timestamp', 'google.protobuf.Duration'])

const isScalar = (type: LibraryType | undefined): boolean => {
  if (type === undefined) return false
  if (type.kind === 'optional') return isScalar(type.valueType)
  return SCALARS.has(type.name)
}

function united(a: Entries | null, b: Entries | null): Entries | null {
  return a === null || b === null ? null : { list: a.list, key: union(a.key, b.key), value: union(a.value, b.value) }
}

const NO_ITEMS: Entries = { list: true, key: fixed(1), value: NOTHING }

/**
 * The most that an expression can cost, by the largest sizes of what its variables may hold. The expression must be checked.
 *
 * @see cel.dev/cel-go/checker/cost.go; its words: coster, localVars, computedSizes, computedEntrySizes, exprPaths
 */
export function estimateCost(root: Node, sizeOf: SizeOf): number {
  return new Coster(sizeOf).cost(root).max
}

class Coster {
  readonly #sizeOf: SizeOf
  readonly #paths = new Map<Node, Path>()
  readonly #sizes = new Map<Node, Range>()
  readonly #entries = new Map<Node, Entries>()
  readonly #locals = new Map<string, Local[]>()

  constructor(sizeOf: SizeOf) {
    this.#sizeOf = sizeOf
  }

  cost(node: Node): Range {
    switch (node.op) {
      case 'value':
        return NOTHING
      case 'id':
        this.#paths.set(node, this.#local(node)?.path ?? [node.args as string])
        return fixed(1)
      case '.':
        return this.#select(node)
      case 'list':
        return this.#list(node)
      case 'map':
        return this.#map(node)
      case '?:':
        return this.#conditional(node)
      case '&&':
      case '||': {
        const [left, right] = (node.args as Node[]).map((each) => this.cost(each)) as [Range, Range]
        return { min: left.min, max: sum(left, right).max }
      }
      case '[]':
        return this.#index(node)
      case '.?':
      case '[?]':
      case '!_':
      case '-_':
        return this.#settled(node, { cost: fixed(1) }, childrenOf(node))
      case 'call':
        return this.#function(node)
      case 'rcall':
        return this.#method(node)
      default: {
        const operands = node.args as [Node, Node]
        const costs = operands.map((each) => this.cost(each))
        const estimate = operatorEstimate(node.op, this.#operand(operands[0]), this.#operand(operands[1]))
        if (node.op === '+' && estimate.result !== undefined) this.#setEntries(node, united(this.#entriesOf(operands[0]), this.#entriesOf(operands[1])))
        return this.#finish(node, estimate, costs)
      }
    }
  }

  #select(node: Node): Range {
    const [operand, field] = node.args as [Node, string]
    const cost = this.cost(operand)
    const kind = typeOf(operand)?.kind
    this.#paths.set(node, [...this.#path(operand), field])
    return kind === 'map' || kind === 'message' || kind === 'param' ? sum(cost, fixed(1)) : cost
  }

  #list(node: Node): Range {
    const elements = node.args as Node[]
    const costs = elements.map((each) => this.cost(each))
    this.#entries.set(node, { list: true, key: fixed(1), value: this.#spread(elements) })
    return sum(...costs, fixed(LIST_COST))
  }

  #map(node: Node): Range {
    const entries = node.args as [Node, Node][]
    const costs = entries.flatMap(([key, value]) => [this.cost(key), this.cost(value)])
    this.#entries.set(node, { list: false, key: this.#spread(entries.map(([key]) => key)), value: this.#spread(entries.map(([, value]) => value)) })
    return sum(...costs, fixed(MAP_COST))
  }

  #spread(nodes: readonly Node[]): Range {
    const [first, ...others] = nodes.map((each) => this.#sizeOrUnknown(each))
    return first === undefined ? NOTHING : others.reduce(union, first)
  }

  #conditional(node: Node): Range {
    const [condition, yes, no] = node.args as [Node, Node, Node]
    const [first, second, third] = [condition, yes, no].map((each) => this.cost(each)) as [Range, Range, Range]
    this.#setEntries(node, united(this.#entriesOf(yes), this.#entriesOf(no)))
    this.#sizes.set(node, union(this.#sizeOrUnknown(yes), this.#sizeOrUnknown(no)))
    return sum(first, union(second, third))
  }

  #index(node: Node): Range {
    const [operand, index] = node.args as [Node, Node]
    const costs = [this.cost(operand), this.cost(index)]
    this.#paths.set(node, [...this.#path(operand), typeOf(operand)?.kind === 'list' ? '@items' : '@values'])
    const value = this.#entriesOf(operand)?.value
    return this.#finish(node, { cost: fixed(1), ...(value === undefined ? {} : { result: value }) }, costs)
  }

  #function(node: Node): Range {
    const [name, args] = node.args as [string, Node[]]
    const [argument] = args
    if (name === 'has' && argument !== undefined) return this.cost((argument.args as [Node])[0])
    if (name !== 'dyn' || argument === undefined) return this.#settled(node, null, args, (operands) => functionEstimate(name, operands))
    const cost = this.cost(argument)
    this.#copySizes(node, argument)
    return sum(fixed(1), cost)
  }

  #method(node: Node): Range {
    const [name, receiver, args] = node.args as [string, Node, Node[]]
    const { alternate, macro } = node.meta
    if (alternate !== undefined || macro !== undefined) return this.#macro(node, name, receiver, args)
    const namespace = /^(\w+)Namespace$/.exec(typeOf(receiver)?.name ?? '')?.[1]
    if (namespace !== undefined && receiver.op === 'id')
      return this.#settled(node, null, args, (operands) => functionEstimate(`${receiver.args as string}.${name}`, operands))
    const costs = args.map((each) => this.cost(each))
    const operands = args.map((each) => this.#operand(each))
    const target = this.cost(receiver)
    const estimate = methodEstimate(name, this.#operand(receiver), operands) ?? { cost: fixed(1) }
    return this.#finish(node, estimate, [target, ...costs])
  }

  /** A call of which each operand is evaluated once. */
  #settled(node: Node, estimate: CallEstimate | null, args: readonly Node[], estimated?: (operands: Operand[]) => CallEstimate | null): Range {
    const costs: Range[] = []
    const operands: Operand[] = []
    for (const each of args) {
      costs.push(this.cost(each))
      operands.push(this.#operand(each))
    }
    return this.#finish(node, estimate ?? estimated?.(operands) ?? { cost: fixed(1) }, costs)
  }

  #finish(node: Node, { cost, result }: CallEstimate, costs: readonly Range[]): Range {
    const size = result ?? this.#size(node)
    if (size !== null) this.#sizes.set(node, size)
    return sum(cost, ...costs)
  }

  /** What a macro's expansion in cel-go would cost. */
  #macro(node: Node, name: string, receiver: Node, args: readonly Node[]): Range {
    const names = args.slice(0, -1).map((each) => String(each.args))
    const body = args.at(-1) as Node
    switch (name) {
      case 'bind':
        return this.#bind(node, names[0] ?? '', args[1] as Node, body)
      case 'optMap':
      case 'optFlatMap':
        return this.#optional(node, names[0] ?? '', receiver, body)
      case 'sortBy':
        return this.#sortBy(node, names[0] ?? '', receiver, body)
      default:
        return this.#comprehension(node, name, receiver, args)
    }
  }

  #comprehension(node: Node, name: string, receiver: Node, args: readonly Node[]): Range {
    const range = this.cost(receiver)
    const two = name.startsWith('transform') || (['all', 'exists', 'existsOne', 'exists_one'].includes(name) && args.length === 3)
    const variables = args.slice(0, two ? 2 : 1).map((each) => String(each.args))
    const bodies = args.slice(two ? 2 : 1)
    if (two) {
      this.#push(variables[0] ?? '', this.#iterated(receiver, 'key'))
      this.#push(variables[1] ?? '', this.#iterated(receiver, 'value'))
    } else this.#push(variables[0] ?? '', this.#iterated(receiver, this.#isList(receiver) ? 'value' : 'key'))
    const costs = bodies.map((each) => this.cost(each))
    const body = bodies.at(-1)
    const value = body === undefined ? UNKNOWN : name === 'filter' ? this.#itemSize(receiver, args[0] as Node) : this.#sizeOrUnknown(body)
    for (const variable of variables) this.#pop(variable)
    const { once, each, list } = expansion(name, costs)
    const count = this.#sizeOrUnknown(receiver)
    // The size of a literal is 1; lists and maps are as long as what they are made of.
    this.#sizes.set(node, list === null ? fixed(1) : count)
    if (list === true) this.#setEntries(node, united(NO_ITEMS, { list: true, key: fixed(1), value }))
    return sum(range, once, times(count, each))
  }

  #itemSize(receiver: Node, variable: Node): Range {
    return this.#size(variable) ?? (isScalar(typeOf(receiver)?.valueType) ? fixed(1) : UNKNOWN)
  }

  #bind(node: Node, name: string, value: Node, body: Node): Range {
    const cost = this.cost(value)
    this.#push(name, { path: this.#path(value), size: this.#size(value), entries: this.#entriesOf(value) })
    const inner = this.cost(body)
    this.#pop(name)
    this.#copySizes(node, body)
    return sum(fixed(LIST_COST), cost, inner)
  }

  #optional(node: Node, name: string, receiver: Node, body: Node): Range {
    const cost = this.cost(receiver)
    this.#push(name, { path: [], size: isScalar(typeOf(receiver)?.valueType) ? fixed(1) : null, entries: null })
    const inner = this.cost(body)
    this.#pop(name)
    const of = (node.args as [string])[0] === 'optMap' ? 1 : 0
    this.#sizes.set(node, isScalar(typeOf(node)) ? fixed(1) : UNKNOWN)
    return sum(cost, fixed(1), union(sum(fixed(of + LIST_COST + 1), cost, inner), fixed(1)))
  }

  #sortBy(node: Node, name: string, receiver: Node, body: Node): Range {
    const list = this.cost(receiver)
    this.#push(name, this.#iterated(receiver, 'value'))
    const inner = this.cost(body)
    this.#pop(name)
    const count = this.#sizeOrUnknown(receiver)
    const { once, each } = expansion('map', [inner])
    const keys: Operand = { type: 'list', size: count, element: { type: typeOf(body)?.name ?? 'dyn', size: UNKNOWN }, known: true, literal: undefined }
    const sort = sortByEstimate(keys)
    this.#sizes.set(node, sort.result ?? count)
    return sum(fixed(LIST_COST), list, fixed(1), fixed(1), once, times(count, each), sort.cost)
  }

  #iterated(range: Node, side: 'key' | 'value'): Local {
    const entries = this.#entriesOf(range)
    const list = entries?.list ?? typeOf(range)?.kind === 'list'
    const step = side === 'value' ? (list ? '@items' : '@values') : list ? '@indices' : '@keys'
    return { path: [...this.#path(range), step], size: entries?.[side] ?? null, entries: null }
  }

  #isList(range: Node): boolean {
    return this.#entriesOf(range)?.list ?? typeOf(range)?.kind === 'list'
  }

  #push(name: string, local: Local): void {
    this.#locals.set(name, [...(this.#locals.get(name) ?? []), local])
  }

  #pop(name: string): void {
    this.#locals.get(name)?.pop()
  }

  #local(node: Node): Local | undefined {
    return node.op === 'id' ? this.#locals.get(node.args as string)?.at(-1) : undefined
  }

  #path(node: Node): Path {
    return this.#local(node)?.path ?? this.#paths.get(node) ?? []
  }

  #operand(node: Node): Operand {
    const type = typeOf(node)
    const size = this.#size(node)
    return {
      type: type?.name ?? 'dyn',
      size: size ?? UNKNOWN,
      element: type?.kind === 'list' ? { type: type.valueType?.name ?? 'dyn', size: this.#elementSize(node) } : null,
      known: size !== null,
      literal: node.op === 'value' ? node.args : undefined,
    }
  }

  #elementSize(node: Node): Range {
    const path = this.#path(node)
    const size = path.length === 0 ? null : this.#sizeOf([...path, '@items'])
    return size === null ? UNKNOWN : { min: 0, max: size }
  }

  #sizeOrUnknown(node: Node): Range {
    return this.#size(node) ?? UNKNOWN
  }

  #size(node: Node): Range | null {
    const known = this.#sizes.get(node) ?? written(node)
    if (known !== null) return known
    const path = this.#path(node)
    const size = path.length === 0 ? null : this.#sizeOf(path)
    if (size !== null) {
      this.#sizes.set(node, { min: 0, max: size })
      return { min: 0, max: size }
    }
    return isScalar(typeOf(node)) ? fixed(1) : (this.#local(node)?.size ?? null)
  }

  #entriesOf(node: Node): Entries | null {
    return this.#entries.get(node) ?? this.#local(node)?.entries ?? null
  }

  #setEntries(node: Node, entries: Entries | null): void {
    if (entries !== null) this.#entries.set(node, entries)
  }

  #copySizes(to: Node, from: Node): void {
    const size = this.#size(from)
    if (size !== null) this.#sizes.set(to, size)
    this.#setEntries(to, this.#entriesOf(from))
  }
}

function typeOf(node: Node): LibraryType | undefined {
  return node.checkedType ?? node.meta.alternate?.checkedType
}

/** The size of what is written in the expression itself. */
function written(node: Node): Range | null {
  if (node.op === 'list' || node.op === 'map') return fixed((node.args as unknown[]).length)
  if (node.op !== 'value') return null
  const { args } = node
  return fixed(typeof args === 'string' ? Array.from(args).length : args instanceof Uint8Array ? args.length : 1)
}
