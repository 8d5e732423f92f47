import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { SystemClock, type Clock } from '#shared/base/clock.ts'
import { SeededRandom } from '#shared/base/random.ts'
import type { InputOf, MessageOf, OutputOf, RequestName, SubscriptionName } from '#shared/contract/contract.ts'
import type { RunView, StepView } from '#shared/contract/runbooks.ts'
import { timeLeftMs } from '#shared/planning/timeLeft.ts'
import { workedMs } from '#shared/planning/workedTime.ts'
import { Application } from '#electron/application.ts'
import { goingOn } from './goingOn.ts'
import { ownProgram, version } from './ownProgram.ts'
import { readPassword } from './readPassword.ts'
import { stderrLogger } from './stderrLogger.ts'

/** Options of every command that works on a cluster without a window. */
export interface TargetOptions {
  kubeconfig?: string
  context?: string
  twin?: string
  sshConfig?: string
  askSudoPassword?: boolean
  dataDir?: string
  yes?: boolean
  report?: string
  output?: string
  logLevel?: string
}

export function withTarget(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'the cluster to work on')
    .option('--context <name>', 'a context of the kubeconfig (default: its current one)')
    .option('--twin <snapshot>', 'work on a twin made from this etcd snapshot instead')
    .option('--ssh-config <file>', 'how nodes are reached (default: ~/.ssh/config)')
    .option('--ask-sudo-password', 'ask for the password that sudo wants on the nodes; without a terminal it is the first line of standard input', false)
    .option('--data-dir <dir>', 'where the journal and backups are (default: ~/.local/share/drydock)')
    .option('--log-level <level>', 'debug, info, warn or error, on stderr', 'error')
}

export function withRun(command: Command): Command {
  return withTarget(command)
    .option('--yes', 'do not ask before anything is changed', false)
    .option('--report <file>', 'write the report as Markdown here')
    .option('-o, --output <format>', 'text or json', 'text')
}

/** The application without a window, and the cluster the command was given. */
export class Headless {
  readonly application: Application
  readonly signal: AbortSignal
  readonly #clock: Clock

  private constructor(application: Application, { clock, signal }: { clock: Clock; signal: AbortSignal }) {
    this.application = application
    this.#clock = clock
    this.signal = signal
  }

  /** Opens the data directory, does the work, and closes it again. @throws Error when another Drydock uses the directory */
  static async use(options: TargetOptions, work: (headless: Headless) => Promise<void>): Promise<void> {
    const interrupted = new AbortController()
    const sudoPassword = options.askSudoPassword === true ? await readPassword('Password for sudo on the nodes: ') : null
    const clock = new SystemClock()
    const application = new Application({
      dataDir: resolve(options.dataDir ?? join(homedir(), '.local/share/drydock')),
      kubeconfigs: options.kubeconfig === undefined ? [] : [resolve(options.kubeconfig)],
      userKubeconfigs: false,
      embedded: false,
      schedules: false,
      keepsUsage: false,
      clusterCommand: ownProgram,
      ...(sudoPassword === null ? {} : { sudoPassword }),
      ...(options.sshConfig === undefined ? {} : { sshConfigFile: resolve(options.sshConfig) }),
      shell: 'browser',
      version,
      clock,
      random: new SeededRandom(randomBytes(4).readUInt32LE()),
      logger: stderrLogger(options.logLevel ?? 'error'),
    })
    const stop = (name: NodeJS.Signals): void => {
      interrupted.abort(new Error(`stopped by ${name}`))
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    try {
      await application.start()
      await work(new Headless(application, { clock, signal: interrupted.signal }))
    } finally {
      process.removeListener('SIGINT', stop)
      process.removeListener('SIGTERM', stop)
      await application.stop()
    }
  }

  async invoke<N extends RequestName>(name: N, input: InputOf<N>): Promise<OutputOf<N>> {
    const reply = await this.application.dispatcher.invoke(name, input, { signal: this.signal })
    if (!reply.ok) throw new Error(reply.status.message ?? `${name} failed`)
    return reply.value as OutputOf<N>
  }

  subscribe<N extends SubscriptionName>(name: N, input: InputOf<N>): AsyncIterable<MessageOf<N>> {
    return this.application.dispatcher.subscribe(name, input, { signal: this.signal }) as AsyncIterable<MessageOf<N>>
  }

  async first<N extends SubscriptionName>(name: N, input: InputOf<N>, wanted: (message: MessageOf<N>) => boolean): Promise<MessageOf<N>> {
    for await (const message of this.subscribe(name, input)) if (wanted(message)) return message
    this.signal.throwIfAborted()
    throw new Error(`${name} ended`)
  }

  /** The cluster of the options, connected. @throws Error that says what to give, or why it cannot be reached */
  async cluster({ kubeconfig, context, twin }: TargetOptions): Promise<string> {
    if ((kubeconfig === undefined) === (twin === undefined)) throw new Error('give the cluster to work on: either --kubeconfig FILE or --twin SNAPSHOT')
    let id: string
    if (twin !== undefined) {
      const backup = await this.invoke('backups.import', { path: resolve(twin) })
      process.stderr.write(`drydock: making a twin of ${twin}\n`)
      id = (await this.invoke('backups.makeTwin', { id: backup.id, name: `Twin of ${basename(twin)}` })).clusterId
    } else {
      const clusters = await this.first('clusters.watch', {}, () => true)
      const own = clusters.filter(({ kind, source }) => kind === 'remote' && source === resolve(kubeconfig ?? ''))
      const found = context === undefined ? own[0] : own.find(({ name }) => name === context)
      if (found === undefined)
        throw new Error(
          context === undefined
            ? `${String(kubeconfig)} has no context`
            : `${String(kubeconfig)} has no context ${context}: it has ${own.map(({ name }) => name).join(', ') || 'none'}`,
        )
      ;({ id } = found)
    }
    await this.invoke('clusters.open', { clusterId: id })
    // A large twin does not answer in its first moments, with all of its nodes starting; it is there, so it will.
    const undecided = twin === undefined ? ['idle', 'connecting'] : ['idle', 'connecting', 'unreachable']
    const summaries = await this.first('clusters.watch', {}, (list) => list.some((each) => each.id === id && !undecided.includes(each.connection.state)))
    const { connection } = summaries.find((each) => each.id === id) ?? {}
    if (connection !== undefined && 'message' in connection) throw new Error(`the cluster cannot be used: ${connection.message}`)
    return id
  }

  /** Asks at the terminal; without one, `--yes` must have been given. */
  async confirm(question: string, { yes }: TargetOptions): Promise<void> {
    if (yes === true) return
    if (!process.stdin.isTTY) throw new Error('nothing was changed: give --yes, or run it at a terminal where it can ask')
    const lines = createInterface({ input: process.stdin, output: process.stderr })
    const answer = await lines.question(`${question} [y/N] `, { signal: this.signal })
    lines.close()
    if (!/^y(es)?$/i.test(answer.trim())) throw new Error('nothing was changed')
  }

  /**
   * Shows a run until it stops, or until the command is told to end, then writes its report.
   * Exit codes: 0 done, 1 failed for good (aborted), 3 stopped and waiting for a decision.
   */
  async follow(runId: string, options: TargetOptions): Promise<void> {
    const { report, output } = options
    const json = output === 'json'
    const told: Told = new Map()
    const progress = new Progress(this.#clock)
    let run: RunView | null = null
    for await (const view of this.subscribe('runbooks.watchOne', { runId })) {
      run = view
      if (!json) {
        for (const step of view.steps) tell(step, told)
        progress.tell(view)
      }
      if (STOPPED.has(view.state)) break
    }
    // It goes no further, as the application ends with the command.
    if (run !== null && !STOPPED.has(run.state)) {
      run = { ...run, state: 'interrupted' }
      process.stderr.write(`\ndrydock: ${this.signal.aborted ? (this.signal.reason as Error).message : 'the run is not followed any longer'}\n`)
    }
    if (!json && run?.state === 'interrupted') for (const { error } of run.steps) if (error !== '') process.stdout.write(`    stopped: ${error}\n`)
    if (report !== undefined) writeFileSync(report, (await this.invoke('runbooks.report', { runId })).markdown)
    if (json) process.stdout.write(`${JSON.stringify(run, null, 2)}\n`)
    else process.stdout.write(`\n${run?.title ?? runId}: ${run?.state ?? 'unknown'}\n`)
    if (run?.state === 'failed' || run?.state === 'interrupted' || run === null) {
      if (!json) process.stdout.write(goingOn(runId, options))
      process.exitCode = 3
    } else process.exitCode = run.state === 'done' ? 0 : 1
  }
}

/** A run in such a state does nothing more by itself. */
const STOPPED: ReadonlySet<RunView['state']> = new Set(['done', 'failed', 'aborted', 'interrupted'])
/** How often it is told how far a run has come. */
const PROGRESS_MS = 15_000

/** Tells now and then how far a run with many steps has come and how long it will still take, on standard error. */
class Progress {
  readonly #clock: Clock
  #toldMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#toldMs = clock.now()
  }

  tell({ state, steps }: RunView): void {
    const nowMs = this.#clock.now()
    if (state !== 'running' || nowMs - this.#toldMs < PROGRESS_MS) return
    this.#toldMs = nowMs
    const ended = steps.filter((step) => step.state === 'done' || step.state === 'skipped').length
    const leftMs = timeLeftMs(steps, nowMs)
    const left =
      leftMs === null ? '' : `, about ${leftMs < 90_000 ? `${String(Math.round(leftMs / 1000))} s` : `${String(Math.round(leftMs / 60_000))} min`} left`
    process.stderr.write(`drydock: ${String(ended)} of ${String(steps.length)} steps done${left}\n`)
  }
}

/** What was told of each step, and as which view: of thousands hardly any is another one than last time. */
type Told = Map<string, { step: StepView; lines: number }>

function tell(step: StepView, told: Told): void {
  const before = told.get(step.id)
  if (before?.step === step) return
  const { state, waitingFor } = before?.step ?? { state: 'pending', waitingFor: '' }
  if (step.state === 'running' && state !== 'running') process.stdout.write(`\n==> ${step.title}\n`)
  for (const { text } of step.log.slice(before?.lines ?? 0)) process.stdout.write(`    ${text}\n`)
  if (step.waitingFor !== '' && step.waitingFor !== waitingFor) process.stdout.write(`    … waiting for ${step.waitingFor}\n`)
  if (step.state !== state && step.state !== 'running' && step.state !== 'pending')
    process.stdout.write(
      `    ${step.state}${step.error === '' ? '' : `: ${step.error}`}${step.spells.length === 0 || step.endedAtMs === null ? '' : ` (${(workedMs(step.spells, step.endedAtMs) / 1000).toFixed(1)} s)`}\n`,
    )
  told.set(step.id, { step, lines: step.log.length })
}
