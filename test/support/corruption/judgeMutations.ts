import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Told } from './judge.ts'

/** Reading a damaged file may take this long at most; a good one of some hundred kilobytes takes milliseconds. */
const HANG_MS = 30_000

export interface Judgement {
  /** By kind of mutation: how many were told as broken or suspicious, were harmless, or could not be known. */
  outcomes: Record<string, Record<string, number>>
  /** Mutations that were not noticed, crashed a reader, hung it or ended its process. */
  findings: string[]
  /** Largest resident memory of the process after reading the good file over and over, and after all mutations. */
  goodPeakBytes: number
  peakBytes: number
}

/** Damages a good snapshot `count` times and reads each copy in a process of its own, which is ended when it hangs. */
export function judgeMutations({ good, scratch, seed, count }: { good: string; scratch: string; seed: number; count: number }): Promise<Judgement> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('judge.ts', import.meta.url)), [good, scratch, String(seed), '0', String(count)], {
      execArgv: ['--disable-warning=ExperimentalWarning', '--expose-gc'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let last = -1
    let result: Judgement | null = null
    let errors = ''
    let hung = false
    child.stderr?.on('data', (bytes: Buffer) => {
      errors = `${errors}${bytes.toString()}`.slice(-4000)
    })
    const dog = setInterval(() => {
      hung = true
      child.kill('SIGKILL')
    }, HANG_MS)
    child.on('message', (message: Told) => {
      dog.refresh()
      if (message.about === 'mutation') last = message.index
      else result = message
    })
    child.on('error', reject)
    child.on('exit', (code) => {
      clearInterval(dog)
      if (result !== null) resolve(result)
      else if (last < 0) reject(new Error(`the good file could not be read: ${errors}`))
      else
        resolve({
          outcomes: {},
          findings: [`mutation ${String(last)} ${hung ? 'hangs' : `ends the process with ${String(code)}: ${errors}`}`],
          goodPeakBytes: 1,
          peakBytes: 1,
        })
    })
  })
}
