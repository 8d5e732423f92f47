import type { ContainerSession } from './nodeAgent.ts'
import { emptyInput, FedInput, Interrupted, type Input, type Output } from './shell/process.ts'
import type { Shell } from './shell/shell.ts'
import { Terminal } from './shell/terminal.ts'

type Stream = 'stdout' | 'stderr'

/** Killed by SIGKILL, as processes of a container that ends are. */
const KILLED = 137
const INTERRUPTED = 130

/** Output on its way to one reader. */
export class SessionOutput {
  #pieces: { stream: Stream; bytes: Uint8Array }[] = []
  #ended = false
  #wake: (() => void)[] = []

  push(stream: Stream, output: Output): void {
    if (this.#ended) return
    this.#pieces.push({ stream, bytes: Buffer.from(output) })
    this.#notify()
  }

  end(): void {
    this.#ended = true
    this.#notify()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<{ stream: Stream; bytes: Uint8Array }> {
    for (;;) {
      const pieces = this.#pieces.splice(0)
      yield* pieces
      if (pieces.length > 0 || this.#pieces.length > 0) continue
      if (this.#ended) return
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** What runs in the foreground of a terminal; Ctrl-C ends it and makes place for the next. */
export class Foreground {
  readonly #outer: AbortSignal
  #controller = new AbortController()
  #signal: AbortSignal

  constructor(outer: AbortSignal) {
    this.#outer = outer
    this.#signal = AbortSignal.any([outer, this.#controller.signal])
  }

  /** Of what runs now. */
  get signal(): AbortSignal {
    return this.#signal
  }

  interrupt(error: Interrupted): void {
    const before = this.#controller
    this.#controller = new AbortController()
    this.#signal = AbortSignal.any([this.#outer, this.#controller.signal])
    before.abort(error)
  }
}

export interface CommandOptions {
  command: readonly string[]
  tty: boolean
  stdin: boolean
  /** Ends the command: the client went away. */
  signal: AbortSignal
}

/** Runs a command beside the container's main process. */
export function runSession(
  { command, tty, stdin, signal }: CommandOptions,
  shellOf: (foreground: Foreground, terminal: Terminal | undefined) => Shell,
): ContainerSession {
  const output = new SessionOutput()
  const foreground = new Foreground(signal)
  const terminal = tty
    ? new Terminal({
        write: (text) => {
          output.push('stdout', text)
        },
        interrupted: (error) => {
          foreground.interrupt(error)
        },
      })
    : undefined
  const fed = terminal?.input ?? new FedInput()
  const input: Input = stdin ? fed : emptyInput
  const out = (text: Output): void => {
    if (terminal === undefined) output.push('stdout', text)
    else terminal.out(text)
  }
  const err = (text: string): void => {
    if (terminal === undefined) output.push('stderr', text)
    else terminal.out(text)
  }
  const run = async (): Promise<number> => {
    const shell = shellOf(foreground, terminal)
    const [program = ''] = command
    if (!shell.has(program)) throw new Error(`failed to exec in container: exec: ${JSON.stringify(program)}: executable file not found in $PATH`)
    try {
      return await shell.execute([...command], { input, out, err })
    } catch (error) {
      if (error instanceof Interrupted) return INTERRUPTED
      if (foreground.signal.aborted) return KILLED
      throw error
    }
  }
  const exitCode = run().finally(() => {
    fed.end()
    output.end()
  })
  // Who reads the output first learns of a failure only afterwards.
  exitCode.catch(() => undefined)
  // A read that waits for input does not see the signal: the end of input ends it.
  signal.addEventListener(
    'abort',
    () => {
      fed.end()
    },
    { once: true },
  )
  return {
    write: async (bytes) => {
      if (terminal === undefined) fed.push(bytes)
      else terminal.type(bytes)
      await fed.room()
    },
    closeStdin: () => {
      fed.end()
    },
    resize: (size) => {
      if (terminal !== undefined) terminal.size = size
    },
    output: () => output,
    exitCode,
  }
}
