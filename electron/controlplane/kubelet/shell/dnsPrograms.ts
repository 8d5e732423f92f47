import { existsSync, readFileSync } from 'node:fs'
import { recordText, type DnsAnswer, type DnsRecord, type DnsType } from '#shared/planning/cluster-dns/records.ts'
import type { ProcessContext, Program } from './process.ts'

const TYPES: ReadonlySet<string> = new Set<DnsType>(['A', 'AAAA', 'CNAME', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'])
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

/** The answer for the first of the names that there is; that for the last when there is none. */
async function lookUp(context: ProcessContext, names: readonly string[], type: string): Promise<{ name: string; answer: DnsAnswer }> {
  let last: { name: string; answer: DnsAnswer } = { name: names[0] ?? '', answer: { status: 'NXDOMAIN', answers: [], authority: [], additional: [] } }
  for (const name of names) {
    last = { name, answer: await context.network.lookup(name, type, context.signal) }
    if (last.answer.answers.length > 0) return last
  }
  return last
}

const reversed = (address: string): string => `${address.split('.').reverse().join('.')}.in-addr.arpa.`
const lineOf = (record: DnsRecord): string => `${record.name}\t${String(record.ttlSeconds)}\tIN\t${record.type}\t${recordText(record)}\n`

function section(title: string, records: readonly DnsRecord[]): string {
  return records.length === 0 ? '' : `;; ${title} SECTION:\n${records.map(lineOf).join('')}\n`
}

/** `dig [@server] [+options] name [type]`, and `-x address`. */
const dig: Program = async (context) => {
  const { args, out, err } = context
  const options = new Set(args.filter((arg) => arg.startsWith('+')).map((arg) => arg.slice(1)))
  const words = args.filter((arg, index) => !/^[+@]/.test(arg) && !arg.startsWith('-') && args[index - 1] !== '-x' && arg !== 'IN')
  const address = args.includes('-x') ? (args[args.indexOf('-x') + 1] ?? '') : null
  const type = address === null ? (words.find((word) => TYPES.has(word.toUpperCase()))?.toUpperCase() ?? 'A') : 'PTR'
  const name = address === null ? words.find((word) => word.toUpperCase() !== type) : reversed(address)
  if (name === undefined) return (err('dig: no name to look up\n'), 1)
  const resolver = resolverOf(context)
  const names = options.has('search') ? candidates(name, resolver) : [name.endsWith('.') ? name : `${name}.`]
  const { name: asked, answer } = await lookUp(context, names, type)
  if (options.has('short')) out(answer.answers.map((record) => `${recordText(record)}\n`).join(''))
  else if (options.has('noall')) out(options.has('answer') ? answer.answers.map(lineOf).join('') : '')
  else {
    const counts = `QUERY: 1, ANSWER: ${String(answer.answers.length)}, AUTHORITY: ${String(answer.authority.length)}, ADDITIONAL: ${String(answer.additional.length)}`
    const flags = answer.status === 'REFUSED' ? 'qr rd' : 'qr aa rd'
    out(
      `\n; <<>> DiG <<>> ${args.join(' ')}\n;; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: ${answer.status}, id: 1\n;; flags: ${flags}; ${counts}\n\n`,
    )
    out(`;; QUESTION SECTION:\n;${asked}\t\tIN\t${type}\n\n`)
    out(section('ANSWER', answer.answers) + section('AUTHORITY', answer.authority) + section('ADDITIONAL', answer.additional))
    out(`;; SERVER: ${resolver.server}#53(${resolver.server})\n`)
  }
  return 0
}

/** `nslookup [-type=TYPE] name`: addresses of both families, by the search domains; an address is looked up in reverse. */
const nslookup: Program = async (context) => {
  const { args, out } = context
  const [name = ''] = args.filter((arg) => !arg.startsWith('-'))
  const asked = args
    .find((arg) => /^-(type|query|q)=/.test(arg))
    ?.replace(/^[^=]*=/, '')
    .toUpperCase()
  const resolver = resolverOf(context)
  const reverse = /^\d+(\.\d+){3}$/.test(name)
  const names = reverse ? [reversed(name)] : candidates(name, resolver)
  const type = asked ?? (reverse ? 'PTR' : 'A')
  const first = await lookUp(context, names, type)
  const second = type === 'A' && asked === undefined ? await context.network.lookup(first.name, 'AAAA', context.signal) : null
  const records = [...first.answer.answers, ...(second?.answers ?? []).filter((record) => record.type === 'AAAA')]
  out(`Server:\t\t${resolver.server}\nAddress:\t${resolver.server}#53\n\n`)
  if (records.length === 0) {
    const there = first.answer.status === 'NOERROR'
    out(
      there
        ? `*** Can't find ${name}: No answer\n\n`
        : `** server can't find ${reverse ? (names[0] ?? '').replace(/\.$/, '') : name}: ${first.answer.status}\n\n`,
    )
    return 1
  }
  for (const record of records) {
    const plain = record.name.replace(/\.$/, '')
    if (record.type === 'A' || record.type === 'AAAA') out(`Name:\t${plain}\nAddress: ${record.data}\n`)
    else if (record.type === 'CNAME') out(`${plain}\tcanonical name = ${record.data}\n`)
    else if (record.type === 'SRV') out(`${plain}\tservice = ${recordText(record)}\n`)
    else out(`${plain}\t${record.type === 'PTR' ? 'name' : 'text'} = ${recordText(record)}\n`)
  }
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
