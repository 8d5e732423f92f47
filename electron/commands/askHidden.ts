import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** Asks at the terminal without showing what is typed. @returns the line; '' at the end of input */
export async function askHidden(question: string): Promise<string> {
  const { stdin, stderr } = process
  // Whatever the terminal's line editing would show of it is not shown.
  const unseen = new Writable({
    write: (_chunk, _encoding, done) => {
      done()
    },
  })
  stderr.write(question)
  const lines = createInterface({ input: stdin, output: unseen, terminal: true })
  try {
    const { value, done } = await lines[Symbol.asyncIterator]().next()
    return done === true ? '' : value
  } finally {
    lines.close()
    stdin.pause()
    stderr.write('\n')
  }
}
