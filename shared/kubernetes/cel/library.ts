/**
 * What this folder uses of @marcbachmann/cel-js beyond its published types: the tree that a parse gives, whose nodes check and
 * evaluate themselves, and the checker, evaluator and contexts that macros are handed. The version is pinned; test/shared/kubernetes/cel
 * tells when one of these shapes changes.
 */
export interface LibraryType {
  readonly kind: 'dyn' | 'list' | 'map' | 'optional' | 'message' | 'primitive' | 'param'
  readonly name: string
  readonly type: string
  readonly valueType?: LibraryType
  readonly keyType?: LibraryType
  readonly hasDynType: boolean
  unify(registry: LibraryRegistry, other: LibraryType): LibraryType | null
}

export interface LibraryRegistry {
  getListType(type: LibraryType): LibraryType
  getMapType(key: LibraryType, value: LibraryType): LibraryType
  getOptionalType(type: LibraryType): LibraryType
  functionCandidates(receiver: boolean, name: string, count: number): { declarations: unknown[] }
}

export interface Checker {
  readonly registry: LibraryRegistry
  readonly boolType: LibraryType
  readonly intType: LibraryType
  readonly dynType: LibraryType
  readonly objectTypes: Map<string, { fields?: Record<string, LibraryType> }>
  check(node: Node, context: Context): LibraryType
  checkAccessOnType(node: Node, context: Context, type: LibraryType, allowMissing?: boolean): LibraryType
  createError(code: string, message: string, node: Node): Error
}

export interface Evaluator {
  run(node: Node, context: Context): unknown
}

export interface Context {
  forkWithVariable(name: string, type: LibraryType): OverlayContext
}

export interface OverlayContext extends Context {
  reuse(parent: Context): OverlayContext
  setIterValue(value: unknown, evaluator: Evaluator): OverlayContext
}

export type Evaluate = (evaluator: Evaluator, node: Node, context: Context) => unknown

export interface Macro {
  typeCheck?: (checker: Checker, macro: Macro, context: Context) => LibraryType
  evaluate?: (evaluator: Evaluator, macro: Macro, context: Context) => unknown
  /** The parts that are evaluated; `children` is set by this folder's macros, the others by the library's. */
  children?: Node[]
  receiver?: Node
  arg?: Node
  val?: Node
  exp?: Node
}

export interface Node {
  readonly op: string
  readonly args: unknown
  readonly pos: number
  readonly start: number
  readonly input: string
  checkedType?: LibraryType
  readonly meta: { evaluate: Evaluate; alternate?: Node; macro?: Macro }
  /** Set by the check: what applies an operator or function to values. Its parameters differ by `op`; see evaluation.ts. */
  handle?: (...values: unknown[]) => unknown
  setMeta(key: string, value: unknown): Node
}

export interface Comprehension {
  iterable: Node
  iterVarName: string
  init: Node
  step: Node
  kind?: string
}

/** The error of a parse, a check or an evaluation. */
export interface LibraryError extends Error {
  readonly code: string
  readonly summary: string
  readonly node?: Node
  readonly range?: { start: number; end: number }
}

export function isLibraryError(error: unknown): error is LibraryError {
  return error instanceof Error && 'code' in error && 'summary' in error
}

/** The nodes that a node evaluates. */
export function childrenOf(node: Node): Node[] {
  const { alternate, macro } = node.meta
  if (alternate !== undefined) return [alternate]
  if (macro !== undefined) return macro.children ?? [macro.receiver, macro.arg, macro.val, macro.exp].filter((each): each is Node => each !== undefined)
  switch (node.op) {
    case 'value':
    case 'id':
    case 'accuValue':
    case 'accuInc':
      return []
    case '.':
    case '.?':
      return [(node.args as [Node, string])[0]]
    case 'call':
      return (node.args as [string, Node[]])[1]
    case 'rcall': {
      const [, receiver, rest] = node.args as [string, Node, Node[]]
      return [receiver, ...rest]
    }
    case 'map':
      return (node.args as [Node, Node][]).flat()
    case '!_':
    case '-_':
    case 'accuPush':
      return [node.args as Node]
    case 'comprehension': {
      const { iterable, init, step } = node.args as Comprehension
      return [iterable, init, step]
    }
    default:
      return node.args as Node[]
  }
}
