import type { Clock } from '#shared/base/clock.ts'
import type { FileTree } from './fileTree.ts'

/** Bytes typed or piped into a process, as text. */
export interface Input {
  /** The next line without its end; null at the end of input. */
  readLine(): Promise<string | null>
  /** Everything that is left. */
  readAll(): Promise<string>
}

/** What a program sees of the (simulated) machine it runs on. */
export interface ProcessContext {
  /** Without the program's own name. */
  args: string[]
  input: Input
  out(text: string): void
  err(text: string): void
  files: FileTree
  env: Map<string, string>
  workingDirectory: string
  hostname: string
  clock: Clock
  signal: AbortSignal
  /** Runs an argument vector as a process of its own on the same streams, as env, sudo, xargs and timeout do. */
  spawn(argv: string[]): Promise<number>
}

/** @returns the exit code */
export type Program = (context: ProcessContext) => Promise<number> | number

/** No input at all. */
export const emptyInput: Input = { readLine: () => Promise.resolve(null), readAll: () => Promise.resolve('') }

/** Input that is fed while the process runs. */
export class FedInput implements Input {
  #buffer = ''
  #ended = false
  #wake: (() => void)[] = []

  push(text: string): void {
    this.#buffer += text
    this.#notify()
  }

  end(): void {
    this.#ended = true
    this.#notify()
  }

  async readLine(): Promise<string | null> {
    for (;;) {
      const at = this.#buffer.search(/\r?\n|\r/)
      if (at >= 0) {
        const line = this.#buffer.slice(0, at)
        this.#buffer = this.#buffer.slice(at).replace(/^(\r?\n|\r)/, '')
        return line
      }
      if (this.#ended) {
        const last = this.#buffer
        this.#buffer = ''
        return last === '' ? null : last
      }
      await this.#more()
    }
  }

  async readAll(): Promise<string> {
    while (!this.#ended) await this.#more()
    const all = this.#buffer
    this.#buffer = ''
    return all
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** Input that is known whole. */
export function textInput(text: string): Input {
  const input = new FedInput()
  input.push(text)
  input.end()
  return input
}
