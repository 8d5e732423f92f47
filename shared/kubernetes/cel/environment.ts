import { Environment } from '@marcbachmann/cel-js'
import { CostMeter } from './cost.ts'
import { escapeIdentifier } from './escaping.ts'
import { estimateCost } from './estimate/estimate.ts'
import { instrument } from './evaluation.ts'
import { CelCostError, CelFunctionError } from './functionError.ts'
import { addressFunctions, CelAddress, CelCidr } from './functions/addresses.ts'
import { CelFormat, formatFunctions } from './functions/formats.ts'
import { listFunctions } from './functions/lists.ts'
import { CelQuantity, quantityFunctions } from './functions/quantities.ts'
import { regexError, regexFunctions } from './functions/regex.ts'
import { CelSemver, semverFunctions } from './functions/semver.ts'
import { stringFunctions } from './functions/strings.ts'
import { CelUrl, urlFunctions } from './functions/urls.ts'
import type { CelEnvironment, CelEnvironmentOptions, CelFunction, CelProgram, CelResult, CelType, Compiled } from './interface.ts'
import { childrenOf, isLibraryError, type Macro, type Node } from './library.ts'
import { hasMacro, macros } from './macros.ts'
import { compileErrorText, displayError, errorPosition, typeText } from './messages.ts'
import { celEquals, LazyObject, objectClass, typedValue } from './values.ts'

class StringsNamespace {
  readonly namespace = 'strings'
}
class ListsNamespace {
  readonly namespace = 'lists'
}
class SetsNamespace {
  readonly namespace = 'sets'
}
class IPNamespace {
  readonly namespace = 'ip'
}
class FormatNamespace {
  readonly namespace = 'format'
}

const OPAQUE: Readonly<Record<string, new (...values: never[]) => object>> = {
  Quantity: CelQuantity,
  'net.IP': CelAddress,
  'net.CIDR': CelCidr,
  URL: CelUrl,
  Semver: CelSemver,
  Format: CelFormat,
}

/** Functions that the library has and Kubernetes does not. */
const ABSENT = new Set(['json', 'hex', 'string', 'base64', 'at'])
const DEPTH_LIMIT = 250

let base: Environment | null = null

/** The functions every expression of Kubernetes has. Built once: it takes a few milliseconds. */
function baseEnvironment(): Environment {
  if (base !== null) return base
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    // Checked in `refusal`, because format's arguments are exempt.
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
    // Bounds of the parse; upstream's expression size limit and recursion limits are of the same order.
    limits: { maxAstNodes: 100_000, maxDepth: DEPTH_LIMIT, maxListElements: 10_000, maxMapEntries: 10_000, maxCallArguments: 32 },
  })
  for (const [name, type] of Object.entries({ StringsNamespace, ListsNamespace, SetsNamespace, IPNamespace, FormatNamespace, ...OPAQUE }))
    environment.registerType(name, type)
  environment.registerType('LazyObject', LazyObject)
  environment.registerConstant('strings', 'StringsNamespace', new StringsNamespace())
  environment.registerConstant('lists', 'ListsNamespace', new ListsNamespace())
  environment.registerConstant('sets', 'SetsNamespace', new SetsNamespace())
  environment.registerConstant('ip', 'IPNamespace', new IPNamespace())
  environment.registerConstant('format', 'FormatNamespace', new FormatNamespace())
  for (const name of Object.keys(OPAQUE)) environment.registerOperator(`${name} == ${name}`, celEquals)
  for (const functions of [stringFunctions, listFunctions, regexFunctions, quantityFunctions, semverFunctions, addressFunctions, urlFunctions, formatFunctions])
    register(environment, functions)
  for (const [signature, expand] of macros) environment.registerFunction(signature, expand as (...values: unknown[]) => unknown)
  return (base = environment)
}

function register(environment: Environment, functions: readonly CelFunction[]): void {
  for (const { signature, call } of functions) environment.registerFunction(signature, call as (...values: unknown[]) => unknown, { async: false } as object)
}

/** The library's name of a type; declared objects are registered on the way. */
function declare(environment: Environment, type: CelType, path: string, seen: Map<CelType, string>): string {
  switch (type.kind) {
    case 'timestamp':
      return 'google.protobuf.Timestamp'
    case 'duration':
      return 'google.protobuf.Duration'
    case 'list':
      return `list<${declare(environment, type.element, `${path}.idx`, seen)}>`
    case 'map':
      return `map<string, ${declare(environment, type.value, `${path}.elem`, seen)}>`
    case 'opaque':
      return type.name
    case 'optional':
      return `optional<${declare(environment, type.of, path, seen)}>`
    case 'object': {
      const known = seen.get(type)
      if (known !== undefined) return known
      const name = type.name ?? path
      seen.set(type, name)
      const fields: Record<string, string> = {}
      for (const [field, each] of Object.entries(type.fields)) {
        const escaped = escapeIdentifier(field)
        if (escaped !== null) fields[escaped] = declare(environment, each, `${path}.${escaped}`, seen)
      }
      environment.registerType(name, { ctor: objectClass(type), fields } as never)
      environment.registerOperator(`${name} == ${name}`, celEquals)
      environment.registerOperator(`${name} == null`, celEquals)
      return name
    }
    default:
      return type.kind
  }
}

/** An environment with some variables. Compiling is cheap after this; keep one per set of declarations. */
export function createCelEnvironment(options: CelEnvironmentOptions): CelEnvironment {
  const environment = baseEnvironment().clone()
  const seen = new Map<CelType, string>()
  for (const [name, type] of Object.entries(options.opaqueTypes ?? {})) {
    environment.registerType(name, type)
    environment.registerOperator(`${name} == ${name}`, celEquals)
  }
  for (const [name, type] of Object.entries(options.variables)) environment.registerVariable(name, declare(environment, type, `${name}Type`, seen))
  register(environment, options.functions ?? [])
  return { compile: (expression) => compile(environment, options, expression) }
}

function compile(environment: Environment, options: CelEnvironmentOptions, expression: string): Compiled {
  const definitions = environment.getDefinitions().functions
  const known = (name: string, receiver: boolean): boolean => definitions.some((each) => each.name === name && (each.receiverType !== null) === receiver)
  try {
    const parsed = environment.parse(expression)
    const root = parsed.ast as unknown as Node
    const uses = new Set<string>()
    prepare(root, options, uses)
    const check = parsed.check()
    if (!check.valid) throw check.error ?? new Error('the expression does not check')
    const refused = refusal(root)
    if (refused !== null) return { error: displayError(expression, errorPosition(refused.node), refused.message) }
    const meter = new CostMeter()
    instrument(root, meter)
    return { program: new Program({ expression, root, type: typeText(check.type ?? 'dyn'), uses, meter, variables: options.variables, run: parsed }) }
  } catch (error) {
    if (isLibraryError(error)) return { error: compileErrorText(expression, error, known) }
    if (error instanceof CelFunctionError) return { error: displayError(expression, 0, error.message) }
    throw error
  }
}

/** Before the check: `has` takes any expression, and the names of variables are collected. */
function prepare(node: Node, options: CelEnvironmentOptions, uses: Set<string>): void {
  if (node.op === 'id' && Object.hasOwn(options.variables, node.args as string)) uses.add(node.args as string)
  if (node.op === 'call' && node.meta.macro !== undefined) {
    const [name, [argument]] = node.args as [string, Node[]]
    if (name === 'has' && argument !== undefined && argument.op === '.') node.setMeta('macro', hasMacro(argument) satisfies Macro)
  }
  for (const child of childrenOf(node)) prepare(child, options, uses)
}

/** A list or map literal whose elements, keys or values are of different types. */
function mixedLiteral(node: Node): { node: Node; message: string } | null {
  const elements = node.op === 'list' ? [node.args as Node[]] : [0, 1].map((side) => (node.args as [Node, Node][]).map((entry) => entry[side] as Node))
  for (const [first, ...others] of elements) {
    const expected = typeName(first)
    if (expected === 'dyn') continue
    for (const other of others)
      if (typeName(other) !== expected && typeName(other) !== 'dyn')
        return { node: other, message: `expected type '${typeText(expected)}' but found '${typeText(typeName(other))}'` }
  }
  return null
}

function typeName(node: Node | undefined): string {
  return node?.checkedType?.name ?? node?.meta.alternate?.checkedType?.name ?? 'dyn'
}

/** After the check: what upstream's validators of literals refuse, and functions that Kubernetes does not have. */
function refusal(node: Node, exempt = false): { node: Node; message: string } | null {
  if ((node.op === 'list' || node.op === 'map') && !exempt) {
    const mixed = mixedLiteral(node)
    if (mixed !== null) return mixed
  }
  if (node.meta.alternate === undefined && node.meta.macro === undefined && (node.op === 'rcall' || node.op === 'call')) {
    const [name] = node.args as [string]
    const children = childrenOf(node)
    const receiverType = children[0]?.checkedType?.name
    if (node.op === 'rcall' && ABSENT.has(name) && receiverType === 'bytes') return { node, message: `undeclared reference to '${name}' (in container '')` }
    const literal = children.at(-1)
    if (literal?.op === 'value' && typeof literal.args === 'string') {
      const message = literalError(name, node.op, literal.args)
      if (message !== null) return { node: literal, message }
    }
  }
  for (const child of childrenOf(node)) {
    const found = refusal(child, node.op === 'rcall' && (node.args as [string])[0] === 'format')
    if (found !== null) return found
  }
  return null
}

function literalError(name: string, kind: string, literal: string): string | null {
  if (name === 'matches') return regexError(literal) === null ? null : 'invalid matches argument'
  if (kind !== 'call') return null
  if (name === 'duration' && !/^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|us|µs|ns|m|s))+)$/.test(literal)) return 'invalid duration argument'
  return name === 'timestamp' && Number.isNaN(Date.parse(literal)) ? 'invalid timestamp argument' : null
}

class Program implements CelProgram {
  readonly expression: string
  readonly type: string
  readonly uses: ReadonlySet<string>
  readonly #root: Node
  readonly #meter: CostMeter
  readonly #variables: Readonly<Record<string, CelType>>
  readonly #run: (variables: Record<string, unknown>) => unknown

  constructor(options: {
    expression: string
    root: Node
    type: string
    uses: ReadonlySet<string>
    meter: CostMeter
    variables: Readonly<Record<string, CelType>>
    run: (variables: Record<string, unknown>) => unknown
  }) {
    this.expression = options.expression
    this.type = options.type
    this.uses = options.uses
    this.#root = options.root
    this.#meter = options.meter
    this.#variables = options.variables
    this.#run = options.run
  }

  evaluate(variables: Readonly<Record<string, unknown>>, { costLimit }: { costLimit: number }): CelResult {
    const bound: Record<string, unknown> = {}
    for (const [name, type] of Object.entries(this.#variables))
      if (this.uses.has(name) && (variables[name] !== undefined || type.kind === 'optional')) bound[name] = typedValue(variables[name], type)
    const meter = this.#meter
    meter.start(costLimit)
    try {
      const value = this.#run(bound)
      if (meter.exceeded) throw new CelCostError('operation cancelled: actual cost limit exceeded')
      return { value, cost: meter.cost }
    } catch (error) {
      return { ...failure(error, meter.exceeded), cost: meter.cost }
    }
  }

  maxCost(sizeOf: (path: readonly string[]) => number | null): number {
    return estimateCost(this.#root, sizeOf)
  }
}

function failure(error: unknown, exceeded: boolean): Omit<CelResult, 'cost'> {
  if (exceeded) return { error: 'operation cancelled: actual cost limit exceeded', costExceeded: true }
  if (isLibraryError(error)) return { error: runtimeText(error.code, error.summary) }
  return { error: error instanceof Error ? error.message : String(error) }
}

/** cel-go's words for the library's runtime failures. */
function runtimeText(code: string, summary: string): string {
  switch (code) {
    case 'no_such_key':
      return `no such key: ${summary.replace(/^No such key: /, '')}`
    case 'no_such_overload':
    case 'no_matching_overload':
    case 'field_type_mismatch':
    case 'list_item_type_mismatch':
    case 'variable_type_mismatch':
      return 'no such overload'
    case 'unknown_variable':
      return `no such attribute(s): ${summary.replace(/^Unknown variable: /, '')}`
    case 'modulo_by_zero':
      return 'modulus by zero'
    case 'numeric_overflow':
      return 'integer overflow'
    case 'optional_value_missing':
      return 'optional.none() dereference'
    case 'int_conversion_error':
    case 'double_conversion_error':
    case 'uint_conversion_error':
      return 'type conversion error'
    default:
      return summary
  }
}

/** What an expression's result is when it must be text. */
export function celString(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
