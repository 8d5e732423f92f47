import { fork as forkChild, type ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ForkOptions } from 'electron'

/** electron.UtilityProcess: Node in a process of its own, which ends with the main process. */
export class UtilityProcess extends EventEmitter {
  readonly #child: ChildProcess

  static fork(modulePath: string, args: string[] = [], options: ForkOptions = {}): UtilityProcess {
    return new UtilityProcess(modulePath, args, options)
  }

  private constructor(modulePath: string, args: string[], options: ForkOptions) {
    super()
    const piped = options.stdio === 'pipe' || (Array.isArray(options.stdio) && options.stdio.includes('pipe'))
    const output = piped ? 'pipe' : options.stdio === 'ignore' ? 'ignore' : 'inherit'
    this.#child = forkChild(modulePath, args, {
      // Not the `node` that runs this one with Electron's name, but Node itself, with the shim of process.parentPort.
      execPath: process.env['DRYDOCK_STANDIN_NODE'] ?? process.execPath,
      execArgv: ['--disable-warning=ExperimentalWarning', '--import', fileURLToPath(new URL('./parentPort.ts', import.meta.url)), ...(options.execArgv ?? [])],
      env: (options.env as NodeJS.ProcessEnv | undefined) ?? process.env,
      cwd: options.cwd,
      stdio: ['ignore', output, output, 'ipc'],
      serialization: 'advanced',
    })
    this.#child.once('spawn', () => this.emit('spawn'))
    this.#child.on('message', (message) => this.emit('message', message))
    this.#child.once('exit', (code) => this.emit('exit', code ?? 1))
    this.#child.once('error', (error) => this.emit('error', 'FatalError', modulePath, error.message))
  }

  get pid(): number | undefined {
    return this.#child.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined
  }

  get stdout(): NodeJS.ReadableStream | null {
    return this.#child.stdout
  }

  get stderr(): NodeJS.ReadableStream | null {
    return this.#child.stderr
  }

  postMessage(message: unknown): void {
    this.#child.send(message as object)
  }

  kill(): boolean {
    return this.#child.kill('SIGTERM')
  }
}
