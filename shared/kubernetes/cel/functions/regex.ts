import { RE2JS } from 're2js'
import { CelFunctionError } from '../functionError.ts'
import type { CelFunction } from '../interface.ts'

/** Patterns kept compiled; a rule's are the same for every object. */
const KEPT = 500
const compiled = new Map<string, RE2JS>()

/**
 * A pattern in RE2's syntax, which Go has and whose matching takes time linear in the text: no pattern of a user can stall the server.
 *
 * @throws CelFunctionError with Go's message
 */
export function compileRegex(pattern: string): RE2JS {
  const known = compiled.get(pattern)
  if (known !== undefined) return known
  let regex: RE2JS
  try {
    regex = RE2JS.compile(pattern)
  } catch (error) {
    throw new CelFunctionError(error instanceof Error ? error.message : String(error))
  }
  if (compiled.size >= KEPT) compiled.clear()
  compiled.set(pattern, regex)
  return regex
}

/** Why a pattern is none, in Go's words (`error parsing regexp: missing closing ): ` + the part); null when it is one. */
export function regexError(pattern: string): string | null {
  try {
    compileRegex(pattern)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Whether the pattern is found anywhere in the text. */
export function matchesRegex(text: string, pattern: string): boolean {
  return compileRegex(pattern).matcher(text).find()
}

function findAll(text: string, pattern: string, limit: bigint): string[] {
  const found: string[] = []
  const matcher = compileRegex(pattern).matcher(text)
  while ((limit < 0n || BigInt(found.length) < limit) && matcher.find()) found.push(matcher.group() ?? '')
  return found
}

/** Kubernetes' regex library. */
export const regexFunctions: readonly CelFunction[] = [
  { signature: 'string.find(string): string', call: (text: string, pattern: string) => findAll(text, pattern, 1n)[0] ?? '' },
  { signature: 'string.findAll(string): list<string>', call: (text: string, pattern: string) => findAll(text, pattern, -1n) },
  { signature: 'string.findAll(string, int): list<string>', call: (text: string, pattern: string, limit: bigint) => findAll(text, pattern, limit) },
  { signature: 'matches(string, string): bool', call: (text: string, pattern: string) => matchesRegex(text, pattern) },
]
