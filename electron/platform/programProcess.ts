import { spawn } from 'node:child_process'

/** A program that runs beside this one and ends with it, however it was started. */
export interface ProgramProcess {
  readonly stdout: NodeJS.ReadableStream
  readonly stderr: NodeJS.ReadableStream
  /** Resolves, never rejects, when it has ended or could not be started, with why in words. */
  readonly ended: Promise<string>
  /** Asks it to end. */
  terminate(): void
}

/** A program and its first arguments. */
export interface ProgramCommand {
  program: string
  args: string[]
  env?: Record<string, string>
}

/** Starts a Drydock process of Node's own. It is told to end when its standard input does, which closes when this process dies. */
export function spawnProgram({ program, args, env }: ProgramCommand, own: readonly string[]): ProgramProcess {
  const child = spawn(program, [...args, ...own, '--stop-with-parent'], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  child.stdin.on('error', () => undefined)
  return {
    stdout: child.stdout,
    stderr: child.stderr,
    ended: new Promise((resolve) => {
      child.once('error', (error) => {
        resolve(error.message)
      })
      child.once('exit', (code, signal) => {
        resolve(`the process ended with ${signal ?? `code ${String(code)}`}`)
      })
    }),
    terminate: () => {
      child.kill('SIGTERM')
    },
  }
}
