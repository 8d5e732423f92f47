/** Chains with rules of many Services, which come in the order of a Go map: only each one's rules keep an order. */
const SHARED = new Set(['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS'])

/**
 * A text for iptables-restore in an order that can be compared: chains sorted, the rules of a chain in their own order, those of shared
 * chains sorted. Counters, and chains that are only named to delete them, are left out; the rule of node ports must be the last.
 */
export function comparable(text: string): string {
  const lines = text.split('\n')
  const result: string[] = []
  let table = ''
  const gone = new Set(lines.filter((line) => line.startsWith('-X ')).map((line) => line.slice(3)))
  const rules = new Map<string, string[]>()
  const chains: string[] = []
  for (const line of lines) {
    if (line.startsWith('*')) table = line.slice(1)
    else if (line.startsWith(':')) {
      const name = line.slice(1).split(' ')[0] ?? ''
      if (!gone.has(name)) chains.push(`${table} ${name}`)
    } else if (line.startsWith('-A ')) {
      const chain = line.split(' ')[1] ?? ''
      rules.set(`${table} ${chain}`, [...(rules.get(`${table} ${chain}`) ?? []), line])
    }
  }
  result.push(...chains.sort().map((chain) => `:${chain}`))
  for (const [chain, own] of [...rules].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const last = own.at(-1) ?? ''
    const sorted = SHARED.has(chain.split(' ')[1] ?? '') ? own.toSorted() : own
    result.push(`# ${chain}`, ...sorted, ...(chain === 'nat KUBE-SERVICES' ? [`last: ${last}`] : []))
  }
  return result.join('\n')
}
