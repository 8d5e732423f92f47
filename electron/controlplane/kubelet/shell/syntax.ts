import type { Command, Pipeline, Redirect, Script, Word, WordPart } from './script.ts'

/** The text is no shell script; the message is what sh would say. */
export class SyntaxFault extends Error {
  override readonly name = 'SyntaxFault'
  /** More lines could make it right. */
  readonly unfinished: boolean

  constructor(message: string, { unfinished }: { unfinished: boolean }) {
    super(message)
    this.unfinished = unfinished
  }
}

const RESERVED_ENDS = new Set(['then', 'fi', 'else', 'elif', 'do', 'done', 'esac', '}'])

/** Parses the part of POSIX sh that people type and put into pod commands. @throws SyntaxFault */
export function parseScript(text: string): Script {
  const parser = new Parser(text)
  const script = parser.script()
  if (!parser.atEnd()) throw new SyntaxFault(`syntax error: unexpected "${parser.rest().slice(0, 20)}"`, { unfinished: false })
  return script
}

/** Whether a command goes on in the next line: an open quote or construct, or an operator at the end. */
export function isUnfinished(text: string): boolean {
  if (/(?<!\\)(\\\\)*\\\n$/.test(text) || /(&&|\|\|)\s*$/.test(text)) return true
  try {
    parseScript(text)
    return false
  } catch (error) {
    return error instanceof SyntaxFault && error.unfinished
  }
}

class Parser {
  readonly #text: string
  #at = 0
  /** Here-documents of this line, whose text begins in the next. */
  #awaited: { redirect: Redirect; delimiter: string; literal: boolean; tabs: boolean }[] = []

  constructor(text: string) {
    this.#text = text
  }

  atEnd(): boolean {
    this.#skipBlank(true)
    if (this.#awaited.length > 0) throw new SyntaxFault('syntax error: unterminated here-document', { unfinished: true })
    return this.#at >= this.#text.length
  }

  rest(): string {
    return this.#text.slice(this.#at)
  }

  script(): Script {
    const script: Script = []
    let when: Script[number]['when'] = 'always'
    for (;;) {
      this.#skipBlank(true)
      if (this.#at >= this.#text.length || this.#peek() === ')' || RESERVED_ENDS.has(this.#keyword()) || this.#text.startsWith(';;', this.#at)) return script
      script.push({ when, pipeline: this.#pipeline() })
      this.#skipBlank(false)
      if (this.#take('&&')) when = 'success'
      else if (this.#take('||')) when = 'failure'
      else if (this.#text.startsWith(';;', this.#at)) return script
      else if (this.#take(';') || this.#newline() || (this.#peek() === '&' && this.#take('&'))) when = 'always'
      else return script
    }
  }

  #pipeline(): Pipeline {
    let negated = false
    if (this.#keyword() === '!') {
      this.#at++
      negated = true
      this.#skipBlank(false)
    }
    const commands = [this.#command()]
    for (;;) {
      this.#skipBlank(false)
      if (this.#text.startsWith('||', this.#at) || !this.#take('|')) return { negated, commands }
      this.#skipBlank(true)
      commands.push(this.#command())
    }
  }

  #command(): Command {
    if (this.#take('(')) {
      const body = this.script()
      this.#expect(')')
      return { kind: 'group', subshell: true, body, redirects: this.#redirects() }
    }
    switch (this.#keyword()) {
      case '{': {
        this.#word()
        const body = this.script()
        this.#reserved('}')
        return { kind: 'group', subshell: false, body, redirects: this.#redirects() }
      }
      case 'for':
        return this.#withRedirects(this.#for())
      case 'while':
      case 'until': {
        const until = this.#keyword() === 'until'
        this.#word()
        const condition = this.script()
        this.#reserved('do')
        const body = this.script()
        this.#reserved('done')
        return this.#withRedirects({ kind: 'loop', until, condition, body })
      }
      case 'if':
        return this.#withRedirects(this.#if())
      case 'case':
        return this.#withRedirects(this.#case())
      default:
        return this.#simple()
    }
  }

  /** A compound command's redirects hold for all of it. */
  #withRedirects(command: Command): Command {
    const redirects = this.#redirects()
    return redirects.length === 0
      ? command
      : { kind: 'group', subshell: false, body: [{ when: 'always', pipeline: { negated: false, commands: [command] } }], redirects }
  }

  #for(): Command {
    this.#word()
    this.#skipBlank(false)
    const variable = this.#keyword()
    this.#word()
    this.#skipBlank(true)
    const words: Word[] = []
    if (this.#keyword() === 'in') {
      this.#word()
      for (this.#skipBlank(false); !/[;\n]/.test(this.#peek()) && this.#at < this.#text.length; this.#skipBlank(false)) words.push(this.#word())
    }
    this.#take(';')
    this.#reserved('do')
    const body = this.script()
    this.#reserved('done')
    return { kind: 'for', variable, words, body }
  }

  #if(): Command {
    const branches: { condition: Script; body: Script }[] = []
    let otherwise: Script | null = null
    for (let word = this.#keyword(); word === 'if' || word === 'elif'; word = this.#keyword()) {
      this.#word()
      const condition = this.script()
      this.#reserved('then')
      branches.push({ condition, body: this.script() })
      this.#skipBlank(true)
    }
    if (this.#keyword() === 'else') {
      this.#word()
      otherwise = this.script()
    }
    this.#reserved('fi')
    return { kind: 'if', branches, otherwise }
  }

  #case(): Command {
    this.#word()
    this.#skipBlank(false)
    const subject = this.#word()
    this.#reserved('in')
    const branches: { patterns: Word[]; body: Script }[] = []
    for (this.#skipBlank(true); this.#keyword() !== 'esac'; this.#skipBlank(true)) {
      this.#take('(')
      const patterns: Word[] = []
      do {
        this.#skipBlank(false)
        patterns.push(this.#word())
        this.#skipBlank(false)
      } while (this.#take('|'))
      this.#expect(')')
      branches.push({ patterns, body: this.script() })
      this.#skipBlank(true)
      if (!this.#take(';;')) break
    }
    this.#reserved('esac')
    return { kind: 'case', subject, branches }
  }

  #simple(): Command {
    const command = { kind: 'simple' as const, assignments: [] as { name: string; value: Word }[], words: [] as Word[], redirects: [] as Redirect[] }
    for (;;) {
      this.#skipBlank(false)
      const redirect = this.#redirect()
      if (redirect !== null) {
        command.redirects.push(redirect)
        continue
      }
      if (this.#at >= this.#text.length || /[;\n|&()]/.test(this.#peek())) break
      const assignment = command.words.length === 0 ? /^([A-Za-z_]\w*)=/.exec(this.rest().slice(0, 200)) : null
      if (assignment?.[1] === undefined) command.words.push(this.#word())
      else {
        this.#at += assignment[0].length
        command.assignments.push({ name: assignment[1], value: /[\s;|&)]/.test(this.#peek()) || this.#at >= this.#text.length ? [] : this.#word() })
      }
    }
    if (command.words.length + command.assignments.length + command.redirects.length === 0)
      throw this.#fault(`syntax error: unexpected "${this.#peek() || 'end of file'}"`)
    return command
  }

  #redirects(): Redirect[] {
    const redirects: Redirect[] = []
    for (;;) {
      this.#skipBlank(false)
      const redirect = this.#redirect()
      if (redirect === null) return redirects
      redirects.push(redirect)
    }
  }

  #redirect(): Redirect | null {
    const match = /^(&|[012])?(>>|>&|>|<<-?|<)/.exec(this.rest().slice(0, 4))
    if (match?.[2] === undefined) return null
    this.#at += match[0].length
    this.#skipBlank(false)
    if (match[2].startsWith('<<')) {
      const delimiter = this.#word()
      const redirect: Redirect = { fd: 0, mode: '<<', target: [] }
      this.#awaited.push({
        redirect,
        delimiter: delimiter.map((part) => (part.kind === 'text' ? part.text : '')).join(''),
        literal: delimiter.some(({ quoted }) => quoted),
        tabs: match[2] === '<<-',
      })
      return redirect
    }
    const mode = match[2] === '>&' ? '&' : (match[2] as '>' | '>>' | '<')
    return { fd: mode === '<' ? 0 : match[1] === '2' ? 2 : 1, mode, target: this.#word() }
  }

  /** Takes a line's end, and the here-documents that were announced in it. */
  #newline(): boolean {
    if (!this.#take('\n')) return false
    for (const { redirect, delimiter, literal, tabs } of this.#awaited.splice(0)) {
      const lines: string[] = []
      for (;;) {
        if (this.#at >= this.#text.length) throw new SyntaxFault('syntax error: unterminated here-document', { unfinished: true })
        const end = this.#text.indexOf('\n', this.#at)
        const whole = this.#text.slice(this.#at, end < 0 ? undefined : end)
        const line = tabs ? whole.replace(/^\t+/, '') : whole
        this.#at = end < 0 ? this.#text.length : end + 1
        if (line === delimiter) break
        lines.push(`${line}\n`)
      }
      const text = lines.join('')
      // Expanded as in double quotes, but for the quote itself.
      redirect.target = literal
        ? [{ kind: 'text', text, quoted: true }]
        : new Parser(`${text.replace(/\\?"/g, (quote) => (quote.length === 2 ? '\\\\\\"' : '\\"'))}"`).#doubleQuoted()
    }
    return true
  }

  #word(): Word {
    const word: Word = []
    const start = this.#at
    let text = ''
    const flush = (quoted: boolean): void => {
      if (text !== '' || quoted) word.push({ kind: 'text', text, quoted })
      text = ''
    }
    for (;;) {
      const char = this.#peek()
      if (char === '' || /[\s;|&()<>]/.test(char)) break
      if (char === "'") {
        flush(false)
        const end = this.#text.indexOf("'", this.#at + 1)
        if (end < 0) throw new SyntaxFault('syntax error: unterminated quoted string', { unfinished: true })
        text = this.#text.slice(this.#at + 1, end)
        this.#at = end + 1
        flush(true)
      } else if (char === '"') {
        flush(false)
        this.#at++
        word.push(...this.#doubleQuoted())
      } else if (char === '\\') {
        flush(false)
        text = this.#text[this.#at + 1] ?? ''
        this.#at += 2
        if (text === '\n') text = ''
        else flush(true)
      } else if (char === '$' || char === '`') {
        flush(false)
        word.push(this.#expansion(false))
      } else {
        text += char
        this.#at++
      }
    }
    flush(false)
    if (this.#at === start) throw this.#fault(`syntax error: unexpected "${this.#peek() || 'end of file'}"`)
    return word
  }

  #doubleQuoted(): Word {
    const parts: Word = []
    let text = ''
    for (;;) {
      const char = this.#peek()
      if (char === '') throw new SyntaxFault('syntax error: unterminated quoted string', { unfinished: true })
      if (char === '"') {
        this.#at++
        parts.push({ kind: 'text', text, quoted: true })
        return parts
      }
      if (char === '$' || char === '`') {
        parts.push({ kind: 'text', text, quoted: true })
        text = ''
        parts.push(this.#expansion(true))
      } else if (char === '\\' && /["\\$`\n]/.test(this.#text[this.#at + 1] ?? '')) {
        const escaped = this.#text[this.#at + 1] ?? ''
        text += escaped === '\n' ? '' : escaped
        this.#at += 2
      } else {
        text += char
        this.#at++
      }
    }
  }

  #expansion(quoted: boolean): WordPart {
    if (this.#peek() === '`') {
      const end = this.#text.indexOf('`', this.#at + 1)
      if (end < 0) throw new SyntaxFault('syntax error: unterminated backquote', { unfinished: true })
      const script = parseScript(this.#text.slice(this.#at + 1, end))
      this.#at = end + 1
      return { kind: 'command', script, quoted }
    }
    if (this.#text.startsWith('$((', this.#at)) {
      const end = this.#endOfArithmetic()
      if (end !== null) {
        const expression = new Parser(`${this.#text.slice(this.#at + 3, end)}"`).#doubleQuoted()
        this.#at = end + 2
        return { kind: 'arithmetic', expression, quoted }
      }
    }
    if (this.#text.startsWith('$(', this.#at)) {
      this.#at += 2
      const script = this.script()
      this.#expect(')')
      return { kind: 'command', script, quoted }
    }
    const match = /^\$(?:\{(\w+|[?#@*!])(?::?-([^}]*))?\}|(\w+|[?#@*$!]))/.exec(this.rest().slice(0, 500))
    if (match === null) {
      this.#at++
      return { kind: 'text', text: '$', quoted }
    }
    const plain = match[3]
    // `$1x` is the parameter 1 and an x.
    const name = match[1] ?? (plain !== undefined && /^\d/.test(plain) ? plain.slice(0, 1) : (plain ?? ''))
    this.#at += match[1] === undefined ? 1 + name.length : match[0].length
    return { kind: 'variable', name, quoted, ...(match[2] === undefined ? {} : { fallback: match[2] }) }
  }

  /** Where `))` closes `$((`; null when it is a command in a subshell. */
  #endOfArithmetic(): number | null {
    let depth = 0
    for (let at = this.#at + 3; at < this.#text.length; at++) {
      if (this.#text[at] === '(') depth++
      else if (this.#text[at] === ')' && depth-- === 0) return this.#text[at + 1] === ')' ? at : null
    }
    throw new SyntaxFault('syntax error: unterminated arithmetic', { unfinished: true })
  }

  #fault(message: string): SyntaxFault {
    return new SyntaxFault(message, { unfinished: this.#at >= this.#text.length })
  }

  #keyword(): string {
    return /^(?:[A-Za-z_]\w*|[{}!])(?=[\s;|&()]|$)/.exec(this.rest().slice(0, 100))?.[0] ?? ''
  }

  #reserved(word: string): void {
    this.#skipBlank(true)
    if (this.#keyword() !== word) throw this.#fault(`syntax error: unexpected "${this.rest().slice(0, 10) || 'end of file'}" (expecting "${word}")`)
    this.#at += word.length
  }

  #expect(text: string): void {
    this.#skipBlank(true)
    if (!this.#take(text)) throw this.#fault(`syntax error: unexpected "${this.#peek() || 'end of file'}" (expecting "${text}")`)
  }

  #peek(): string {
    return this.#text[this.#at] ?? ''
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #skipBlank(lines: boolean): void {
    for (;;) {
      const char = this.#peek()
      if (char === ' ' || char === '\t' || char === '\r') this.#at++
      else if (lines && char === '\n') this.#newline()
      else if (char === '\\' && this.#text[this.#at + 1] === '\n') this.#at += 2
      else if (char === '#') {
        const end = this.#text.indexOf('\n', this.#at)
        this.#at = end < 0 ? this.#text.length : end
      } else return
    }
  }
}
