import { utilityProcess } from 'electron'
import type { ProgramProcess } from '../platform/programProcess.ts'

/**
 * Starts a script of the app's own in a utility process: Node without a window, which Electron ends with the main process. Unlike
 * the executable run as plain Node it needs no fuse that would let anybody else run it so.
 */
export function startUtility(script: string, args: readonly string[]): ProgramProcess {
  const child = utilityProcess.fork(script, [...args], { stdio: 'pipe', serviceName: 'Drydock cluster' })
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) throw new Error('a utility process has no output')
  return {
    stdout,
    stderr,
    ended: new Promise((resolve) => {
      child.once('error', (type, location) => {
        resolve(`${type} in ${location}`)
      })
      child.once('exit', (code) => {
        resolve(`the process ended with code ${String(code)}`)
      })
    }),
    terminate: () => {
      child.kill()
    },
  }
}
