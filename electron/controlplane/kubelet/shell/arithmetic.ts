/** Binary operators, weakest first; those of one line bind equally. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<=', '>=', '<', '>'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
]

/** The expression has no value; the message is what sh would say. */
export class ArithmeticFault extends Error {
  override readonly name = 'ArithmeticFault'
}

/**
 * The value of what stands in `$((…))`: whole numbers, variables (unset ones are 0), C's operators without assignment.
 *
 * @throws ArithmeticFault
 */
export function arithmetic(expression: string, variable: (name: string) => string | undefined): number {
  const tokens = expression.match(/\d+|[A-Za-z_]\w*|\|\||&&|[=!<>]=|<<|>>|\S/g) ?? []
  let at = 0
  const unary = (): number => {
    const token = tokens[at++]
    if (token === '-') return -unary()
    if (token === '+') return unary()
    if (token === '!') return Number(unary() === 0)
    if (token === '~') return ~unary()
    if (token === '(') {
      const value = binary(0)
      if (tokens[at++] !== ')') throw new ArithmeticFault('arithmetic syntax error')
      return value
    }
    if (token === '$') return unary()
    if (token === undefined || !/^\w+$/.test(token)) throw new ArithmeticFault('arithmetic syntax error')
    const text = /^\d/.test(token) ? token : (variable(token) ?? '0')
    // An octal or hexadecimal number, or a decimal one.
    const value = /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text === '' ? '0' : text)
    if (!Number.isInteger(value)) throw new ArithmeticFault(`bad number: ${text}`)
    return value
  }
  const binary = (level: number): number => {
    const operators = LEVELS[level]
    if (operators === undefined) return unary()
    let value = binary(level + 1)
    while (operators.includes(tokens[at] ?? '')) value = apply(tokens[at++] ?? '', value, binary(level + 1))
    return value
  }
  if (tokens.length === 0) return 0
  const value = binary(0)
  if (at < tokens.length) throw new ArithmeticFault('arithmetic syntax error')
  return value
}

function apply(operator: string, left: number, right: number): number {
  switch (operator) {
    case '||':
      return Number(left !== 0 || right !== 0)
    case '&&':
      return Number(left !== 0 && right !== 0)
    case '|':
      return left | right
    case '^':
      return left ^ right
    case '&':
      return left & right
    case '==':
      return Number(left === right)
    case '!=':
      return Number(left !== right)
    case '<=':
      return Number(left <= right)
    case '>=':
      return Number(left >= right)
    case '<':
      return Number(left < right)
    case '>':
      return Number(left > right)
    case '<<':
      return left << right
    case '>>':
      return left >> right
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    default:
      if (right === 0) throw new ArithmeticFault('divide by zero')
      return operator === '/' ? Math.trunc(left / right) : left % right
  }
}
