/** A word as written: parts that are expanded when the command runs. */
export type WordPart =
  | { kind: 'text'; text: string; quoted: boolean }
  | { kind: 'variable'; name: string; fallback?: string; quoted: boolean }
  | { kind: 'command'; script: Script; quoted: boolean }
  | { kind: 'arithmetic'; expression: Word; quoted: boolean }
export type Word = WordPart[]

export interface Redirect {
  fd: 1 | 2 | 0
  /** `&` duplicates the other descriptor (`2>&1`); `<<` has the text itself as its target. */
  mode: '>' | '>>' | '<' | '<<' | '&'
  target: Word
}

export type Command =
  | { kind: 'simple'; assignments: { name: string; value: Word }[]; words: Word[]; redirects: Redirect[] }
  | { kind: 'group'; subshell: boolean; body: Script; redirects: Redirect[] }
  | { kind: 'for'; variable: string; words: Word[]; body: Script }
  | { kind: 'loop'; until: boolean; condition: Script; body: Script }
  | { kind: 'case'; subject: Word; branches: { patterns: Word[]; body: Script }[] }
  | { kind: 'if'; branches: { condition: Script; body: Script }[]; otherwise: Script | null }

export interface Pipeline {
  negated: boolean
  commands: Command[]
}

/** Pipelines in order; `when` says how the one before has to have ended. */
export type Script = { when: 'always' | 'success' | 'failure'; pipeline: Pipeline }[]
