import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { arithmetic, ArithmeticFault } from './arithmetic.ts'
import { FileFault, patternExpression } from './fileTree.ts'
import {
  emptyInput,
  FedInput,
  Interrupted,
  noNetwork,
  rootUser,
  textOf,
  wholeInput,
  type Network,
  type Output,
  type ProcessContext,
  type ProcessUser,
  type Program,
  type Sockets,
  type Streams,
} from './process.ts'
import type { Command, Pipeline, Redirect, Script, Word } from './script.ts'
import { isUnfinished, parseScript, SyntaxFault } from './syntax.ts'

/** What stays the same for every command of one shell. */
export type ShellHost = Pick<ProcessContext, 'files' | 'hostname' | 'clock' | 'signal' | 'terminal'> & {
  programs: ReadonlyMap<string, Program>
  network?: Network
  user?: ProcessUser
  sockets?: Sockets
}

class ExitRequest extends Error {
  readonly code: number

  constructor(code: number) {
    super('exit')
    this.code = code
  }
}

/** The reader of a pipe is gone. */
class BrokenPipe extends Error {
  override readonly name = 'BrokenPipe'
}

/** What a shell says of a program that SIGPIPE ended. */
const BROKEN_PIPE_CODE = 141

/** Loops in one command before it is taken for endless; a loop that sleeps never comes near it. */
const MAX_BUSY_TURNS = 100_000

/** Names this shell is started by. */
const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'ash'])

/** A small POSIX shell over a file tree and a table of programs. One instance is one session: variables and directory persist. */
export class Shell {
  readonly env: Map<string, string>
  workingDirectory: string
  #lastExitCode = 0
  /** What it was started as; messages begin with it. */
  #name = 'sh'
  #busyTurns = 0
  readonly #host: ShellHost

  constructor(host: ShellHost, env: Map<string, string>, workingDirectory = '/') {
    this.#host = host
    this.env = env
    this.workingDirectory = workingDirectory
  }

  /** Runs a script text. @returns its exit code; a syntax error is told on stderr and ends with 2 */
  async run(text: string, streams: Streams): Promise<number> {
    try {
      return await this.runScript(parseScript(text), streams)
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error
      streams.err(`sh: ${error.message}\n`)
      return 2
    }
  }

  /** Runs a parsed script to its end or to its `exit`. */
  async runScript(script: Script, streams: Streams): Promise<number> {
    try {
      return await this.#script(script, streams)
    } catch (error) {
      if (error instanceof ExitRequest) return error.code
      throw error
    }
  }

  /** Whether there is such a program to start without a shell: builtins are none. */
  has(program: string): boolean {
    const base = program.split('/').at(-1) ?? program
    return SHELLS.has(base) || this.#host.programs.has(base)
  }

  /** Runs one program by its argument vector. */
  async execute(argv: string[], streams: Streams): Promise<number> {
    const [name = '', ...args] = argv
    const base = name.split('/').at(-1) ?? name
    this.#host.signal.throwIfAborted()
    if (base === 'cd') return this.#changeDirectory(args[0] ?? this.env.get('HOME') ?? '/', streams)
    if (base === 'exit' || base === 'logout') throw new ExitRequest(args[0] === undefined ? this.#lastExitCode : Number(args[0]) & 255)
    if (base === 'export') return this.#export(args)
    if (base === 'unset') {
      for (const variable of args) this.env.delete(variable)
      return 0
    }
    if (base === 'set' || base === ':' || base === 'trap' || base === 'wait') return 0
    if (base === 'exec' && args.length > 0) throw new ExitRequest(await this.execute(args, streams))
    if (base === 'read') return this.#read(args, streams)
    if (SHELLS.has(base)) return this.#nested(name, args, streams)
    const program = this.#host.programs.get(base)
    if (program === undefined) {
      streams.err(`${this.#name}: ${name}: not found\n`)
      return 127
    }
    const context: ProcessContext = {
      ...streams,
      args,
      files: this.#host.files,
      hostname: this.#host.hostname,
      clock: this.#host.clock,
      signal: this.#host.signal,
      network: this.#host.network ?? noNetwork,
      user: this.#host.user ?? rootUser,
      sockets: this.#host.sockets ?? null,
      ...(this.#host.terminal === undefined ? {} : { terminal: this.#host.terminal }),
      env: this.env,
      workingDirectory: this.workingDirectory,
      spawn: (child, own) => this.execute(child, { ...streams, ...own }),
    }
    try {
      return await program(context)
    } catch (error) {
      // What the file system refuses is told, as by any program.
      if (!(error instanceof FileFault) && !(error instanceof Error && 'syscall' in error)) throw error
      streams.err(`${base}: ${error.message.replace(/\/[^'\s]+/g, (path) => this.#host.files.inside(path))}\n`)
      return 1
    }
  }

  /**
   * Reads commands until the input ends or says exit; a command that goes on over several lines is read whole.
   *
   * @param prompts told before each first line and each further one of a command; null when nobody sees them
   * @param interrupted makes of an error the exit code when it ended only the command, as Ctrl-C does; null otherwise
   */
  async interact(
    streams: Streams,
    { prompts, interrupted }: { prompts: { first(): string; more: string } | null; interrupted?: (error: unknown) => number | null },
  ): Promise<number> {
    for (;;) {
      try {
        if (prompts !== null) streams.out(prompts.first())
        const text = await this.#readCommand(streams, prompts?.more ?? null)
        if (text === null) return this.#lastExitCode
        this.#lastExitCode = await this.#script(parseScript(text), streams)
      } catch (error) {
        if (error instanceof ExitRequest) return error.code
        const code = interrupted?.(error) ?? null
        if (code === null && !(error instanceof SyntaxFault)) throw error
        if (error instanceof SyntaxFault) streams.err(`sh: ${error.message}\n`)
        this.#lastExitCode = code ?? 2
        // A script ends at its first syntax error, a person types on.
        if (prompts === null && error instanceof SyntaxFault) return 2
      }
    }
  }

  async #readCommand({ input, out }: Streams, more: string | null): Promise<string | null> {
    let text = ''
    for (;;) {
      const line = await input.readLine()
      if (line === null) return text === '' ? null : text
      text += `${line}\n`
      if (!isUnfinished(text)) return text
      if (more !== null) out(more)
    }
  }

  async #script(script: Script, streams: Streams): Promise<number> {
    let code = 0
    for (const { when, pipeline } of script) {
      if ((when === 'success' && code !== 0) || (when === 'failure' && code === 0)) continue
      code = await this.#pipeline(pipeline, streams)
      this.#lastExitCode = code
    }
    return code
  }

  async #pipeline({ commands, negated }: Pipeline, streams: Streams): Promise<number> {
    const [only] = commands
    const code = commands.length === 1 && only !== undefined ? await this.#command(only, streams) : await this.#piped(commands, streams)
    return negated ? Number(code === 0) : code
  }

  /** All at once, each in a shell of its own. A stage that writes to one that ended ends, too. @returns the last one's code */
  async #piped(commands: Command[], streams: Streams): Promise<number> {
    const pipes = commands.slice(1).map(() => new FedInput())
    const codes = await Promise.all(
      commands.map(async (command, index) => {
        const [from, to] = [pipes[index - 1], pipes[index]]
        const stage = new Shell(this.#host, new Map(this.env), this.workingDirectory)
        const out = (output: Output): void => {
          if (to?.isEnded === true) throw new BrokenPipe('broken pipe')
          to?.push(output)
        }
        try {
          return await stage.#command(command, { input: from ?? streams.input, out: to === undefined ? streams.out : out, err: streams.err })
        } catch (error) {
          if (error instanceof ExitRequest) return error.code
          if (error instanceof BrokenPipe) return BROKEN_PIPE_CODE
          throw error
        } finally {
          from?.end()
          to?.end()
        }
      }),
    )
    return codes.at(-1) ?? 0
  }

  async #command(command: Command, streams: Streams): Promise<number> {
    switch (command.kind) {
      case 'simple': {
        const words = (await Promise.all(command.words.map((word) => this.#expand(word, streams)))).flat()
        for (const { name, value } of command.assignments) this.env.set(name, (await this.#expand(value, streams)).join(' '))
        if (words.length === 0) return 0
        return this.#redirected(command.redirects, streams, (target) => this.execute(words, target))
      }
      case 'group':
        return this.#redirected(command.redirects, streams, (target) =>
          command.subshell
            ? new Shell(this.#host, new Map(this.env), this.workingDirectory).runScript(command.body, target)
            : this.#script(command.body, target),
        )
      case 'for': {
        let code = 0
        for (const value of (await Promise.all(command.words.map((word) => this.#expand(word, streams)))).flat()) {
          this.env.set(command.variable, value)
          code = await this.#script(command.body, streams)
        }
        return code
      }
      case 'loop': {
        let code = 0
        while (((await this.#script(command.condition, streams)) === 0) !== command.until) {
          code = await this.#script(command.body, streams)
          await this.#breathe()
        }
        return code
      }
      case 'case': {
        const subject = (await this.#expand(command.subject, streams, { names: false })).join(' ')
        for (const { patterns, body } of command.branches)
          for (const pattern of patterns)
            if (patternExpression((await this.#expand(pattern, streams, { names: false })).join(' ')).test(subject)) return this.#script(body, streams)
        return 0
      }
      case 'if': {
        for (const { condition, body } of command.branches) if ((await this.#script(condition, streams)) === 0) return this.#script(body, streams)
        return command.otherwise === null ? 0 : this.#script(command.otherwise, streams)
      }
    }
  }

  /** A loop without a sleep would hold the whole process: it gets a millisecond's pause, and is ended when it goes on and on. */
  async #breathe(): Promise<void> {
    this.#host.signal.throwIfAborted()
    if (++this.#busyTurns > MAX_BUSY_TURNS) throw new ExitRequest(137)
    await this.#host.clock.sleep(1, { signal: this.#host.signal })
  }

  async #redirected(redirects: Redirect[], streams: Streams, run: (streams: Streams) => Promise<number>): Promise<number> {
    const target = { ...streams }
    for (const { fd, mode, target: word } of redirects) {
      const path = (await this.#expand(word, streams)).join(' ')
      if (mode === '<<') {
        target.input = wholeInput(path)
        continue
      }
      if (mode === '&') {
        if (fd === 2 && path === '1') target.err = target.out
        else if (fd === 1 && path === '2') target.out = target.err
        continue
      }
      if (mode === '<') {
        const host = this.#host.files.host(path, this.workingDirectory)
        if (!existsSync(host)) {
          streams.err(`${this.#name}: can't open ${path}: no such file\n`)
          return 1
        }
        target.input = wholeInput(readFileSync(host))
        continue
      }
      let write: (output: Output) => void = () => undefined
      if (path === '/dev/stdout') write = streams.out
      else if (path === '/dev/stderr')
        write = (output) => {
          streams.err(textOf(output))
        }
      else if (path !== '/dev/null') {
        const host = this.#openToWrite(path, { append: mode === '>>', err: streams.err })
        if (host === null) return 1
        // At once, so that who reads the file meanwhile sees what is there.
        write = (output) => {
          appendFileSync(host, output)
        }
      }
      if (fd === 2) target.err = write
      else target.out = write
    }
    return run(target)
  }

  /** Makes or empties a file. @returns where it is on this machine; null when it cannot be, which was told */
  #openToWrite(path: string, { append, err }: { append: boolean; err(text: string): void }): string | null {
    let reason = 'nonexistent directory'
    try {
      const host = this.#host.files.hostToChange(path, this.workingDirectory)
      writeFileSync(host, '', { flag: append ? 'a' : 'w' })
      return host
    } catch (error) {
      if (error instanceof FileFault) reason = error.message.slice(path.length + 2)
      else if (!(error instanceof Error && 'code' in error)) throw error
      else if (error.code === 'EISDIR') reason = 'Is a directory'
      else if (error.code === 'EACCES') reason = 'Permission denied'
      err(`${this.#name}: can't create ${path}: ${reason}\n`)
      return null
    }
  }

  /**
   * Expands a word to the arguments it stands for: none, one, or several after splitting and globbing.
   * @param names whether patterns become the names of files that match; those of `case` never do
   */
  async #expand(word: Word, streams: Streams, { names = true }: { names?: boolean } = {}): Promise<string[]> {
    let fields = ['']
    let globbable = false
    let present = word.length === 0
    for (const part of word) {
      let text = ''
      if (part.kind === 'text') text = part.text
      else if (part.kind === 'variable') text = this.#variable(part.name) ?? part.fallback ?? ''
      else if (part.kind === 'arithmetic') text = await this.#arithmetic(part.expression, streams)
      else {
        await this.#script(part.script, { ...streams, input: emptyInput, out: (piece) => (text += textOf(piece)) })
        text = text.replace(/\n+$/, '')
      }
      if (part.quoted || part.kind === 'text') {
        fields[fields.length - 1] += text
        if (part.quoted || text !== '') present = true
        if (!part.quoted && /[*?]/.test(text)) globbable = true
        continue
      }
      // Unquoted expansions are split at white space.
      const pieces = text.split(/\s+/)
      fields[fields.length - 1] += pieces[0] ?? ''
      fields = [...fields, ...pieces.slice(1)]
    }
    if (!present) fields = fields.filter((field) => field !== '')
    if (!globbable || !names) return fields
    return fields.flatMap((field) => {
      const found = /[*?]/.test(field) ? this.#host.files.glob(field, this.workingDirectory) : []
      return found.length > 0 ? found : [field]
    })
  }

  async #arithmetic(expression: Word, streams: Streams): Promise<string> {
    try {
      return String(arithmetic((await this.#expand(expression, streams)).join(' '), (name) => this.#variable(name)))
    } catch (error) {
      if (!(error instanceof ArithmeticFault)) throw error
      streams.err(`sh: ${error.message}\n`)
      throw new ExitRequest(2)
    }
  }

  #variable(name: string): string | undefined {
    if (name === '?') return String(this.#lastExitCode)
    if (name === '$') return '1'
    if (name === 'RANDOM') return String(this.#host.clock.now() % 32768)
    return this.env.get(name)
  }

  async #nested(name: string, args: string[], streams: Streams): Promise<number> {
    const flags = args.filter((arg) => arg.startsWith('-'))
    const rest = args.filter((arg) => !arg.startsWith('-'))
    const child = new Shell(this.#host, new Map(this.env), this.workingDirectory)
    child.#name = name
    if (flags.some((flag) => /^-\w*c/.test(flag))) {
      for (const [index, value] of rest.slice(1).entries()) child.env.set(String(index), value)
      return child.run(rest[0] ?? '', streams)
    }
    const script = rest[0]
    if (script !== undefined) {
      const host = this.#host.files.host(script, this.workingDirectory)
      if (!existsSync(host)) {
        streams.err(`sh: can't open '${script}': No such file or directory\n`)
        return 2
      }
      return child.run(readFileSync(host, 'utf8'), streams)
    }
    if (streams.input !== this.#host.terminal?.input) return child.interact(streams, { prompts: null })
    const first = (): string =>
      name.endsWith('bash')
        ? `root@${this.#host.hostname}:${child.workingDirectory === (child.env.get('HOME') ?? '') ? '~' : child.workingDirectory}# `
        : `${child.workingDirectory} # `
    return child.interact(streams, { prompts: { first, more: '> ' }, interrupted: (error) => (error instanceof Interrupted ? 130 : null) })
  }

  #changeDirectory(path: string, streams: Streams): number {
    const target = this.#host.files.absolute(path, this.workingDirectory)
    if (!this.#host.files.isDirectory(target)) {
      streams.err(`sh: cd: can't cd to ${path}: No such file or directory\n`)
      return 1
    }
    this.workingDirectory = target
    this.env.set('PWD', target)
    return 0
  }

  #export(args: string[]): number {
    for (const arg of args) {
      const [name = '', ...value] = arg.split('=')
      if (arg.includes('=')) this.env.set(name, value.join('='))
    }
    return 0
  }

  async #read(args: string[], streams: Streams): Promise<number> {
    const line = await streams.input.readLine()
    const name = args.find((arg) => !arg.startsWith('-')) ?? 'REPLY'
    this.env.set(name, line ?? '')
    return line === null ? 1 : 0
  }
}
