import { createInterface } from 'node:readline/promises'
import { askHidden } from './askHidden.ts'

/** Asks at the terminal without showing what is typed; without one it reads the first line of standard input. @throws Error when there is none */
export async function readPassword(question: string): Promise<string> {
  const password = process.stdin.isTTY ? await askHidden(question) : await firstLine()
  if (password === '') throw new Error('nothing was changed: no password was given')
  return password
}

async function firstLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin })
  try {
    const { value, done } = await lines[Symbol.asyncIterator]().next()
    return done === true ? '' : value
  } finally {
    lines.close()
    process.stdin.pause()
  }
}
