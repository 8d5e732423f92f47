import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { RunView } from '#shared/contract/runbooks.ts'
import { runProgram, type CommandResult } from '../peers.ts'
import { cli, type RunningCluster } from '../runningCluster.ts'
import type { CuttingProxy } from './cuttingProxy.ts'

const preload = fileURLToPath(new URL('./killAtJournal.ts', import.meta.url))
/** A run that is gone on with more often than this will never end. */
const MOST_RESUMES = 60
/** Of 4 KiB, in the disk of `runOnFullDisk`. */
const TMPFS_PAGES = 256
const NODE_OPTIONS = ['--disable-warning=ExperimentalWarning']
export interface CutRun {
  code: number
  output: string
  /** Times it stopped and was gone on with. */
  resumed: number
  /** By a step's title. */
  cuts: Record<string, number>
  run: RunView | undefined
}

/** What leads to a cluster and its nodes. */
export type ReachedCluster = Pick<RunningCluster, 'kubeconfig' | 'ssh' | 'sshKey'>

/** The `drydock` command for a cluster that is another process, as for one on other machines. */
export class Drydock {
  readonly #cluster: ReachedCluster
  readonly #directory: string
  readonly #environment: Record<string, string>

  /**
   * @param sshPort another way to the nodes' SSH, e.g. through something that cuts it
   * @param hostKey type and key in known_hosts, where it is not the nodes' own
   * @param user who logs in @default named as the node is
   */
  constructor(
    cluster: ReachedCluster,
    directory: string,
    options: { nodes: readonly string[]; sshPort?: number; hostKey?: string; user?: string; environment?: Record<string, string> },
  ) {
    this.#cluster = cluster
    this.#directory = directory
    this.#environment = options.environment ?? {}
    mkdirSync(directory, { recursive: true })
    const port = options.sshPort ?? Number(cluster.ssh.split(':').at(-1))
    const knownHosts = join(directory, 'known_hosts')
    const hostKey = options.hostKey ?? readFileSync(join(cluster.sshKey, '../host_ed25519.pub'), 'utf8').split(' ').slice(0, 2).join(' ')
    writeFileSync(knownHosts, `[127.0.0.1]:${String(port)} ${hostKey}\n`)
    writeFileSync(
      join(directory, 'ssh_config'),
      options.nodes
        .map(
          (node) =>
            `Host ${node}\n  HostName 127.0.0.1\n  Port ${String(port)}\n  User ${options.user ?? node}\n  IdentityFile ${cluster.sshKey}\n  UserKnownHostsFile ${knownHosts}\n  IdentityAgent none\n`,
        )
        .join(''),
    )
  }

  run(args: string[], { kills, input }: { kills?: string; input?: string } = {}): Promise<CommandResult> {
    const loaded = kills === undefined ? [] : ['--import', preload]
    return runProgram(process.execPath, [...NODE_OPTIONS, ...loaded, cli, ...args, ...this.#target], {
      timeoutMs: 600_000,
      ...(input === undefined ? {} : { input }),
      env: { ...this.#environment, ...(kills === undefined ? {} : { DRYDOCK_TEST_KILLS: kills }) },
    })
  }

  get #target(): string[] {
    return ['--kubeconfig', this.#cluster.kubeconfig, '--ssh-config', join(this.#directory, 'ssh_config'), '--data-dir', join(this.#directory, 'data')]
  }

  /**
   * Starts a run with a command whose SSH goes through the proxy, has connections cut in each step as often as is said, and goes on with
   * it by hand for as long as it stops.
   * @returns cuts by step; a step without one made no connection that lived long enough
   */
  async runCut(args: string[], { proxy, cutsInStep }: { proxy: CuttingProxy; cutsInStep: number }): Promise<CutRun> {
    const cut: CutRun = { code: 3, output: '', resumed: -1, cuts: {}, run: undefined }
    for (let given = args; cut.code === 3 && cut.resumed < MOST_RESUMES; given = ['runbook', 'resume', cut.run?.id ?? '']) {
      const child = spawn(process.execPath, [...NODE_OPTIONS, cli, ...given, ...this.#target], { stdio: ['ignore', 'pipe', 'pipe'] })
      child.stderr.on('data', (bytes: Buffer) => (cut.output += bytes.toString()))
      const ended = once(child, 'exit')
      let step = ''
      let before = proxy.cuts
      for await (const line of createInterface({ input: child.stdout })) {
        cut.output += `${line}\n`
        const title = /^==> (.*)$/.exec(line)?.[1]
        if (title === undefined) continue
        if (step !== '') cut.cuts[step] = (cut.cuts[step] ?? 0) + proxy.cuts - before
        before = proxy.cuts
        step = title
        // A step that was cut already is let through when it is tried again.
        proxy.arm(Math.max(0, cutsInStep - (cut.cuts[title] ?? 0)))
      }
      if (step !== '') cut.cuts[step] = (cut.cuts[step] ?? 0) + proxy.cuts - before
      proxy.arm(0)
      cut.code = ((await ended) as [number | null])[0] ?? 1
      cut.resumed += 1
      cut.run = (await this.runs())[0]
    }
    return cut
  }

  /**
   * Starts a run with a data directory on a disk that becomes full, makes room when it has stopped, and goes on with it. The disk is a
   * tmpfs of a mount namespace, so all of it happens in one.
   * @param pagesLeft pages of 4 KiB that are free at first
   */
  async runOnFullDisk(
    args: string[],
    { pagesLeft, settings }: { pagesLeft: number; settings: object },
  ): Promise<{ first: CommandResult; second: CommandResult }> {
    const [data, results] = [join(this.#directory, 'data'), join(this.#directory, 'results')]
    for (const each of [data, results]) mkdirSync(each, { recursive: true })
    const script = `data=$1; results=$2; settings=$3; filler=$4; shift 4
mount -t tmpfs -o size=1m tmpfs "$data"
printf %s "$settings" > "$data/settings.json"
dd if=/dev/zero of="$data/filler" bs=4k count="$filler" 2> /dev/null
"$@" ${[...args, ...this.#target].join(' ')} > "$results/1.out" 2> "$results/1.err"; echo $? > "$results/1.code"
rm "$data/filler"
"$@" runbook resume "$(basename "$data"/runs/*.jsonl .jsonl)" ${this.#target.join(' ')} > "$results/2.out" 2> "$results/2.err"; echo $? > "$results/2.code"`
    const { stderr } = await runProgram(
      'unshare',
      ['-rm', 'sh', '-c', script, 'sh', data, results, JSON.stringify(settings), String(TMPFS_PAGES - pagesLeft), process.execPath, ...NODE_OPTIONS, cli],
      { timeoutMs: 600_000 },
    )
    if (stderr !== '') throw new Error(stderr)
    const of = (which: string): CommandResult => {
      const text = (name: string): string => readFileSync(join(results, `${which}.${name}`), 'utf8')
      return { code: Number(text('code')), stdout: text('out'), stderr: text('err') }
    }
    return { first: of('1'), second: of('2') }
  }

  /** Runs a command and does something as soon as it has said a line; the process goes on meanwhile unless it is stopped. */
  async runUntil(args: string[], { line: wanted, then }: { line: RegExp; then: (command: ChildProcess) => Promise<void> }): Promise<CommandResult> {
    const child = spawn(process.execPath, [...NODE_OPTIONS, cli, ...args, ...this.#target], { stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
    const ended = once(child, 'exit')
    for await (const line of createInterface({ input: child.stdout })) {
      stdout += `${line}\n`
      if (wanted.test(line)) await then(child)
    }
    return { code: ((await ended) as [number | null])[0] ?? 1, stdout, stderr }
  }

  async runs(): Promise<RunView[]> {
    const { stdout, stderr } = await this.run(['runbook', 'list', '-o', 'json'])
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout) as RunView[]
  }

  /** Starts a run with a command and goes on with it until it has been killed at every place. @returns the places, in their order */
  async runKilled(args: string[]): Promise<{ places: string[]; last: CommandResult; run: RunView | undefined }> {
    const kills = join(this.#directory, 'kills.txt')
    const killed = (): string[] => (existsSync(kills) ? readFileSync(kills, 'utf8').trim().split('\n') : [])
    let last = await this.run(args, { kills })
    const [{ id } = { id: '' }] = await this.runs()
    for (let before = -1; killed().length > before;) {
      before = killed().length
      last = await this.run(['runbook', 'resume', id], { kills })
    }
    return { places: killed(), last, run: (await this.runs())[0] }
  }
}
