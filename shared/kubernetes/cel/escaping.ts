/** CEL's reserved words, which cannot be field names as they stand. */
const RESERVED = new Set('true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '))
const CHARACTERS: Readonly<Record<string, string>> = { __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' }

/**
 * A property's name as expressions write it: `__in__`, `a__dot__b`; null when it cannot be written at all.
 *
 * @see k8s.io/apiserver/pkg/cel/escaping.go
 */
export function escapeIdentifier(name: string): string | null {
  if (!/^[a-zA-Z_./-][a-zA-Z0-9_./-]*$/.test(name)) return null
  if (RESERVED.has(name)) return `__${name}__`
  return name.replace(/__|[./-]/g, (found) => CHARACTERS[found] ?? found)
}
