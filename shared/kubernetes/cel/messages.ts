import type { LibraryError, LibraryType, Node } from './library.ts'

/** A type as cel-go writes it in messages. */
export function typeText(name: string): string {
  return name
    .replaceAll('<', '(')
    .replaceAll('>', ')')
    .replaceAll('optional(', 'optional_type(')
    .replace(/\bnull\b/g, 'null_type')
    .replace(/\b(?:google\.protobuf\.)?(Timestamp|Duration)\b/g, (_, kind: string) => `google.protobuf.${kind}`)
}

const OPERATORS: Readonly<Record<string, string>> = { in: '@in', '!_': '!_', '-_': '-_', '[]': '_[_]' }

function operatorName(operator: string): string {
  return OPERATORS[operator] ?? `_${operator}_`
}

function typesOf(nodes: readonly Node[]): string {
  return nodes.map((each) => typeText(checked(each)?.name ?? 'dyn')).join(', ')
}

function checked(node: Node): LibraryType | undefined {
  return node.checkedType ?? node.meta.alternate?.checkedType
}

/** cel-go's words for what the library found. */
function summary(error: LibraryError, known: (name: string, receiver: boolean) => boolean): string {
  const { code, node } = error
  const text = error.summary
  const undeclared = (name: string): string => `undeclared reference to '${name}' (in container '')`
  switch (code) {
    case 'unknown_variable':
      return undeclared(text.replace(/^Unknown variable: /, ''))
    case 'no_such_key':
      return `undefined field '${text.replace(/^No such key: /, '')}'`
    case 'no_such_overload':
    case 'no_matching_overload': {
      if (node === undefined) return text
      if (node.op === 'call') {
        const [name, args] = node.args as [string, Node[]]
        return known(name, false) ? `found no matching overload for '${name}' applied to '(${typesOf(args)})'` : undeclared(name)
      }
      if (node.op === 'rcall') {
        const [name, receiver, args] = node.args as [string, Node, Node[]]
        if (!known(name, true)) return undeclared(name)
        return `found no matching overload for '${name}' applied to '${typesOf([receiver])}.(${typesOf(args)})'`
      }
      const operands = Array.isArray(node.args) ? (node.args as Node[]) : [node.args as Node]
      return `found no matching overload for '${operatorName(node.op)}' applied to '(${typesOf(operands)})'`
    }
    case 'invalid_logical_operand':
      return node === undefined || !Array.isArray(node.args)
        ? text
        : `expected type 'bool' but found '${typesOf((node.args as Node[]).filter((each) => checked(each)?.name !== 'bool').slice(0, 1))}'`
    case 'invalid_condition_type':
      return `found no matching overload for '_?_:_' applied to '(${typeText(/got '(.*)'/.exec(text)?.[1] ?? 'dyn')})'`
    case 'cannot_index_type':
      return `type '${typeText(/'(.*)'/.exec(text)?.[1] ?? '')}' does not support field selection`
    default:
      return code.startsWith('invalid_') || code.startsWith('heterogeneous') ? text : text.charAt(0).toLowerCase() + text.slice(1)
  }
}

/** One error with the place it is at, as cel-go displays them. */
export function displayError(expression: string, at: number, message: string): string {
  const before = expression.slice(0, at)
  const line = before.split('\n').length
  const column = at - (before.lastIndexOf('\n') + 1)
  const source = expression.split('\n')[line - 1] ?? ''
  return `ERROR: <input>:${String(line)}:${String(column + 1)}: ${message}\n | ${source}\n | ${'.'.repeat(column)}^`
}

/** The text of a compile error. `known` tells whether any function of that name exists. */
export function compileErrorText(expression: string, error: LibraryError, known: (name: string, receiver: boolean) => boolean): string {
  const { node } = error
  if (error.name === 'ParseError') return displayError(expression, error.range?.start ?? node?.pos ?? 0, `Syntax error: ${syntaxText(error.summary)}`)
  return displayError(expression, node === undefined ? 0 : errorPosition(node, error.code), summary(error, known))
}

const OPERAND_STARTS = "'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER"

function syntaxText(summary: string): string {
  return summary === 'Unexpected token: EOF' ? `mismatched input '<EOF>' expecting {${OPERAND_STARTS}}` : summary
}

/** cel-go points at the dot of a selection, the operator of an operation, the parenthesis of a call. */
export function errorPosition(node: Node, code = ''): number {
  const { input, pos } = node
  if (node.op === '.' || node.op === '.?') {
    const [operand] = node.args as [Node]
    // Of what `has` asks for, it points at the parenthesis.
    const has = /\bhas(?=\(\s*$)/.exec(input.slice(0, node.start))
    if (has !== null && /^\s*\)/.test(input.slice(endOf(node)))) return has.index + 3
    const from = Math.max(pos, operand.start)
    const dot = input.indexOf('.', endOf(operand))
    return dot >= 0 ? dot : from
  }
  if ((node.op === 'call' || node.op === 'rcall') && code !== 'unknown_variable') {
    const [name] = node.args as [string]
    const at = input.indexOf(`${name}(`, node.op === 'call' ? node.start : endOf((node.args as [string, Node])[1]))
    return at < 0 ? pos : at + name.length
  }
  if (OPERATOR.has(node.op) && Array.isArray(node.args)) {
    const at = input.indexOf(node.op === '?:' ? '?' : node.op, endOf((node.args as Node[])[0] ?? node))
    return at < 0 ? pos : at
  }
  return pos
}

const OPERATOR = new Set(['==', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%', 'in', '?:'])

function endOf(node: Node & { end?: number }): number {
  return node.end ?? node.pos
}
