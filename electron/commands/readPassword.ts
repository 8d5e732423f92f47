import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** Asks at the terminal without showing what is typed; without one it reads the first line of standard input. @throws Error when there is none */
export async function readPassword(question: string): Promise<string> {
  const { stdin, stderr } = process
  // Whatever the terminal's line editing would show of it is not shown.
  const unseen = new Writable({
    write: (_chunk, _encoding, done) => {
      done()
    },
  })
  const lines = createInterface({ input: stdin, output: unseen, terminal: stdin.isTTY })
  if (stdin.isTTY) stderr.write(question)
  try {
    for await (const line of lines) {
      if (line !== '') return line
      break
    }
  } finally {
    lines.close()
    stdin.pause()
    if (stdin.isTTY) stderr.write('\n')
  }
  throw new Error('nothing was changed: no password was given')
}
