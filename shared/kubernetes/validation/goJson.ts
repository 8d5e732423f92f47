/**
 * What Go's encoding/json says about a text that is not a JSON object, as errors of parsing user data quote it; null when it is one.
 * Only syntax and the outermost type are told, which is what upstream checks.
 */
export function goObjectError(json: string): string | null {
  const syntax = new Scanner(json).run()
  if (syntax !== null) return syntax
  const first = json.trim().charAt(0)
  if (first === '{' || json.trim() === 'null') return null
  const found = first === '[' ? 'array' : first === '"' ? 'string' : first === 't' || first === 'f' ? 'bool' : 'number'
  return `json: cannot unmarshal ${found} into Go value of type map[string]interface {}`
}

class SyntaxProblem extends Error {}

function quoted(character: string): string {
  if (character === "'") return `'\\''`
  if (character === '"') return `'"'`
  const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f', '\\': '\\\\' }
  const code = character.charCodeAt(0)
  return `'${escapes[character] ?? (code < 0x20 ? `\\x${code.toString(16).padStart(2, '0')}` : character)}'`
}

/** A JSON parser that builds nothing and fails in Go's words. */
class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  run(): string | null {
    try {
      this.#blank()
      this.#value()
      this.#blank()
      if (this.#at < this.#text.length) this.#fail('after top-level value')
      return null
    } catch (error) {
      if (error instanceof SyntaxProblem) return error.message
      throw error
    }
  }

  #fail(where: string): never {
    const character = this.#text[this.#at]
    throw new SyntaxProblem(character === undefined ? 'unexpected end of JSON input' : `invalid character ${quoted(character)} ${where}`)
  }

  #blank(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at += 1
  }

  #value(): void {
    const character = this.#text[this.#at] ?? ''
    if (character === '{') this.#object()
    else if (character === '[') this.#array()
    else if (character === '"') this.#string()
    else if (/[-0-9]/.test(character)) this.#number()
    else if (character === 't') this.#literal('true')
    else if (character === 'f') this.#literal('false')
    else if (character === 'n') this.#literal('null')
    else this.#fail('looking for beginning of value')
  }

  #literal(word: string): void {
    for (const expected of word) {
      if (this.#text[this.#at] !== expected) this.#fail(`in literal ${word} (expecting ${quoted(expected)})`)
      this.#at += 1
    }
  }

  #object(): void {
    this.#at += 1
    this.#blank()
    if (this.#text[this.#at] === '}') {
      this.#at += 1
      return
    }
    for (;;) {
      this.#blank()
      if (this.#text[this.#at] !== '"') this.#fail('looking for beginning of object key string')
      this.#string()
      this.#blank()
      if (this.#text[this.#at] !== ':') this.#fail('after object key')
      this.#at += 1
      this.#blank()
      this.#value()
      this.#blank()
      const next = this.#text[this.#at]
      if (next !== ',' && next !== '}') this.#fail('after object key:value pair')
      this.#at += 1
      if (next === '}') return
    }
  }

  #array(): void {
    this.#at += 1
    this.#blank()
    if (this.#text[this.#at] === ']') {
      this.#at += 1
      return
    }
    for (;;) {
      this.#blank()
      this.#value()
      this.#blank()
      const next = this.#text[this.#at]
      if (next !== ',' && next !== ']') this.#fail('after array element')
      this.#at += 1
      if (next === ']') return
    }
  }

  #string(): void {
    this.#at += 1
    for (;;) {
      const character = this.#text[this.#at]
      if (character === undefined || character < ' ') this.#fail('in string literal')
      this.#at += 1
      if (character === '"') return
      if (character !== '\\') continue
      const escape = this.#text[this.#at] ?? ''
      if (!/^["\\/bfnrtu]$/.test(escape)) this.#fail('in string escape code')
      this.#at += 1
      if (escape !== 'u') continue
      for (let digit = 0; digit < 4; digit++) {
        if (!/^[0-9a-fA-F]$/.test(this.#text[this.#at] ?? '')) this.#fail('in \\u hexadecimal character escape')
        this.#at += 1
      }
    }
  }

  #number(): void {
    if (this.#text[this.#at] === '-') this.#at += 1
    if (this.#text[this.#at] === '0') this.#at += 1
    else this.#digits('in numeric literal')
    if (this.#text[this.#at] === '.') {
      this.#at += 1
      this.#digits('after decimal point in numeric literal')
    }
    if (/[eE]/.test(this.#text[this.#at] ?? '')) {
      this.#at += 1
      if (/[-+]/.test(this.#text[this.#at] ?? '')) this.#at += 1
      this.#digits('in exponent of numeric literal')
    }
  }

  #digits(where: string): void {
    if (!/[0-9]/.test(this.#text[this.#at] ?? '')) this.#fail(where)
    while (/[0-9]/.test(this.#text[this.#at] ?? '')) this.#at += 1
  }
}
