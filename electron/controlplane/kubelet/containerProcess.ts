import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Clock } from '#shared/base/clock.ts'
import type { Random } from '#shared/base/random.ts'
import { behaviourOf, imageTag, renderLog, type Behaviour } from './behaviour.ts'
import { agnhostPrograms } from './images/agnhost/agnhost.ts'
import { plainConfig, type ContainerConfig } from './containerConfig.ts'
import { ContainerConsole } from './containerConsole.ts'
import { ContainerLog } from './containerLog.ts'
import { ContainerPorts } from './containerPorts.ts'
import { ContainerServer, seedDocumentRoot } from './containerServer.ts'
import { runSession, type CommandOptions } from './containerSession.ts'
import type { ContainerSession } from './nodeAgent.ts'
import { basePrograms } from './shell/basePrograms.ts'
import { FileTree, type Mount } from './shell/fileTree.ts'
import { dnsPrograms } from './shell/dnsPrograms.ts'
import { machinePrograms } from './shell/machinePrograms.ts'
import { networkPrograms } from './shell/networkPrograms.ts'
import { Interrupted, type Network, type Program } from './shell/process.ts'
import type { Terminal } from './shell/terminal.ts'
import { Shell } from './shell/shell.ts'
import type { Container } from './types.ts'

export interface ContainerProcessOptions {
  container: Container
  /** What is behind the image's name. @default the image of that name */
  imageContent?: string
  /** Whether the process is expected to end by itself: a Job's container or an init container. */
  runsToCompletion: boolean
  /** What it refers to, resolved; the container's plain fields without. */
  config?: ContainerConfig
  /** PEM of a certificate for `localhost`, which test images carry. */
  localhost?: () => { certificate: string; key: string }
  /** Directory that is `/` of the container. */
  rootDir: string
  /** Where its log is kept; null for nowhere. */
  logFile: string | null
  hostname: string
  node: string
  hostIP: string
  podIP: string
  /** Null for a container that reaches nothing. */
  network: Network | null
  clock: Clock
  random: Random
  /** Set when the process ran before this kubelet: it goes on silently. */
  startedAtMs: number | null
  /** Its `config` is yet to be made: nothing in the container is looked at before `configure`. @default false */
  isBare?: boolean
}

/** Whether a container's process is one that the small shell runs, by what its pod and image say. */
export function isRunByShell(container: Container): boolean {
  return shellCommandOf(plainConfig(container), container, behaviourOf(container.image)) !== null
}

/** As the image's entrypoint and arguments are overridden by the pod's. */
function argvOf({ command, args }: ContainerConfig, { entrypoint = [], arguments: own = [] }: Behaviour): string[] {
  return [...(command.length > 0 ? command : entrypoint), ...(args.length > 0 || command.length > 0 ? args : own)]
}

function programsOf({ programs }: Behaviour): ReadonlyMap<string, Program> {
  return imagePrograms.get(programs ?? '') ?? containerPrograms
}

/** The command, when it is one the small shell can run; null for servers and unknown programs. */
function shellCommandOf(config: ContainerConfig, { stdin }: Container, behaviour: Behaviour): string[] | null {
  const argv = argvOf(config, behaviour)
  const { exitsWithoutCommand, entrypoint } = behaviour
  const isCommand = config.command.length > 0 || exitsWithoutCommand === true || entrypoint !== undefined
  const program = argv[0]?.split('/').at(-1)
  // Images whose command is a shell: with input it stays.
  if (argv.length === 0 && exitsWithoutCommand === true && stdin === true) return ['sh']
  if (!isCommand || program === undefined) return null
  return program === 'sh' || program === 'bash' || program === 'ash' || programsOf(behaviour).has(program) ? argv : null
}

export interface ContainerExit {
  exitCode: number
  reason: 'Completed' | 'Error' | 'OOMKilled' | 'StartError'
}

/** How long a program nobody here knows takes, when it is one that ends. */
const UNKNOWN_COMMAND_MS = 3_000
/** A server's way from SIGTERM to its end. */
const STOP_MS = 400
/** From start until memory beyond the limit has been touched. */
const OOM_MS = 1_500
const MIB = 2 ** 20

const containerPrograms: ReadonlyMap<string, Program> = new Map([...basePrograms, ...networkPrograms, ...dnsPrograms, ...machinePrograms])

/** A program that belongs to root and tells as whom it runs: as root, unless the container may not escalate. */
const effectiveUid: Program = ({ user, out }) => {
  out(`Effective uid: ${String(user.mayEscalate ? 0 : user.uid)}\n`)
  return 0
}

/** Of images with programs of their own, by the name behaviour.json gives the set. */
const imagePrograms: ReadonlyMap<string, ReadonlyMap<string, Program>> = new Map([
  ['agnhost', new Map([...containerPrograms, ...agnhostPrograms])],
  ['nonewprivs', new Map([...containerPrograms, ['nnp', effectiveUid]])],
])

/** One run of a container: its log, its resource use and its end. Commands the small shell knows are really run by it. */
export class ContainerProcess {
  readonly log: ContainerLog
  readonly startedAtMs: number
  readonly exited: Promise<ContainerExit>
  readonly #options: ContainerProcessOptions
  readonly #behaviour: Behaviour
  readonly #end = new AbortController()
  readonly #console: ContainerConsole
  readonly #phase: number
  #finish: (exit: ContainerExit) => void = () => undefined
  #stopping = false
  #config: ContainerConfig
  #isBare: boolean
  /** What the process's programs listen on. */
  readonly #ports = new ContainerPorts()
  #server: ContainerServer | null = null
  #listening = false

  constructor(options: ContainerProcessOptions) {
    this.#options = options
    this.#behaviour = behaviourOf(options.container.image)
    this.#config = options.config ?? plainConfig(options.container)
    this.#isBare = options.isBare === true
    this.log = new ContainerLog(options.logFile, { resume: options.startedAtMs !== null })
    this.startedAtMs = options.startedAtMs ?? options.clock.now()
    this.#phase = options.random.next() * 2 * Math.PI
    const { stdin = false, stdinOnce = false, tty = false } = options.container
    this.#console = new ContainerConsole({ log: this.log, nowMs: () => options.clock.now(), stdin, stdinOnce, tty, signal: this.#end.signal })
    this.exited = new Promise((resolve) => {
      this.#finish = (exit) => {
        this.#end.abort(new Error('the container ended'))
        this.log.close()
        resolve(exit)
      }
    })
    void this.#run()
  }

  /** Whether nothing in it can be looked at yet. */
  get isBare(): boolean {
    return this.#isBare
  }

  /** Gives a bare process what its container refers to. */
  configure(config: ContainerConfig): void {
    this.#config = config
    this.#isBare = false
  }

  /** SIGTERM, then SIGKILL when `graceMs` is over. Resolves when the process is gone. */
  async stop(graceMs: number): Promise<ContainerExit> {
    if (!this.#stopping) {
      this.#stopping = true
      const isServer = this.#shellCommand() === null
      const exit: ContainerExit =
        graceMs < STOP_MS ? { exitCode: 137, reason: 'Error' } : isServer ? { exitCode: 0, reason: 'Completed' } : { exitCode: 143, reason: 'Error' }
      this.#options.clock.schedule(Math.min(graceMs, STOP_MS), () => {
        this.#finish(exit)
      })
    }
    return this.exited
  }

  /** The machine under it went away: no exit is reported. */
  abandon(): void {
    this.#end.abort(new Error('the kubelet ended'))
    this.log.close()
  }

  /** A shell inside the container, in its own file tree. */
  shell(signal: AbortSignal): Shell {
    return this.#shell({ signal: AbortSignal.any([signal, this.#end.signal]) }, undefined)
  }

  /** Runs a command in the container beside its main process. */
  exec({ signal, ...options }: CommandOptions): ContainerSession {
    return runSession({ ...options, signal: AbortSignal.any([signal, this.#end.signal]) }, (foreground, terminal) => this.#shell(foreground, terminal))
  }

  /** Joins a client to the main process. */
  attach(options: { stdin: boolean; signal: AbortSignal }): ContainerSession {
    return this.#console.attach(options)
  }

  /** `unknown` for programs of which nothing says what they listen on. */
  listensOn(port: number): 'yes' | 'no' | 'unknown' {
    const { serves, exitsWithoutCommand } = this.#behaviour
    if (this.#ports.has(port)) return 'yes'
    if (this.#shellCommand() !== null || exitsWithoutCommand === true) return 'no'
    if (serves === undefined) return 'unknown'
    if (serves.ports.includes(port) || (this.#options.container.ports ?? []).some(({ containerPort }) => containerPort === port)) return 'yes'
    return serves.root === undefined && serves.text === undefined ? 'unknown' : 'no'
  }

  /** A connection to the process's server; null when it does not listen on the port. */
  connect(port: number, from = '127.0.0.1'): Duplex | null {
    if (this.#end.signal.aborted) return null
    const connection = this.#ports.connect(port, from)
    if (connection !== null) return connection
    if (this.listensOn(port) !== 'yes' || !this.#listening) return null
    this.#server ??= this.#serve()
    return this.#server?.connect(from) ?? null
  }

  /** What the process answers a datagram; undefined when it does not receive on the port. */
  exchange(port: number, message: Buffer, from: string): Buffer | null | undefined {
    return this.#end.signal.aborted ? undefined : this.#ports.exchange(port, message, from)
  }

  /** Made for the first connection: most containers never get one. */
  #serve(): ContainerServer | null {
    const { serves } = this.#behaviour
    if (serves === undefined) return null
    const { container, hostname, clock } = this.#options
    const { image } = container
    const server = new ContainerServer({
      serves,
      image,
      tag: imageTag(image),
      hostname,
      files: () => this.#files(),
      served: ({ from, method, url, status, bytes, agent }) => {
        const date = renderLog('{clfDate}', { atMs: clock.now(), image, node: '', hostIP: '', podIP: '', random: this.#options.random })
        this.#console.out(`${from} - - [${date}] "${method} ${url} HTTP/1.1" ${String(status)} ${String(bytes)} "-" "${agent}"\n`)
      },
    })
    this.#end.signal.addEventListener(
      'abort',
      () => {
        server.close()
      },
      { once: true },
    )
    return server
  }

  #shell(foreground: { readonly signal: AbortSignal }, terminal: Terminal | undefined): Shell {
    const { hostname, clock, container } = this.#options
    const env = new Map([
      ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      ['HOSTNAME', hostname],
      ['HOME', '/root'],
      ['KUBERNETES_SERVICE_HOST', '10.96.0.1'],
      ['KUBERNETES_SERVICE_PORT', '443'],
    ])
    for (const [name, value] of this.#config.env) env.set(name, value)
    if (terminal !== undefined) env.set('TERM', 'xterm')
    const host = {
      files: this.#files(),
      hostname,
      clock,
      programs: programsOf(this.#behaviour),
      user: this.#config.user,
      sockets: this.#ports,
      ...(terminal === undefined ? {} : { terminal }),
      ...(this.#options.network === null ? {} : { network: this.#options.network }),
      get signal() {
        return foreground.signal
      },
    }
    return new Shell(host, env, container.workingDir ?? '/')
  }

  /** Resource use at the clock's time: the image's base load with a slow wave and a fast one, never above the CPU limit. */
  usage(limits: { cpuCores: number; memoryBytes: number }): { cpuCores: number; memoryBytes: number } {
    const seconds = (this.#options.clock.now() - this.startedAtMs) / 1000
    const wave = 1 + 0.25 * Math.sin(seconds / 97 + this.#phase) + 0.12 * Math.sin(seconds / 11 + 3 * this.#phase)
    const memoryBytes = this.#memoryBytes() * (1 + 0.06 * Math.sin(seconds / 311 + this.#phase))
    return { cpuCores: Math.min(limits.cpuCores, this.#behaviour.cpuCores * wave), memoryBytes: Math.min(limits.memoryBytes, Math.round(memoryBytes)) }
  }

  /** @param limitBytes the container's memory limit; when it is below what the process wants, the kernel kills it */
  limitMemory(limitBytes: number): void {
    if (this.#memoryBytes() <= limitBytes) return
    this.#options.clock.schedule(OOM_MS, () => {
      this.#finish({ exitCode: 137, reason: 'OOMKilled' })
    })
  }

  async #run(): Promise<void> {
    const { clock, runsToCompletion, startedAtMs } = this.#options
    const signal = this.#end.signal
    try {
      const command = this.#shellCommand()
      if (command === null && this.#isOtherImage()) {
        this.#console.err(`exec: "${this.#argv()[0] ?? ''}": executable file not found in $PATH: unknown\n`)
        this.#finish({ exitCode: 128, reason: 'StartError' })
        return
      }
      if (command !== null) {
        const { input, foreground, terminal } = this.#console
        const exitCode = await this.#shell(foreground, terminal).execute(command, {
          input,
          out: (output) => {
            this.#console.out(output)
          },
          err: (text) => {
            this.#console.err(text)
          },
        })
        this.#finish({ exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' })
        return
      }
      // At once, though a real one takes a moment: who waited for the pod to be ready connects then.
      this.#listening = true
      if (startedAtMs === null) {
        await clock.sleep(this.#behaviour.startMs, { signal })
        for (const template of this.#behaviour.startLogs ?? []) this.#writeTemplate(template)
      }
      if (this.#behaviour.exitsWithoutCommand === true && this.#argv().length === 0) {
        this.#finish({ exitCode: 0, reason: 'Completed' })
        return
      }
      if (runsToCompletion) {
        await clock.sleep(UNKNOWN_COMMAND_MS, { signal })
        this.#finish({ exitCode: 0, reason: 'Completed' })
        return
      }
      const { everySeconds, logs = [] } = this.#behaviour
      while (everySeconds !== undefined && logs.length > 0) {
        await clock.sleep(everySeconds * 1000 * (0.5 + this.#options.random.next()), { signal })
        this.#writeTemplate(logs[this.#options.random.below(logs.length)] ?? '')
      }
    } catch (error) {
      if (error instanceof Interrupted) this.#finish({ exitCode: 130, reason: 'Error' })
      // The only expected way out of a wait is the process's end.
      if (!signal.aborted) this.#finish({ exitCode: 1, reason: 'Error' })
      if (!signal.aborted) this.log.write(String(error), clock.now())
    }
  }

  /** Another image was tagged with the name: it has not the program that the pod asks for. */
  #isOtherImage(): boolean {
    const { container, imageContent = container.image } = this.#options
    return this.#config.command.length > 0 && behaviourOf(imageContent) !== behaviourOf(container.image)
  }

  #argv(): string[] {
    return argvOf(this.#config, this.#behaviour)
  }

  #shellCommand(): string[] | null {
    return shellCommandOf(this.#config, this.#options.container, this.#behaviour)
  }

  #memoryBytes(): number {
    const wanted = /--vm-bytes[ =](\d+)([KMG]?)/.exec(this.#argv().join(' '))
    if (wanted === null) return this.#behaviour.memoryMiB * MIB
    return Number(wanted[1]) * ({ K: 2 ** 10, M: MIB, G: 2 ** 30 }[wanted[2] ?? ''] ?? 1)
  }

  #writeTemplate(template: string): void {
    const { clock, container, node, hostIP, podIP, random } = this.#options
    this.#console.out(`${renderLog(template, { atMs: clock.now(), image: container.image, node, hostIP, podIP, random })}\n`)
  }

  /** The container's files; also what was mounted and written by other containers of the pod. */
  readFile(path: string): string | null {
    if (this.#isBare) return null
    try {
      return readFileSync(this.#files().host(path), 'utf8')
    } catch {
      // No such file, or one that cannot be read: the process left nothing.
      return null
    }
  }

  /** Made on first use: most containers are never looked into. */
  #files(): FileTree {
    const { rootDir, hostname, container } = this.#options
    const { mounts, readOnlyRoot } = this.#config
    for (const directory of ['bin', 'dev', 'etc', 'root', 'tmp', 'usr/bin', 'var/log', 'var/run']) mkdirSync(join(rootDir, directory), { recursive: true })
    writeFileSync(join(rootDir, 'etc/hostname'), `${hostname}\n`)
    makeMountPoints(rootDir, mounts)
    if (this.#behaviour.programs === 'agnhost' && this.#options.localhost !== undefined && !existsSync(join(rootDir, 'localhost.crt'))) {
      const { certificate, key } = this.#options.localhost()
      writeFileSync(join(rootDir, 'localhost.crt'), certificate)
      writeFileSync(join(rootDir, 'localhost.key'), key)
    }
    const files = new FileTree(rootDir, { mounts, readOnly: readOnlyRoot })
    if (this.#behaviour.serves !== undefined) seedDocumentRoot(files, this.#behaviour.serves, { image: container.image, hostname })
    return files
  }
}

/** Directories and empty files where something is mounted, so that they are listed. */
function makeMountPoints(rootDir: string, mounts: readonly Mount[]): void {
  const outerFirst = [...mounts].sort((a, b) => a.path.length - b.path.length)
  for (const [index, { path, host }] of outerFirst.entries()) {
    const place = new FileTree(rootDir, { mounts: outerFirst.slice(0, index) }).host(path)
    if (existsSync(place) || !existsSync(host)) continue
    if (statSync(host).isDirectory()) mkdirSync(place, { recursive: true })
    else {
      mkdirSync(dirname(place), { recursive: true })
      writeFileSync(place, '')
    }
  }
}
