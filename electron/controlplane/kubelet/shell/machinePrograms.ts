import { readFileSync } from 'node:fs'
import type { ProcessContext, Program } from './process.ts'

const ROW_BYTES = 16

async function contentOf({ args, files, workingDirectory, input }: ProcessContext): Promise<Buffer> {
  const path = args.find((arg) => !arg.startsWith('-'))
  if (path !== undefined) return readFileSync(files.host(path, workingDirectory))
  const parts: Buffer[] = []
  for (let bytes = await input.readBytes(); bytes !== null; bytes = await input.readBytes()) parts.push(bytes)
  return Buffer.concat(parts)
}

/** `hexdump -C`: also without the flag in that form. */
const hexdump: Program = async (context) => {
  const content = await contentOf(context)
  const offset = (at: number): string => at.toString(16).padStart(8, '0')
  for (let at = 0; at < content.length; at += ROW_BYTES) {
    const row = content.subarray(at, at + ROW_BYTES)
    const pairs = [...row].map((byte) => byte.toString(16).padStart(2, '0'))
    const text = [...row].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    const halves = [pairs.slice(0, 8).join(' '), pairs.slice(8).join(' ')].map((half) => half.padEnd(23)).join('  ')
    context.out(`${offset(at)}  ${halves}  |${text}|\n`)
  }
  if (content.length > 0) context.out(`${offset(content.length)}\n`)
  return 0
}

/** What a pod's network looks like from inside; changing it takes a privileged container, and changes nothing here. */
const ip: Program = async ({ args, out, err, user, hostname, network, signal }) => {
  const [object = '', command = 'show'] = args.filter((arg) => !arg.startsWith('-'))
  if (/^(add|del|set|delete)$/.test(command)) {
    if (user.privileged) return 0
    return (err('RTNETLINK answers: Operation not permitted\n'), 2)
  }
  const [address = '127.0.0.1'] = await network.resolve(hostname, signal)
  if (/^a/.test(object))
    out(
      `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN qlen 1000\n    inet 127.0.0.1/8 scope host lo\n2: eth0@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP\n    inet ${address}/24 brd ${address.replace(/\d+$/, '255')} scope global eth0\n`,
    )
  else if (/^r/.test(object))
    out(`default via ${address.replace(/\d+$/, '1')} dev eth0\n${address.replace(/\d+$/, '0')}/24 dev eth0 scope link  src ${address}\n`)
  else if (/^l/.test(object)) out('1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 state UNKNOWN\n2: eth0@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP\n')
  else return (err(`ip: object ${JSON.stringify(object)} is not known\n`), 1)
  return 0
}

/** `awk [-F separator] '[/pattern/] { print … }'`: fields, texts and variables of the whole line. */
const awk: Program = async (context) => {
  const { args } = context
  const separator = args.find((arg) => /^-F./.test(arg))?.slice(2) ?? (args.includes('-F') ? args[args.indexOf('-F') + 1] : undefined)
  const [script = '', ...paths] = args.filter((arg, index) => !arg.startsWith('-') && args[index - 1] !== '-F')
  const parts = /^\s*(?:\/((?:\\.|[^/])*)\/|NR\s*==\s*(\d+))?\s*(?:\{\s*print\s*([\s\S]*?)\s*;?\s*\})?\s*$/.exec(script)
  if (parts === null) return (context.err('awk: only print is known here\n'), 2)
  const [, pattern, row, expression = ''] = parts
  const text = (await contentOf({ ...context, args: paths })).toString('utf8')
  for (const [index, line] of text.replace(/\n$/, '').split('\n').entries()) {
    if ((pattern !== undefined && !new RegExp(pattern).test(line)) || (row !== undefined && index + 1 !== Number(row))) continue
    const fields = separator === undefined || separator === ' ' ? line.trim().split(/\s+/) : line.split(separator)
    const valueOf = (term: string): string => {
      if (term === '$NF') return fields.at(-1) ?? ''
      if (term === 'NR') return String(index + 1)
      if (term.startsWith('$')) return term === '$0' ? line : (fields[Number(term.slice(1)) - 1] ?? '')
      return term.slice(1, -1).replaceAll('\\n', '\n').replaceAll('\\t', '\t')
    }
    const lists =
      expression === '' ? [['$0']] : expression.split(/\s*,\s*(?=(?:[^"]*"[^"]*")*[^"]*$)/).map((list) => list.match(/\$\w+|"(?:\\.|[^"])*"|NR/g) ?? [])
    context.out(`${lists.map((terms) => terms.map(valueOf).join('')).join(' ')}\n`)
  }
  return 0
}

/** The ports the container's own programs listen on are not told by the runtime: only the header. */
const ss: Program = ({ out }) => (out('State    Recv-Q    Send-Q    Local Address:Port    Peer Address:Port\n'), 0)

/** Programs that look at bytes and at the machine. */
export const machinePrograms: ReadonlyMap<string, Program> = new Map<string, Program>([
  ['hexdump', hexdump],
  ['ip', ip],
  ['awk', awk],
  ['ss', ss],
])
