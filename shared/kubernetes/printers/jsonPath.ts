import { isObject } from '../json.ts'

/**
 * What a JSONPath of a printer column finds: fields, `['quoted']`, indexes, slices, `[*]`, and filters of the form
 * `[?(@.type=="Ready")]`. A path that finds nothing, or is malformed, gives an empty list.
 */
export function readJsonPath(root: unknown, path: string): unknown[] {
  const steps = path.match(/\.?[^.[\]]+|\[\?\(.*?\)\]|\[[^\]]*\]/g) ?? []
  let found: unknown[] = [root]
  for (const step of steps)
    found = found.flatMap((value) => (step.startsWith('[') ? bracket(value, step.slice(1, -1)) : field(value, step.startsWith('.') ? step.slice(1) : step)))
  return found.filter((value) => value !== undefined && value !== null)
}

function field(value: unknown, name: string): unknown[] {
  if (name === '*') return isObject(value) ? Object.values(value) : Array.isArray(value) ? (value as unknown[]) : []
  return isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []
}

function bracket(value: unknown, inner: string): unknown[] {
  const quoted = /^['"](.*)['"]$/.exec(inner)
  if (quoted !== null) return field(value, quoted[1] ?? '')
  if (inner === '*') return field(value, '*')
  if (!Array.isArray(value)) return []
  const list = value as unknown[]
  const filter = /^\?\(\s*@([^=!<>]*?)\s*(?:(==|!=)\s*(.*?))?\s*\)$/.exec(inner)
  if (filter !== null) {
    const [, path = '', operator, literal = ''] = filter
    return list.filter((item) => {
      const [first] = readJsonPath(item, path)
      if (operator === undefined) return first !== undefined
      const expected = /^['"].*['"]$/.test(literal) ? literal.slice(1, -1) : literal
      return (first !== undefined && String(first) === expected) === (operator === '==')
    })
  }
  const slice = /^(-?\d*):(-?\d*)$/.exec(inner)
  if (slice !== null) return list.slice(slice[1] === '' ? 0 : Number(slice[1]), slice[2] === '' ? undefined : Number(slice[2]))
  const item = list.at(Number(inner))
  return item === undefined ? [] : [item]
}
