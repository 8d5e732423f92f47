import { Optional } from '@marcbachmann/cel-js'
import { CelFunctionError } from './functionError.ts'
import type { Checker, Context, Evaluator, LibraryType, Macro, Node, OverlayContext } from './library.ts'
import { compareValues, entriesOf } from './values.ts'

interface MacroCall {
  args: Node[]
  receiver?: Node
}

function nameOf(node: Node | undefined): string {
  if (node?.op === 'id') return node.args as string
  throw new CelFunctionError('argument must be a simple name')
}

/** `has(a.b)`: a may be any expression, not only names as in the library. */
export function hasMacro(argument: Node): Macro {
  const [operand, field] = argument.args as [Node, string]
  return {
    children: [operand],
    typeCheck(checker, _macro, context) {
      if (argument.op !== '.') throw checker.createError('invalid_macro_argument', 'invalid argument to has() macro', argument)
      const type = checker.check(operand, context)
      checker.checkAccessOnType(argument, context, type.kind === 'optional' ? (type.valueType ?? checker.dynType) : type)
      return checker.boolType
    },
    evaluate(evaluator, _macro, context) {
      let value = evaluator.run(operand, context)
      if (value instanceof Optional) value = value.hasValue() ? value.value() : new Map()
      const entries = entriesOf(value)
      if (entries === null) throw new CelFunctionError('no such overload')
      return entries.has(field)
    },
  }
}

interface Pair {
  first: OverlayContext
  second: OverlayContext
}

/** The types of a two-variable comprehension's variables: index and element of a list, key and value of a map. */
function fork(checker: Checker, receiver: Node, names: [string, string], context: Context): Pair {
  const type = checker.check(receiver, context)
  let types: [LibraryType, LibraryType]
  if (type.kind === 'list') types = [checker.intType, type.valueType ?? checker.dynType]
  else if (type.kind === 'map') types = [type.keyType ?? checker.dynType, type.valueType ?? checker.dynType]
  else if (type.kind === 'dyn') types = [checker.dynType, checker.dynType]
  else
    throw checker.createError(
      'invalid_comprehension_range',
      `expression of type '${type.name}' cannot be range of a comprehension (must be list, map, or dynamic)`,
      receiver,
    )
  const first = context.forkWithVariable(names[0], types[0])
  return { first, second: first.forkWithVariable(names[1], types[1]) }
}

function* pairs(value: unknown): Generator<[unknown, unknown]> {
  if (Array.isArray(value)) for (const [index, each] of value.entries()) yield [BigInt(index), each as unknown]
  else yield* entriesOf(value) ?? []
}

/** Runs the body for each pair until `take` says that the answer is known. */
function twoVariables(
  { args, receiver }: MacroCall,
  count: number,
  result: (checker: Checker, types: LibraryType[]) => LibraryType,
  run: (each: Iterable<{ key: unknown; value: (index: number) => unknown }>) => unknown,
): Macro {
  if (receiver === undefined) throw new CelFunctionError('a comprehension needs a list or a map')
  const names: [string, string] = [nameOf(args[0]), nameOf(args[1])]
  const bodies = args.slice(2, 2 + count)
  let pair: Pair | null = null
  return {
    children: [receiver, ...bodies],
    typeCheck(checker, _macro, context) {
      const forked = (pair = fork(checker, receiver, names, context))
      return result(
        checker,
        bodies.map((body) => checker.check(body, forked.second)),
      )
    },
    evaluate(evaluator, _macro, context) {
      const { first, second } = pair ?? { first: null, second: null }
      if (first === null || second === null) throw new CelFunctionError('unchecked expression')
      const range = evaluator.run(receiver, context)
      function* each(): Generator<{ key: unknown; value: (index: number) => unknown }> {
        for (const [key, item] of pairs(range)) {
          yield {
            key,
            value: (index) => {
              const inner = second?.reuse(first?.reuse(context).setIterValue(key, evaluator) ?? context).setIterValue(item, evaluator)
              const body = bodies[index]
              return body === undefined || inner === undefined ? undefined : evaluator.run(body, inner)
            },
          }
        }
      }
      return run(each())
    },
  }
}

const boolean = (checker: Checker): LibraryType => checker.boolType

/** Errors count only when no element decides. */
function quantifier(decides: boolean): (each: Iterable<{ value: (index: number) => unknown }>) => boolean {
  return (each) => {
    let failed: unknown
    for (const { value } of each) {
      try {
        if (value(0) === decides) return decides
      } catch (error) {
        failed ??= error
      }
    }
    if (failed !== undefined) throw failed
    return !decides
  }
}

function exactlyOne(each: Iterable<{ value: (index: number) => unknown }>): boolean {
  let count = 0
  for (const { value } of each) if (value(0) === true) count += 1
  return count === 1
}

const transformList = (filtered: boolean) => (call: MacroCall) =>
  twoVariables(
    call,
    filtered ? 2 : 1,
    (checker, types) => checker.registry.getListType(types[filtered ? 1 : 0] ?? checker.dynType),
    (each) => {
      const found: unknown[] = []
      for (const { value } of each) if (!filtered || value(0) === true) found.push(value(filtered ? 1 : 0))
      return found
    },
  )

const transformMap = (filtered: boolean) => (call: MacroCall) =>
  twoVariables(
    call,
    filtered ? 2 : 1,
    (checker, types) => checker.registry.getMapType(checker.dynType, types[filtered ? 1 : 0] ?? checker.dynType),
    (each) => {
      const found = new Map<unknown, unknown>()
      for (const { key, value } of each) if (!filtered || value(0) === true) found.set(key, value(filtered ? 1 : 0))
      return found
    },
  )

const transformMapEntry = (filtered: boolean) => (call: MacroCall) =>
  twoVariables(
    call,
    filtered ? 2 : 1,
    (checker, types) => types[filtered ? 1 : 0] ?? checker.dynType,
    (each) => {
      const found = new Map<unknown, unknown>()
      for (const { value } of each) {
        if (filtered && value(0) !== true) continue
        for (const [key, entry] of entriesOf(value(filtered ? 1 : 0)) ?? []) {
          if (found.has(key)) throw new CelFunctionError(`insert failed: key ${String(key)} already exists`)
          found.set(key, entry)
        }
      }
      return found
    },
  )

/** A body for the value of an optional, when it has one. */
function optionalMap(flat: boolean): (call: MacroCall) => Macro {
  return ({ args, receiver }) => {
    const [variable, body] = args
    if (receiver === undefined || body === undefined) throw new CelFunctionError('optMap needs an optional')
    const name = nameOf(variable)
    let inner: OverlayContext | null = null
    return {
      children: [receiver, body],
      typeCheck(checker, _macro, context) {
        const type = checker.check(receiver, context)
        inner = context.forkWithVariable(name, type.valueType ?? checker.dynType)
        const result = checker.check(body, inner)
        return flat ? result : checker.registry.getOptionalType(result)
      },
      evaluate(evaluator: Evaluator, _macro, context) {
        const optional = evaluator.run(receiver, context)
        if (!(optional instanceof Optional) || !optional.hasValue() || inner === null) return Optional.none()
        const result = evaluator.run(body, inner.reuse(context).setIterValue(optional.value(), evaluator))
        return flat ? result : Optional.of(result)
      },
    }
  }
}

function sortBy({ args, receiver }: MacroCall): Macro {
  const [variable, body] = args
  if (receiver === undefined || body === undefined) throw new CelFunctionError('sortBy needs a list')
  const name = nameOf(variable)
  let inner: OverlayContext | null = null
  return {
    children: [receiver, body],
    typeCheck(checker, _macro, context) {
      const type = checker.check(receiver, context)
      inner = context.forkWithVariable(name, type.valueType ?? checker.dynType)
      checker.check(body, inner)
      return type
    },
    evaluate(evaluator, _macro, context) {
      const list = evaluator.run(receiver, context)
      if (!Array.isArray(list)) throw new CelFunctionError('no such overload')
      const keyed = list.map((item: unknown) => ({
        item,
        key: inner === null ? null : evaluator.run(body, inner.reuse(context).setIterValue(item, evaluator)),
      }))
      return keyed
        .sort((a, b) => {
          const order = compareValues(a.key, b.key)
          if (order === null) throw new CelFunctionError('no such overload')
          return order
        })
        .map(({ item }) => item)
    },
  }
}

/** Macros beside the library's own: cel-go's two-variable comprehensions, optional types and sortBy. */
export const macros: readonly (readonly [string, (call: MacroCall) => Macro])[] = [
  ['list.all(ast, ast, ast): bool', (call) => twoVariables(call, 1, boolean, quantifier(false))],
  ['list.exists(ast, ast, ast): bool', (call) => twoVariables(call, 1, boolean, quantifier(true))],
  ['list.existsOne(ast, ast, ast): bool', (call) => twoVariables(call, 1, boolean, exactlyOne)],
  ['list.exists_one(ast, ast, ast): bool', (call) => twoVariables(call, 1, boolean, exactlyOne)],
  ['list.transformList(ast, ast, ast): list<dyn>', transformList(false)],
  ['list.transformList(ast, ast, ast, ast): list<dyn>', transformList(true)],
  ['map.transformMap(ast, ast, ast): map<dyn, dyn>', transformMap(false)],
  ['map.transformMap(ast, ast, ast, ast): map<dyn, dyn>', transformMap(true)],
  ['map.transformMapEntry(ast, ast, ast): map<dyn, dyn>', transformMapEntry(false)],
  ['map.transformMapEntry(ast, ast, ast, ast): map<dyn, dyn>', transformMapEntry(true)],
  ['optional.optMap(ast, ast): dyn', optionalMap(false)],
  ['optional.optFlatMap(ast, ast): dyn', optionalMap(true)],
  ['list.sortBy(ast, ast): list<dyn>', sortBy],
]
