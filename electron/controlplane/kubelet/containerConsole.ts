import type { ContainerLog } from './containerLog.ts'
import { Foreground, SessionOutput } from './containerSession.ts'
import type { ContainerSession } from './nodeAgent.ts'
import { emptyInput, FedInput, textOf, type Input, type Output } from './shell/process.ts'
import { Terminal } from './shell/terminal.ts'

export interface ContainerConsoleOptions {
  log: ContainerLog
  nowMs: () => number
  stdin: boolean
  /** Input ends when the first client that gave some goes away. */
  stdinOnce: boolean
  tty: boolean
  /** The container's end. */
  signal: AbortSignal
}

/** Standard input and output of a container's main process: written to its log and to every client that is attached. */
export class ContainerConsole {
  readonly input: Input
  readonly foreground: Foreground
  readonly terminal: Terminal | undefined
  readonly #options: ContainerConsoleOptions
  readonly #fed: FedInput
  readonly #attached = new Set<SessionOutput>()
  readonly #unfinished = { stdout: '', stderr: '' }
  #stdinUsed = false

  constructor(options: ContainerConsoleOptions) {
    this.#options = options
    this.foreground = new Foreground(options.signal)
    this.terminal = options.tty
      ? new Terminal({
          write: (text) => {
            this.#emit('stdout', text)
          },
          interrupted: (error) => {
            this.foreground.interrupt(error)
          },
        })
      : undefined
    this.#fed = this.terminal?.input ?? new FedInput()
    this.input = options.stdin ? this.#fed : emptyInput
    options.signal.addEventListener(
      'abort',
      () => {
        this.#close()
      },
      { once: true },
    )
  }

  out(output: Output): void {
    if (this.terminal === undefined) this.#emit('stdout', output)
    else this.terminal.out(output)
  }

  err(text: string): void {
    if (this.terminal === undefined) this.#emit('stderr', text)
    else this.terminal.out(text)
  }

  /** Joins a client to the process: it sees what is written from now on. */
  attach({ stdin, signal }: { stdin: boolean; signal: AbortSignal }): ContainerSession {
    const output = new SessionOutput()
    this.#attached.add(output)
    if (this.#options.signal.aborted) output.end()
    const typed = stdin && this.#options.stdin
    const closeStdin = (): void => {
      if (typed && this.#options.stdinOnce && !this.#stdinUsed) {
        this.#stdinUsed = true
        this.#fed.end()
      }
    }
    signal.addEventListener(
      'abort',
      () => {
        closeStdin()
        this.#attached.delete(output)
        output.end()
      },
      { once: true },
    )
    return {
      write: async (bytes) => {
        if (!typed) return
        if (this.terminal === undefined) this.#fed.push(bytes)
        else this.terminal.type(bytes)
        await this.#fed.room()
      },
      closeStdin,
      resize: (size) => {
        if (this.terminal !== undefined) this.terminal.size = size
      },
      output: () => output,
      // How the process ended is told by the pod's status.
      exitCode: Promise.resolve(0),
    }
  }

  #emit(stream: 'stdout' | 'stderr', output: Output): void {
    for (const attached of this.#attached) attached.push(stream, output)
    // The log takes whole lines.
    const text = this.#unfinished[stream] + textOf(output)
    const end = text.lastIndexOf('\n') + 1
    this.#unfinished[stream] = text.slice(end)
    if (end > 0) this.#options.log.write(text.slice(0, end), this.#options.nowMs(), stream)
  }

  #close(): void {
    for (const stream of ['stdout', 'stderr'] as const)
      if (this.#unfinished[stream] !== '') this.#options.log.write(this.#unfinished[stream], this.#options.nowMs(), stream)
    this.#fed.end()
    for (const attached of this.#attached) attached.end()
    this.#attached.clear()
  }
}
