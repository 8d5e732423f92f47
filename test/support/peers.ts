import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export { hasProgram } from './hasProgram.ts'
export { freePort } from './freePort.ts'

export interface CommandResult {
  code: number
  stdout: string
  stderr: string
}

/** Runs a program to its end; a non-zero exit is a result, not an error. */
export function runProgram(
  program: string,
  args: string[],
  options: { env?: Record<string, string>; cwd?: string; timeoutMs?: number; input?: string } = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      args,
      { env: { ...process.env, ...options.env }, cwd: options.cwd, timeout: options.timeoutMs ?? 30_000, maxBuffer: 64 * 2 ** 20, encoding: 'utf8' },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr })
      },
    )
    if (options.input !== undefined) child.stdin?.end(options.input)
  })
}

/** A directory that is gone after the suite. */
export function temporaryDirectory(label: string): string {
  const path = mkdtempSync(join(tmpdir(), `drydock-${label}-`))
  afterAll(() => {
    rmSync(path, { recursive: true, force: true })
  })
  return path
}
