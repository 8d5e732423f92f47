import { existsSync, readFileSync } from 'node:fs'
import type { DnsRecord, DnsType, ProcessContext, Program } from './process.ts'

const TYPES: ReadonlySet<string> = new Set<DnsType>(['A', 'CNAME', 'PTR', 'SRV', 'TXT'])
const DEFAULT_NDOTS = 1

interface Resolver {
  server: string
  searches: string[]
  ndots: number
}

/** As `/etc/resolv.conf` says. */
function resolverOf({ files }: ProcessContext): Resolver {
  const host = files.host('/etc/resolv.conf')
  const lines = (existsSync(host) ? readFileSync(host, 'utf8') : '').split('\n').map((line) => line.trim().split(/\s+/))
  const words = (first: string): string[] => lines.filter(([word]) => word === first).flatMap(([, ...rest]) => rest)
  const ndots = words('options').find((option) => option.startsWith('ndots:'))
  return { server: words('nameserver')[0] ?? '127.0.0.1', searches: words('search'), ndots: ndots === undefined ? DEFAULT_NDOTS : Number(ndots.slice(6)) }
}

/** The full names that are asked for one after the other. */
function candidates(name: string, { searches, ndots }: Resolver): string[] {
  if (name.endsWith('.')) return [name]
  const inSearch = searches.map((domain) => `${name}.${domain}.`)
  return name.split('.').length - 1 >= ndots ? [`${name}.`, ...inSearch] : [...inSearch, `${name}.`]
}

async function lookup(context: ProcessContext, names: readonly string[], type: DnsType): Promise<{ name: string; records: DnsRecord[] }> {
  for (const name of names) {
    const records = await context.network.lookup(name, type, context.signal)
    if (records.length > 0) return { name, records }
  }
  return { name: names.at(-1) ?? '', records: [] }
}

/** `dig [@server] [+options] name [type]`, and `-x address`. */
const dig: Program = async (context) => {
  const { args, out, err } = context
  const options = new Set(args.filter((arg) => arg.startsWith('+')).map((arg) => arg.slice(1)))
  const words = args.filter((arg, index) => !/^[+@]/.test(arg) && !arg.startsWith('-') && args[index - 1] !== '-x' && arg !== 'IN')
  const reversed = args.includes('-x') ? (args[args.indexOf('-x') + 1] ?? '') : null
  const type = reversed === null ? (words.find((word) => TYPES.has(word.toUpperCase()) || word.toUpperCase() === 'AAAA')?.toUpperCase() ?? 'A') : 'PTR'
  const name = reversed === null ? words.find((word) => word.toUpperCase() !== type) : `${reversed.split('.').reverse().join('.')}.in-addr.arpa.`
  if (name === undefined) return (err('dig: no name to look up\n'), 1)
  const resolver = resolverOf(context)
  const names = options.has('search') ? candidates(name, resolver) : [name.endsWith('.') ? name : `${name}.`]
  const asked = TYPES.has(type) ? await lookup(context, names, type as DnsType) : { name: names[0] ?? '', records: [] }
  const lines = asked.records.map((record) => `${record.name}\t${String(record.ttlSeconds)}\tIN\t${record.type}\t${record.data}\n`).join('')
  if (options.has('short')) out(asked.records.map(({ data }) => `${data}\n`).join(''))
  else if (options.has('noall')) out(options.has('answer') ? lines : '')
  else {
    const status = asked.records.length > 0 ? 'NOERROR' : 'NXDOMAIN'
    out(`\n; <<>> DiG <<>> ${args.join(' ')}\n;; ->>HEADER<<- opcode: QUERY, status: ${status}, id: 1\n`)
    out(
      `\n;; QUESTION SECTION:\n;${asked.name}\t\tIN\t${type}\n\n${lines === '' ? '' : `;; ANSWER SECTION:\n${lines}\n`};; SERVER: ${resolver.server}#53(${resolver.server})\n`,
    )
  }
  return 0
}

const nslookup: Program = async (context) => {
  const { args, out } = context
  const [name = ''] = args.filter((arg) => !arg.startsWith('-'))
  const resolver = resolverOf(context)
  const { name: full, records } = await lookup(context, candidates(name, resolver), 'A')
  out(`Server:\t\t${resolver.server}\nAddress:\t${resolver.server}#53\n\n`)
  const plain = full.replace(/\.$/, '')
  if (records.length === 0) return (out(`** server can't find ${name}: NXDOMAIN\n\n`), 1)
  for (const { type, data } of records) out(type === 'CNAME' ? `${plain}\tcanonical name = ${data}\n` : `Name:\t${plain}\nAddress: ${data}\n`)
  out('\n')
  return 0
}

/** The lines of `/etc/hosts` first, then the DNS. */
const getent: Program = async (context) => {
  const [database, name = ''] = context.args
  if (database !== 'hosts' && database !== 'ahosts') return 1
  const host = context.files.host('/etc/hosts')
  const line = (existsSync(host) ? readFileSync(host, 'utf8') : '')
    .split('\n')
    .map((text) => text.replace(/#.*/, '').trim().split(/\s+/))
    .find(([address, ...names]) => names.includes(name) && address !== undefined && !address.includes(':'))
  if (line !== undefined) {
    const [address = '', ...names] = line
    context.out(`${address.padEnd(15)} ${names.join(' ')}\n`)
    return 0
  }
  const addresses = await context.network.resolve(name, context.signal)
  for (const address of addresses) context.out(`${address.padEnd(15)} ${name}\n`)
  return addresses.length > 0 ? 0 : 2
}

/** Programs that ask the cluster's DNS. */
export const dnsPrograms: ReadonlyMap<string, Program> = new Map<string, Program>([
  ['dig', dig],
  ['nslookup', nslookup],
  ['getent', getent],
])
