import { FedInput, Interrupted, textOf, type Output } from './process.ts'

const ESCAPE = '\u001b'
/** Lines that the arrow keys bring back. */
const MAX_HISTORY = 500

/**
 * A terminal's server side: echoes and edits a line until Enter, gives it to the program, and ends lines of output as
 * terminals want it. Every program has the shell's line editing: arrows, Home, End, Delete, Ctrl-A, E, K, U, W, L.
 */
export class Terminal {
  /** What the program in it reads. */
  readonly input = new FedInput()
  size = { width: 80, height: 24 }
  readonly #write: (text: string) => void
  readonly #interrupted: (error: Interrupted) => void
  readonly #decoder = new TextDecoder()
  readonly #history: string[] = []
  #line: string[] = []
  #cursor = 0
  /** Position in the history; its length is the line being typed. */
  #recalled = 0
  #escape = ''
  /** What stands before the line: the prompt. */
  #lastOutput = ''
  #afterReturn = false

  /** @param interrupted Ctrl-C; who waits for input got the same error before */
  constructor({ write, interrupted }: { write: (text: string) => void; interrupted: (error: Interrupted) => void }) {
    this.#write = write
    this.#interrupted = interrupted
  }

  /** Output of the program. */
  out(output: Output): void {
    const text = textOf(output)
    this.#lastOutput = text.includes('\n') ? text.slice(text.lastIndexOf('\n') + 1) : `${this.#lastOutput}${text}`.slice(-1024)
    this.#write(text.replace(/\r?\n/g, '\r\n'))
  }

  /** Keys that were pressed. */
  type(bytes: Uint8Array): void {
    for (const character of this.#decoder.decode(bytes, { stream: true })) this.#key(character)
  }

  #key(character: string): void {
    if (this.#escape !== '' || character === ESCAPE) {
      this.#escape += character
      // ESC, then [ or O, then digits, then the key.
      if (/^\u001b([[O][\d;]*)?$/.test(this.#escape)) return
      this.#special(this.#escape.slice(1))
      this.#escape = ''
      return
    }
    // Files piped into a terminal may end their lines with both.
    const newline = character === '\n' && this.#afterReturn
    this.#afterReturn = character === '\r'
    if (newline) return
    if (character >= ' ' && character !== '\u007f') this.#insert(character)
    else this.#control(character)
  }

  #control(character: string): void {
    switch (character) {
      case '\r':
      case '\n':
        return this.#enter()
      case '\u007f':
      case '\b':
        return this.#erase(1)
      case '\u0001':
        return this.#move(0)
      case '\u0005':
        return this.#move(this.#line.length)
      case '\u0003':
        return this.#interrupt()
      case '\u0004':
        return this.#end()
      case '\u000b':
        return this.#replace(this.#line.slice(0, this.#cursor))
      case '\u0015':
        return this.#erase(this.#cursor)
      case '\u0017':
        return this.#erase(this.#cursor - (/\S+\s*$/.exec(this.#line.slice(0, this.#cursor).join(''))?.index ?? 0))
      case '\u000c':
        this.#write(`${ESCAPE}[H${ESCAPE}[J${this.#lastOutput}${this.#line.join('')}${back(this.#line.length - this.#cursor)}`)
        return
      case '\t':
        return this.#insert(character)
      default:
    }
  }

  #special(sequence: string): void {
    switch (sequence) {
      case '[A':
      case 'OA':
        return this.#recall(this.#recalled - 1)
      case '[B':
      case 'OB':
        return this.#recall(this.#recalled + 1)
      case '[C':
      case 'OC':
        return this.#move(this.#cursor + 1)
      case '[D':
      case 'OD':
        return this.#move(this.#cursor - 1)
      case '[H':
      case 'OH':
      case '[1~':
        return this.#move(0)
      case '[F':
      case 'OF':
      case '[4~':
        return this.#move(this.#line.length)
      case '[3~':
        if (this.#cursor === this.#line.length) return
        this.#cursor++
        return this.#erase(1)
      default:
    }
  }

  #enter(): void {
    const line = this.#line.join('')
    if (line !== '' && this.#history.at(-1) !== line) this.#history.push(line)
    if (this.#history.length > MAX_HISTORY) this.#history.shift()
    this.#clear()
    this.out('\n')
    this.input.push(`${line}\n`)
  }

  #interrupt(): void {
    this.#clear()
    this.out('^C\n')
    const error = new Interrupted('interrupted')
    this.input.interrupt(error)
    this.#interrupted(error)
  }

  /** Ctrl-D gives away what was typed so far; when that is nothing, it is the end of input. */
  #end(): void {
    if (this.#line.length === 0) this.input.endOnce()
    else this.input.push(this.#line.join(''))
    this.#clear()
  }

  #insert(character: string): void {
    const rest = this.#line.slice(this.#cursor)
    this.#line.splice(this.#cursor++, 0, character)
    this.#write(`${character}${rest.join('')}${back(rest.length)}`)
  }

  #erase(count: number): void {
    const length = Math.min(count, this.#cursor)
    if (length <= 0) return
    this.#line.splice(this.#cursor - length, length)
    this.#cursor -= length
    const rest = this.#line.slice(this.#cursor)
    this.#write(`${back(length)}${rest.join('')}${ESCAPE}[K${back(rest.length)}`)
  }

  #move(to: number): void {
    const target = Math.max(0, Math.min(this.#line.length, to))
    this.#write(target < this.#cursor ? back(this.#cursor - target) : this.#line.slice(this.#cursor, target).join(''))
    this.#cursor = target
  }

  #replace(line: string[]): void {
    this.#write(`${back(this.#cursor)}${line.join('')}${ESCAPE}[K`)
    this.#line = line
    this.#cursor = line.length
  }

  #recall(to: number): void {
    if (to < 0 || to > this.#history.length) return
    this.#recalled = to
    this.#replace([...(this.#history[to] ?? '')])
  }

  #clear(): void {
    this.#line = []
    this.#cursor = 0
    this.#recalled = this.#history.length
  }
}

function back(count: number): string {
  return count > 0 ? `${ESCAPE}[${String(count)}D` : ''
}
