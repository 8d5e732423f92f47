import type { StepContext } from '../runbook.ts'
import { ConnectionCut, type CommandOutcome, type NodeShell, type NodeShellFactory } from './nodeShell.ts'
import { quote } from './shellWord.ts'

/** Where a node keeps what runbooks ran on it: a folder for each command, so that none is run twice. */
const LEDGER = '/var/lib/drydock/runs'
/** Pause between looks at a command that runs. */
const POLL_MS = 300
/** How long a lost connection is made anew before the step fails; the command runs on meanwhile. */
const RECONNECT_MS = 90_000
const RECONNECT_PAUSE_MS = 2_000
/** Lines of a failed command that its error repeats. */
const LAST_LINES = 3
/** Taken on the node's disk before a command starts: what it says, and how it ends, is kept there. */
const ROOM_BYTES = 64 * 1024
/** What programs say of a disk without room; a shell's own `echo` says it in other words. */
const NO_ROOM = /[Nn]o space left on device/

/**
 * Runs commands on a node as root, in order, each exactly once for the run: a command is a unit of systemd's own, so it goes on
 * when the connection or Drydock ends, and who comes back finds it running or finds how it ended.
 * A command whose failure was told is run anew when its step is tried again.
 * @throws when one exits non-zero, with the last lines it said; when the node stays out of reach; when its disk is full: nothing was begun then
 */
export async function runOnNode(shells: NodeShellFactory, node: string, commands: readonly string[], context: StepContext): Promise<void> {
  const connection = new Reconnecting(shells, node, context)
  try {
    for (const [index, command] of commands.entries())
      await runOnce(connection, { node, command, folder: `${LEDGER}/${context.runId}/${fileName(context.stepId)}-${String(index + 1)}` }, context)
  } finally {
    connection.close()
  }
}

const fileName = (text: string): string => text.replaceAll(/[^a-zA-Z0-9.-]+/g, '_')
const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''

interface Once {
  node: string
  command: string
  folder: string
}

async function runOnce(connection: Reconnecting, { node, command, folder }: Once, context: StepContext): Promise<void> {
  const { signal, clock, log } = context
  const unit = `drydock-${fileName(folder.slice(LEDGER.length + 1))}`
  const begun = await connection.run(beginScript({ command, folder, unit }), { signal })
  const answer = begun.stdout.trim().split('\n').at(-1) ?? ''
  if (answer === 'no-systemd') throw new Error(`${node} has no systemd-run: Drydock runs commands on nodes as units of systemd. Nothing was run there`)
  if (begun.exitCode !== 0 && NO_ROOM.test(begun.stderr))
    throw new Error(
      `the disk of ${LEDGER} on ${node} is full (${lastLine(begun.stderr)}), and what a command says and how it ends is kept there. «${command}» was not run; what ran before stands`,
    )
  if (begun.exitCode !== 0 || !['began', 'known'].includes(answer))
    throw new Error(`${node}: «${command}» could not be started: ${(begun.stderr || begun.stdout).trim()}`)
  log(answer === 'began' ? `${node}# ${command}` : `${node}# ${command} (begun before; not run again)`)
  const output = new Followed(log)
  for (;;) {
    const look = await connection.run(lookScript({ folder, unit, from: output.bytes + 1 }), { signal })
    const [head = '', ...body] = look.stdout.split('\n')
    const state = /^drydock (\w+)$/.exec(head)?.[1] ?? ''
    output.push(body.join('\n'))
    const full = NO_ROOM.test(look.stderr) ? `. The disk of ${LEDGER} on ${node} is full (${lastLine(look.stderr)})` : ''
    if (/^\d+$/.test(state)) {
      output.end()
      if (state === '0') return
      throw new Error(
        `«${command}» on ${node} ended with exit code ${state}: ${output.last(LAST_LINES) || 'it said nothing'}${full === '' ? '' : `${full}: what it said may be cut short`}`,
      )
    }
    if (state === 'lost')
      throw new Error(
        full === ''
          ? `«${command}» on ${node} was cut off, and how far it came is not known (was the node restarted?). Look at the node, then retry: it is run anew`
          : `«${command}» on ${node} has ended, and how is not known, as it could not be written down${full}. Look at the node: the command is run anew on retry`,
      )
    if (state !== 'running')
      throw new Error(`${node}: how «${command}» stands cannot be read: ${lastLine(look.stderr) || `exit code ${String(look.exitCode)}`}`)
    await clock.sleep(POLL_MS, { signal })
  }
}

/**
 * Starts the command unless its folder is there: `mkdir` decides between two who try. A unit that never came to its first line
 * is started again; one whose failure was told is put aside, when its unit has come to its last line too. Room on the disk is taken first and given back when the command has ended, so that
 * its end can be written down whatever it has filled; a script that is not there whole is never run.
 */
function beginScript({ command, folder, unit }: { command: string; folder: string; unit: string }): string {
  const script = `export DEBIAN_FRONTEND=noninteractive; true > ${folder}/began || exit 1; ( ${command} ) > ${folder}/output 2>&1; code=$?; rm -f ${folder}/room; echo $code > ${folder}/code.part && mv ${folder}/code.part ${folder}/code`
  return `mkdir -p ${LEDGER} && chmod 700 ${LEDGER} || exit 1
if [ -e ${folder}/told ]; then
  while systemctl is-active ${unit} > /dev/null 2>&1; do sleep 1; done
  mv ${folder} ${folder}.$(date +%s)
fi
mkdir -p ${folder} || exit 1
if [ -e ${folder}/began ]; then echo known
elif systemctl is-active ${unit} > /dev/null 2>&1; then echo known
else
  head -c ${String(ROOM_BYTES)} /dev/zero > ${folder}/room || { rm -f ${folder}/room; exit 1; }
  printf '%s\\n' ${quote(script)} > ${folder}/script.part && mv ${folder}/script.part ${folder}/script || exit 1
  systemd-run --quiet --collect --unit=${unit} sh ${folder}/script
  started=$?
  if [ $started -eq 0 ]; then echo began
  elif [ $started -eq 127 ]; then echo no-systemd
  else exit $started
  fi
fi`
}

/** Its first line tells how the command stands, the rest is output that was not told yet. What has failed is marked as told, and whether the disk has room is tried. */
function lookScript({ folder, unit, from }: { folder: string; unit: string; from: number }): string {
  return `state=running
if [ ! -e ${folder}/code ]; then
  systemctl is-active ${unit} > /dev/null 2>&1 || state=lost
fi
if [ -e ${folder}/code ]; then state=$(cat ${folder}/code); fi
if [ $state != running ]; then
  if [ $state != 0 ]; then true > ${folder}/told; head -c 4096 /dev/zero > ${folder}/room; rm -f ${folder}/room; fi
fi
echo "drydock $state"
if [ -e ${folder}/output ]; then tail -c +${String(from)} ${folder}/output; fi`
}

/** Output as it grows, told line by line. */
class Followed {
  bytes = 0
  readonly #log: (line: string) => void
  readonly #lines: string[] = []
  #partial = ''

  constructor(log: (line: string) => void) {
    this.#log = log
  }

  push(text: string): void {
    this.bytes += Buffer.byteLength(text)
    const lines = (this.#partial + text).split('\n')
    this.#partial = lines.pop() ?? ''
    for (const line of lines) this.#tell(line)
  }

  end(): void {
    if (this.#partial !== '') this.#tell(this.#partial)
  }

  last(count: number): string {
    return this.#lines.slice(-count).join(' / ')
  }

  /** Of what was written over at a terminal, such as apt's progress, the last stands. */
  #tell(line: string): void {
    const text = line.trimEnd().split('\r').at(-1) ?? ''
    if (text.trim() === '') return
    this.#lines.push(text)
    this.#log(text)
  }
}

/** A shell that is opened again when its connection is cut. */
class Reconnecting {
  readonly #shells: NodeShellFactory
  readonly #node: string
  readonly #context: StepContext
  #shell: NodeShell | null = null

  constructor(shells: NodeShellFactory, node: string, context: StepContext) {
    this.#shells = shells
    this.#node = node
    this.#context = context
  }

  /** For scripts that may be run twice: after a cut it is not known whether the first one was. */
  async run(command: string, options: { signal: AbortSignal }): Promise<CommandOutcome> {
    const { clock, log, signal, waitFor } = this.#context
    let lostAtMs: number | null = null
    for (;;) {
      try {
        this.#shell ??= await this.#shells(this.#node, { signal })
        const outcome = await this.#shell.run(command, options)
        if (lostAtMs !== null) {
          log(`connected to ${this.#node} again`)
          waitFor('')
        }
        return outcome
      } catch (error) {
        signal.throwIfAborted()
        // A node that refuses at first refuses for a reason that waiting does not change.
        if (this.#shell === null && lostAtMs === null && !(error instanceof ConnectionCut)) throw error
        this.close()
        if (lostAtMs === null)
          log(`the connection to ${this.#node} was lost (${error instanceof Error ? error.message : String(error)}); what runs there goes on`)
        lostAtMs ??= clock.now()
        if (clock.now() - lostAtMs > RECONNECT_MS) throw error
        waitFor(`${this.#node} to answer SSH again`)
        await clock.sleep(RECONNECT_PAUSE_MS, { signal })
      }
    }
  }

  close(): void {
    this.#shell?.close()
    this.#shell = null
  }
}
