import { Readable } from 'node:stream'
import type { Client } from 'ssh2'
import type { CommandOutcome, RunOptions } from './nodeShell.ts'
import type { SshTarget } from './ssh.ts'
import { runCommand } from './sshCommand.ts'
import { quote } from './shellWord.ts'

/** Nothing, as the shell runs it: whether sudo lets it pass is all that is asked. */
const NOTHING = ':'

/**
 * Commands as root over one connection. Whether sudo wants a password is found out first, with a command that does nothing: a password
 * that sudo does not read would be the command's own input, and of a command's input sudo would read what it takes for one.
 */
export class Sudo {
  readonly #client: Client
  readonly #target: SshTarget
  /** Whether the password goes before each command's input. */
  #asks: Promise<boolean> | null = null

  constructor(client: Client, target: SshTarget) {
    this.#client = client
    this.#target = target
  }

  /** @throws when sudo refuses; the command was not run then */
  async run(command: string, options: RunOptions): Promise<CommandOutcome> {
    const { sudoPassword } = this.#target
    if (sudoPassword === undefined) {
      const outcome = await runCommand(this.#client, `sudo -n sh -c ${quote(command)}`, options)
      // What sudo itself refuses begins with its name; the command was not run then.
      if (isRefusal(outcome)) throw this.#refused(outcome)
      return outcome
    }
    this.#asks ??= this.#wantsPassword(sudoPassword, options)
    const asks = await this.#asks.catch((error: unknown) => {
      this.#asks = null
      throw error
    })
    if (!asks) return runCommand(this.#client, `sudo -n sh -c ${quote(command)}`, options)
    return runCommand(this.#client, withPassword(command), { ...options, input: Readable.from(fed(sudoPassword, options.input)) })
  }

  async #wantsPassword(password: string, { signal }: RunOptions): Promise<boolean> {
    // -k: not what sudo remembers of a moment ago, as it would then leave the password to the command.
    const free = await runCommand(this.#client, `sudo -k -n sh -c ${NOTHING}`, { signal })
    if (free.exitCode === 0) return false
    if (!isRefusal(free)) throw this.#refused(free)
    const tried = await runCommand(this.#client, withPassword(NOTHING), { signal, input: Readable.from(fed(password, undefined)) })
    if (tried.exitCode === 0) return true
    // sudo's own lecture and its wish for another try say nothing more.
    if (/incorrect password|try again|no password was provided/i.test(tried.stderr))
      throw new Error(`${this.#where()}: sudo does not take the password that was given for ${this.#target.username}. Nothing was run there. Give it anew`)
    throw this.#refused(tried)
  }

  #refused({ stderr }: CommandOutcome): Error {
    const { username } = this.#target
    return new Error(
      `${this.#where()}: ${stderr.trim()}. Nothing was run there. Give ${username} the right to become root without a password (NOPASSWD in /etc/sudoers.d), log in as root, or give the password that sudo asks for: --ask-sudo-password, or Settings, SSH to nodes`,
    )
  }

  #where(): string {
    const { username, host, port } = this.#target
    return `ssh ${username}@${host}:${String(port)}`
  }
}

const isRefusal = ({ exitCode, stdout, stderr }: CommandOutcome): boolean => exitCode === 1 && stdout === '' && /^sudo: /m.test(stderr)

const withPassword = (command: string): string => `sudo -k -S -p '' sh -c ${quote(command)}`

async function* fed(password: string, input: NodeJS.ReadableStream | undefined): AsyncGenerator<string | Buffer> {
  yield `${password}\n`
  if (input !== undefined) yield* input as AsyncIterable<string | Buffer>
}
