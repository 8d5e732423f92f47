import { Client, type ClientChannel } from 'ssh2'
import type { CommandOutcome, NodeShell } from './nodeShell.ts'

export interface SshTarget {
  host: string
  port: number
  username: string
  /** PEM or OpenSSH text. */
  privateKey: string
  /** The host's public key as base64 of its SSH wire form, the middle field of a known_hosts line. Another key is refused. */
  hostKey: string
  /** Runs each command under `sudo -n` when the user is not root. */
  sudo: boolean
}

/** How long a node may take to answer the SSH handshake. */
const READY_TIMEOUT_MS = 15_000

/** Connects and checks the host key. @throws with the host, port and what to check */
export function connectSsh(target: SshTarget, { signal }: { signal: AbortSignal }): Promise<NodeShell> {
  return new Promise((resolve, reject) => {
    const client = new Client()
    let presented: string | null = null
    const fail = (error: Error): void => {
      client.end()
      const where = `${target.username}@${target.host}:${String(target.port)}`
      const reason =
        presented !== null && presented !== target.hostKey
          ? `the host key is not the one that is known for it (presented ${presented.slice(0, 24)}…). Check that this is the right machine before you trust the new key`
          : error.message
      reject(new Error(`ssh ${where}: ${reason}`, { cause: error }))
    }
    const onAbort = (): void => {
      client.end()
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    client
      .on('ready', () => {
        signal.removeEventListener('abort', onAbort)
        client.off('error', fail)
        // A connection that breaks later shows itself in the running command.
        client.on('error', () => undefined)
        resolve({
          run: (command, options) => runCommand(client, target.sudo ? `sudo -n sh -c ${quote(command)}` : command, options),
          close: () => client.end(),
        })
      })
      .on('error', fail)
      .connect({
        host: target.host,
        port: target.port,
        username: target.username,
        privateKey: target.privateKey,
        readyTimeout: READY_TIMEOUT_MS,
        hostVerifier: (key: Buffer) => {
          presented = key.toString('base64')
          return presented === target.hostKey
        },
      })
  })
}

function runCommand(client: Client, command: string, { signal, onLine }: { signal: AbortSignal; onLine?: (line: string) => void }): Promise<CommandOutcome> {
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
      let exitCode = 255
      const onAbort = (): void => {
        channel.signal('TERM')
        channel.close()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      channel.on('data', (bytes: Buffer) => {
        outputs.stdout.push(bytes)
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
        else resolve({ exitCode, stdout: outputs.stdout.end(), stderr: outputs.stderr.end() })
      })
      channel.end()
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

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
