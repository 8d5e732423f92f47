import { pipeline } from 'node:stream/promises'
import type { Client, ClientChannel } from 'ssh2'
import type { CommandOutcome, RunOptions } from './nodeShell.ts'

/** Runs one command line over a connection, as the user who logged in. @throws when the connection ends or the server refuses */
export function runCommand(client: Client, command: string, { signal, onLine, onStdout, input }: RunOptions): Promise<CommandOutcome> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error)
      return
    }
    const onClientClose = (): void => {
      reject(new Error(`the connection closed while «${command}» was running`))
    }
    client.once('close', onClientClose)
    client.exec(command, (error: Error | undefined, channel: ClientChannel) => {
      if (error !== undefined) {
        client.off('close', onClientClose)
        reject(new Error(`the node refused to run «${command}»: ${error.message}`, { cause: error }))
        return
      }
      const outputs = { stdout: new LineReader(onLine), stderr: new LineReader(onLine) }
      // Without one the channel was closed by something else than the command's end.
      let exitCode: number | null = null
      const onAbort = (): void => {
        channel.signal('TERM')
        channel.close()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      channel.on('data', (bytes: Buffer) => {
        if (onStdout === undefined) outputs.stdout.push(bytes)
        else onStdout(bytes)
      })
      channel.stderr.on('data', (bytes: Buffer) => {
        outputs.stderr.push(bytes)
      })
      channel.on('exit', (code: number | null) => {
        exitCode = code ?? 255
      })
      channel.on('close', () => {
        client.off('close', onClientClose)
        signal.removeEventListener('abort', onAbort)
        if (signal.aborted) reject(signal.reason as Error)
        else if (exitCode === null) onClientClose()
        else resolve({ exitCode, stdout: outputs.stdout.end(), stderr: outputs.stderr.end() })
      })
      if (input === undefined) channel.end()
      else
        pipeline(input, channel).catch((failure: unknown) => {
          // A command that ends before it has read all says so by its exit code.
          if (exitCode === null) reject(failure instanceof Error ? failure : new Error(String(failure)))
        })
    })
  })
}

/** Collects a stream's text and hands out whole lines as they come. */
class LineReader {
  readonly #onLine: ((line: string) => void) | undefined
  readonly #decoder = new TextDecoder()
  #text = ''
  #partial = ''

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine
  }

  push(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true })
    this.#text += text
    const lines = (this.#partial + text).split('\n')
    this.#partial = lines.pop() ?? ''
    for (const line of lines) this.#onLine?.(line.trimEnd())
  }

  end(): string {
    if (this.#partial !== '') this.#onLine?.(this.#partial.trimEnd())
    return this.#text
  }
}
