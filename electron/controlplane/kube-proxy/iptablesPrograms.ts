import { listedRule } from '#shared/planning/kube-proxy/listedRule.ts'
import { savedTables, saveText, type SavedTable } from '#shared/planning/kube-proxy/savedRules.ts'
import type { NodeRules } from './nodeRules.ts'

// The shape of the kubelet room's programs, as far as these need it.
interface ProgramContext {
  args: string[]
  out(text: string): void
  err(text: string): void
  signal: AbortSignal
}
type Program = (context: ProgramContext) => Promise<number>

const TABLES = ['filter', 'nat'] as const
const VERSION = 'iptables v1.8.9 (nf_tables)'
const CHANGING = ['-A', '-D', '-F', '-I', '-N', '-P', '-R', '-X', '-Z']

/** `iptables-save` and `iptables -S|-L` of a simulated node: what kube-proxy's rules are there. Nothing changes them but kube-proxy. */
export function iptablesPrograms(rules: NodeRules): [string, Program][] {
  return [
    ['iptables-save', (context) => save(context, rules)],
    ['iptables', (context) => show(context, rules)],
  ]
}

async function tablesOf(rules: NodeRules, signal: AbortSignal): Promise<SavedTable[]> {
  const current = await rules.current(signal)
  return savedTables(current?.rules ?? null, current?.minor ?? 0)
}

function valueOf(args: readonly string[], ...names: string[]): string | undefined {
  const at = args.findIndex((arg) => names.includes(arg))
  return at < 0 ? args.find((arg) => names.some((name) => arg.startsWith(`${name}=`)))?.replace(/^[^=]*=/, '') : args[at + 1]
}

async function save({ args, out, err, signal }: ProgramContext, rules: NodeRules): Promise<number> {
  const asked = valueOf(args, '-t', '--table')
  if (asked !== undefined && !TABLES.some((name) => name === asked)) return refuse(err, asked)
  const tables = await tablesOf(rules, signal)
  for (const table of tables) if (asked === undefined || asked === table.name) out(saveText([table]))
  return 0
}

function refuse(err: (text: string) => void, table: string): number {
  err(`iptables: can't initialize iptables table \`${table}': simulated nodes have filter and nat\n`)
  return 3
}

async function show(context: ProgramContext, rules: NodeRules): Promise<number> {
  const { args, out, err, signal } = context
  const words = args.flatMap((arg) => (/^-[a-zA-Z]{2,}$/.test(arg) ? [...arg.slice(1)].map((letter) => `-${letter}`) : [arg]))
  if (words.includes('-V') || words.includes('--version')) return (out(`${VERSION}\n`), 0)
  const name = valueOf(words, '-t', '--table') ?? 'filter'
  if (!TABLES.some((each) => each === name)) return refuse(err, name)
  const action = words.findIndex((word) => ['-S', '--list-rules', '-L', '--list'].includes(word))
  if (action < 0) {
    const change = words.find((word) => CHANGING.includes(word))
    err(
      change === undefined
        ? `${VERSION}: no command specified: on simulated nodes -S and -L work\n`
        : `iptables: ${change} does not work on simulated nodes: only kube-proxy writes their rules\n`,
    )
    return 2
  }
  const next = words[action + 1]
  const chain = next === undefined || next.startsWith('-') ? undefined : next
  const table = (await tablesOf(rules, signal)).find((each) => each.name === name)
  const chains = (table?.chains ?? []).filter((each) => chain === undefined || each.name === chain)
  if (chains.length === 0) return (err('iptables: No chain/target/match by that name.\n'), 1)
  if (words[action] === '-S' || words[action] === '--list-rules') {
    for (const each of chains) out(`${each.policy === null ? `-N ${each.name}` : `-P ${each.name} ${each.policy}`}\n`)
    for (const { rules: lines } of chains) for (const line of lines) out(`${line}\n`)
    return 0
  }
  list(table, chains, { out, numbered: words.includes('--line-numbers') })
  return 0
}

/** `iptables -n -L`'s columns. */
function list(table: SavedTable | undefined, chains: SavedTable['chains'], { out, numbered }: { out: (text: string) => void; numbered: boolean }): void {
  const referred = (name: string): number =>
    (table?.chains ?? []).reduce((sum, each) => sum + each.rules.filter((rule) => / -j (\S+)/.exec(rule)?.[1] === name).length, 0)
  const number = (text: string): string => (numbered ? text.padEnd(5) : '')
  for (const [index, { name, policy, rules }] of chains.entries()) {
    if (index > 0) out('\n')
    out(`Chain ${name} (${policy === null ? `${String(referred(name))} references` : `policy ${policy}`})\n`)
    out(`${number('num')}target     prot opt source               destination         \n`)
    for (const [line, rule] of rules.entries()) out(`${number(String(line + 1))}${listedRule(rule)}\n`)
  }
}
