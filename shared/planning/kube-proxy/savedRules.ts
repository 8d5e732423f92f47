import { ipv4Range } from './ipv4.ts'
import type { ProxyRules } from './proxyRules.ts'
import type { RuleTable } from './ruleTable.ts'

/** A table of the kernel as iptables-save prints it: every chain with its rules, the built-in ones first. */
export interface SavedTable {
  name: 'filter' | 'nat'
  chains: { name: string; policy: 'ACCEPT' | null; rules: string[] }[]
}

type Jump = { table: 'filter' | 'nat'; from: string; to: string; comment: string; onlyNew: boolean }

const BUILT_IN = { filter: ['INPUT', 'FORWARD', 'OUTPUT'], nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'] } as const
const FIRST_WITH_FIREWALL = 24
/** The statistic match counts in parts of 2^31. */
const WHOLE_CHANCE = 2 ** 31

const jumpOf = (table: 'filter' | 'nat', from: string, to: string, comment: string, onlyNew = false): Jump => ({ table, from, to, comment, onlyNew })

/** The rules that lead from the kernel's chains to kube-proxy's, in the order in which it puts each before all others. */
function jumps(minor: number): Jump[] {
  const portals = 'kubernetes service portals'
  const visible = 'kubernetes externally-visible service portals'
  const guard = 'kubernetes load balancer firewall'
  const later = minor < FIRST_WITH_FIREWALL ? [] : [jumpOf('filter', 'INPUT', 'KUBE-NODEPORTS', 'kubernetes health check service ports')]
  return [
    jumpOf('filter', 'INPUT', 'KUBE-EXTERNAL-SERVICES', visible, true),
    jumpOf('filter', 'FORWARD', 'KUBE-EXTERNAL-SERVICES', visible, true),
    ...later,
    jumpOf('filter', 'FORWARD', 'KUBE-SERVICES', portals, true),
    jumpOf('filter', 'OUTPUT', 'KUBE-SERVICES', portals, true),
    jumpOf('filter', 'FORWARD', 'KUBE-FORWARD', 'kubernetes forwarding rules'),
    ...(minor < FIRST_WITH_FIREWALL ? [] : ['INPUT', 'OUTPUT', 'FORWARD'].map((from) => jumpOf('filter', from, 'KUBE-PROXY-FIREWALL', guard, true))),
    jumpOf('nat', 'OUTPUT', 'KUBE-SERVICES', portals),
    jumpOf('nat', 'PREROUTING', 'KUBE-SERVICES', portals),
    jumpOf('nat', 'POSTROUTING', 'KUBE-POSTROUTING', 'kubernetes postrouting rules'),
    ...(minor < FIRST_WITH_FIREWALL ? [] : ['INPUT', 'OUTPUT'].map((from) => jumpOf('filter', from, 'KUBE-FIREWALL', ''))),
  ]
}

/** What a node's kernel has once kube-proxy of a release gave it these rules; without them, what it begins with. */
export function savedTables(rules: ProxyRules | null, minor: number): SavedTable[] {
  return (['filter', 'nat'] as const).map((name) => {
    const table = rules?.[name]
    const own = new Map<string, string[]>(BUILT_IN[name].map((chain) => [chain, []]))
    const more = table === undefined ? [] : [...table.chains, ...(name === 'nat' && minor < FIRST_WITH_FIREWALL ? ['KUBE-MARK-DROP'] : [])]
    for (const chain of [...new Set(more)].sort()) own.set(chain, [])
    if (table !== undefined) {
      for (const jump of jumps(minor)) if (jump.table === name) own.get(jump.from)?.unshift(jumpRule(jump))
      fill(own, table)
    }
    const builtIn: readonly string[] = BUILT_IN[name]
    return { name, chains: [...own].map(([chain, list]) => ({ name: chain, policy: builtIn.includes(chain) ? ('ACCEPT' as const) : null, rules: list })) }
  })
}

function fill(chains: Map<string, string[]>, table: RuleTable): void {
  for (const rule of table.rules) chains.get(rule.split(' ')[1] ?? '')?.push(savedRule(rule))
  // The kubelet's.
  chains.get('KUBE-MARK-DROP')?.push('-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000')
}

function jumpRule({ from, to, comment, onlyNew }: Jump): string {
  const about = comment === '' ? '' : ` -m comment --comment "${comment}"`
  return `-A ${from}${onlyNew ? ' -m conntrack --ctstate NEW' : ''}${about} -j ${to}`
}

/** `iptables-save`'s text of tables. */
export function saveText(tables: readonly SavedTable[]): string {
  return tables
    .map(({ name, chains }) =>
      [`*${name}`, ...chains.map(({ name: chain, policy }) => `:${chain} ${policy ?? '-'} [0:0]`), ...chains.flatMap(({ rules }) => rules), 'COMMIT', ''].join(
        '\n',
      ),
    )
    .join('')
}

/** A rule as it is given to iptables-restore, in the form and order in which iptables tells it. */
export function savedRule(rule: string): string {
  const words = rule.match(/"[^"]*"|\S+/g) ?? []
  const [, chain = ''] = words
  const header = new Map<string, string>()
  const matches: string[][] = []
  let target: string[] = []
  for (let at = 2; at < words.length; at++) {
    const not = words[at] === '!'
    if (not) at++
    const word = words[at] ?? ''
    const value = words[at + 1] ?? ''
    if (word === '-j') {
      target = words.slice(at)
      break
    }
    if (word === '-m') matches.push(['-m', value])
    if (word === '-s' || word === '-d' || word === '-p') {
      header.set(word, `${not ? '! ' : ''}${word} ${word === '-p' ? value : networkOf(value)}`)
    }
    if (word.startsWith('-') && !word.startsWith('--')) {
      at++
      continue
    }
    matches.at(-1)?.push(...(not ? ['!'] : []), word)
  }
  const parts = ['-s', '-d', '-p'].flatMap((word) => header.get(word) ?? [])
  return [`-A ${chain}`, ...parts, ...matches.flatMap(savedMatch), ...savedTarget(target)].join(' ')
}

const networkOf = (text: string): string => (ipv4Range(text.includes('/') ? text : `${text}/32`) ?? text).toString()
const hex = (text: string): string => `0x${Number(text).toString(16)}`

function savedMatch([, name = '', ...options]: string[]): string[] {
  const after = (option: string): string => options[options.indexOf(option) + 1] ?? ''
  switch (name) {
    case 'comment':
      return ['-m comment --comment', `"${after('--comment').replaceAll('"', '')}"`]
    case 'mark':
      return ['-m mark', ...(options[0] === '!' ? ['!'] : []), '--mark', after('--mark').split('/').map(hex).join('/')]
    case 'statistic':
      return ['-m statistic --mode random --probability', (Math.round(Number(after('--probability')) * WHOLE_CHANCE) / WHOLE_CHANCE).toFixed(11)]
    case 'recent': {
      const rest = options.filter((word, index) => word !== '--name' && options[index - 1] !== '--name')
      return ['-m recent', ...rest, '--name', after('--name'), '--mask 255.255.255.255 --rsource']
    }
    default:
      return [`-m ${name}`, ...options]
  }
}

function savedTarget(words: readonly string[]): string[] {
  const [, target, option, value = ''] = words
  if (target === 'REJECT') return ['-j REJECT --reject-with icmp-port-unreachable']
  if (target === 'MARK' && option === '--xor-mark') return [`-j MARK --set-xmark ${hex(value)}/0x0`]
  if (target === 'MARK' && option === '--or-mark') return [`-j MARK --set-xmark ${hex(value)}/${hex(value)}`]
  return [...words]
}
