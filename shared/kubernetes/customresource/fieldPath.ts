import { childPath, propertiesOf, valuesOf, type SchemaNode } from './schemaNode.ts'

/** A path of a rule or a selectable field, in the form errors show it, with the schema it leads to; or why it is none. */
export type FieldPath = { path: string; schema: SchemaNode; root: string; error?: undefined } | { error: string }

const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', "'": "'", '\\': '\\' }

function unquote(text: string): string | { error: string } {
  let error = ''
  const result = text.replace(/\\./g, (escape) => {
    const found = ESCAPES[escape.charAt(1)]
    if (found === undefined) error = `invalid string literal: invalid escape char ${escape}`
    return found ?? ''
  })
  return error === '' ? result : { error }
}

/**
 * Checks a path of names (`.spec.name`, `.labels['a.b']`) against a schema.
 *
 * @see k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go ValidFieldPath
 */
export function validFieldPath(text: string, root: SchemaNode, options: { arrayNotation: boolean } = { arrayNotation: true }): FieldPath {
  const tokens = text.match(/'(?:\\.|[^'\\])*'|[.[\]]|[^.[\]']+|'/g) ?? []
  let [schema, path, first]: [SchemaNode, string, string] = [root, '', '']
  const step = (name: string): string | null => {
    const properties = propertiesOf(schema)
    const named = schema['properties'] !== undefined
    const values = valuesOf(schema)
    if (!named && schema['additionalProperties'] === undefined) return 'does not refer to a valid field'
    if (named && !Object.hasOwn(properties, name)) return 'does not refer to a valid field'
    if (first === '') first = name
    path = named ? childPath(path, name) : `${path}[${name}]`
    schema = (named ? properties[name] : values) ?? {}
    return null
  }
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]
    if (token === '.') {
      const name = tokens[++at]
      if (name === undefined) return { error: 'unexpected end of JSON path' }
      const error = step(name)
      if (error !== null) return { error }
    } else if (token === '[') {
      if (!options.arrayNotation) return { error: 'array notation is not allowed' }
      const quoted = tokens[++at]
      if (quoted === undefined) return { error: 'unexpected end of JSON path' }
      if (quoted.length < 2 || !quoted.startsWith("'") || !quoted.endsWith("'")) return { error: `expected single quoted string but got ${quoted}` }
      const name = unquote(quoted.slice(1, -1))
      if (typeof name !== 'string') return name
      const error = step(name)
      if (error !== null) return { error }
      const close = tokens[++at]
      if (close === undefined) return { error: 'unexpected end of JSON path' }
      if (close !== ']') return { error: `expected ] but got ${close}` }
    } else return { error: `expected [ or . but got: ${token ?? ''}` }
  }
  return { path, schema, root: first }
}
