import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { filePrograms } from './filePrograms.ts'
import type { Program } from './process.ts'
import { tar } from './tarProgram.ts'
import { textPrograms } from './textPrograms.ts'

const ESCAPED: Record<string, string> = { a: '\u0007', b: '\b', e: '\u001b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\' }

/** Backslash escapes; octal and hexadecimal ones name bytes, which may make up no text. */
function unescape(text: string): Buffer {
  const parts = text.split(/(\\(?:[abefnrtv\\]|[0-7]{1,4}|x[\da-fA-F]{1,2}))/)
  return Buffer.concat(
    parts.map((part, index) => {
      if (index % 2 === 0) return Buffer.from(part)
      const code = part.slice(1)
      if (code.startsWith('x')) return Buffer.of(Number.parseInt(code.slice(1), 16))
      return /^\d/.test(code) ? Buffer.of(Number.parseInt(code, 8) & 0xff) : Buffer.from(ESCAPED[code] ?? part)
    }),
  )
}

const echo: Program = ({ args, out }) => {
  const noNewline = args[0] === '-n' || args[0] === '-ne' || args[0] === '-en'
  const escapes = args[0] === '-e' || args[0] === '-ne' || args[0] === '-en'
  const text = (noNewline || escapes ? args.slice(1) : args).join(' ')
  const end = noNewline ? '' : '\n'
  out(escapes ? Buffer.concat([unescape(text), Buffer.from(end)]) : `${text}${end}`)
  return 0
}

const printf: Program = ({ args, out }) => {
  const [format = '', ...values] = args
  const placeholders = (format.match(/%[-\d]*[sdi]/g) ?? []).length
  let rest = values
  do {
    let index = 0
    const filled = format.split(/(%-?\d*[sdi%])/).map((part, at) => {
      if (at % 2 === 0) return unescape(part)
      const [, left, width, kind] = /%(-?)(\d*)([sdi%])/.exec(part) ?? []
      if (kind === '%') return Buffer.from('%')
      const value = rest[index++] ?? (kind === 's' ? '' : '0')
      return Buffer.from(
        left === '-'
          ? value.padEnd(Number(width))
          : width?.startsWith('0') === true && kind !== 's'
            ? value.padStart(Number(width), '0')
            : value.padStart(Number(width)),
      )
    })
    out(Buffer.concat(filled))
    rest = rest.slice(placeholders)
  } while (placeholders > 0 && rest.length > 0)
  return 0
}

const sleep: Program = async ({ args, clock, signal, err }) => {
  const [text = ''] = args
  if (text === 'infinity') for (;;) await clock.sleep(3_600_000, { signal })
  const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text)
  if (match === null) {
    err(`sleep: invalid time interval '${text}'\n`)
    return 1
  }
  const unit = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }[match[2] ?? ''] ?? 1
  await clock.sleep(Number(match[1]) * unit * 1000, { signal })
  return 0
}

const date: Program = ({ args, clock, out }) => {
  const at = new Date(clock.now())
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][at.getUTCDay()] ?? ''
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][at.getUTCMonth()] ?? ''
  const fields: Record<string, string> = {
    Y: String(at.getUTCFullYear()),
    m: two(at.getUTCMonth() + 1),
    d: two(at.getUTCDate()),
    H: two(at.getUTCHours()),
    M: two(at.getUTCMinutes()),
    S: two(at.getUTCSeconds()),
    F: at.toISOString().slice(0, 10),
    T: at.toISOString().slice(11, 19),
    s: String(Math.floor(at.getTime() / 1000)),
    N: `${String(at.getUTCMilliseconds()).padStart(3, '0')}000000`,
    Z: 'UTC',
    z: '+0000',
    a: day,
    b: month,
  }
  const format = args.find((arg) => arg.startsWith('+'))
  if (format === undefined) out(`${day} ${month} ${String(at.getUTCDate()).padStart(2)} ${fields['T'] ?? ''} UTC ${fields['Y'] ?? ''}\n`)
  else out(`${format.slice(1).replace(/%(.)/g, (whole, field: string) => fields[field] ?? whole)}\n`)
  return 0
}

/** `sed` with -i, -n, -e and the commands s, d and p on addresses N, $ and /pattern/. */
const sed: Program = async (context) => {
  const inPlace = context.args.some((arg) => /^-i/.test(arg) || /^-n?i/.test(arg))
  const quiet = context.args.some((arg) => /^-(n|ni|in)$/.test(arg))
  const scripts: string[] = []
  const paths: string[] = []
  for (let index = 0; index < context.args.length; index++) {
    const arg = context.args[index] ?? ''
    if (arg === '-e') scripts.push(context.args[++index] ?? '')
    else if (arg.startsWith('-')) continue
    else if (scripts.length === 0) scripts.push(arg)
    else paths.push(arg)
  }
  const extended = context.args.some((arg) => arg === '-E' || arg === '-r')
  const pattern = (text: string, flags: string): RegExp =>
    new RegExp(extended ? text : text.replace(/\\?([|(){}+?])/g, (whole, char: string) => (whole.length === 2 ? char : `\\${char}`)), flags)
  const commands = scripts
    .flatMap((script) => script.split(/;(?=\s*(?:[sdp/$]|\d))/))
    .map((text) => {
      const match = /^\s*(?:(\d+|\$)|\/((?:\\.|[^/])*)\/|\\(.)(.*?)\3)?\s*(.*)$/s.exec(text)
      const action = match?.[5] ?? ''
      const separator = action[1] ?? '/'
      const parts = action.startsWith('s') ? action.slice(2).split(new RegExp(`(?<!\\\\)${separator.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`)) : []
      return {
        line: match?.[1],
        address: match?.[2] ?? match?.[4],
        kind: action[0] ?? '',
        from: (parts[0] ?? '').replaceAll(`\\${separator}`, separator),
        to: (parts[1] ?? '').replaceAll(`\\${separator}`, separator),
        flags: parts[2] ?? '',
      }
    })
  const edit = (text: string): string => {
    const lines = text.replace(/\n$/, '').split('\n')
    let result = ''
    for (const [index, original] of lines.entries()) {
      let line: string | null = original
      let printed = ''
      for (const { line: at, address, kind, from, to, flags } of commands) {
        if (at !== undefined && (at === '$' ? index !== lines.length - 1 : index !== Number(at) - 1)) continue
        if (line === null || (address !== undefined && !pattern(address, '').test(line))) continue
        if (kind === 'd') line = null
        else if (kind === 'p') printed += `${line}\n`
        else if (kind === 's')
          line = line.replace(
            pattern(from, `${flags.includes('g') ? 'g' : ''}${/i/i.test(flags) ? 'i' : ''}`),
            to
              .replaceAll('$', '$$$$')
              .replace(/\\(\d)/g, '$$$1')
              .replace(/(?<!\\)&/g, '$$&')
              .replaceAll('\\n', '\n'),
          )
      }
      result += printed + (line === null || quiet ? '' : `${line}\n`)
    }
    return result
  }
  if (paths.length === 0) context.out(edit(await context.input.readAll()))
  for (const path of paths) {
    const host = (inPlace ? context.files.hostToChange : context.files.host).call(context.files, path, context.workingDirectory)
    if (!existsSync(host)) {
      context.err(`sed: can't read ${path}: No such file or directory\n`)
      return 2
    }
    const edited = edit(readFileSync(host, 'utf8'))
    if (inPlace) writeFileSync(host, edited)
    else context.out(edited)
  }
  return 0
}

const hostname: Program = async ({ args, out, hostname: name, network, signal }) => {
  if (args.includes('-i') || args.includes('-I')) out(`${(await network.resolve(name, signal)).join(' ')}\n`)
  else out(`${args.includes('-s') ? (name.split('.')[0] ?? '') : name}\n`)
  return 0
}

const whoami: Program = ({ user, out, err }) => {
  if (user.uid === 0) return (out('root\n'), 0)
  return (err(`whoami: unknown uid ${String(user.uid)}\n`), 1)
}

const id: Program = ({ user, args, out }) => {
  const groups = [...new Set([user.gid, ...user.groups])]
  const named = (id: number): string => (id === 0 ? '0(root)' : String(id))
  if (args.includes('-u')) out(`${String(user.uid)}\n`)
  else if (args.includes('-g')) out(`${String(user.gid)}\n`)
  else if (args.includes('-G')) out(`${groups.join(' ')}\n`)
  else out(`uid=${named(user.uid)} gid=${named(user.gid)} groups=${groups.map(named).join(',')}\n`)
  return 0
}

const timeout: Program = async (context) => {
  const [seconds = '', ...argv] = context.args.filter((arg) => !arg.startsWith('-'))
  let late = false
  const limit = context.clock.sleep(Number.parseFloat(seconds) * 1000, { signal: context.signal }).then(() => ((late = true), 124))
  const code = await Promise.race([context.spawn(argv), limit])
  return late ? 124 : code
}

/** What every simulated machine and container image with a shell has. */
export const basePrograms: ReadonlyMap<string, Program> = new Map<string, Program>([
  ...textPrograms,
  ...filePrograms,
  ['echo', echo],
  ['printf', printf],
  ['sleep', sleep],
  ['date', date],
  ['sed', sed],
  ['tar', tar],
  ['timeout', timeout],
  ['true', () => 0],
  ['false', () => 1],
  ['whoami', whoami],
  ['id', id],
  ['hostname', hostname],
  ['pwd', ({ out, workingDirectory }) => (out(`${workingDirectory}\n`), 0)],
  [
    'uname',
    ({ out, args, hostname }) => (
      out(
        args.includes('-a')
          ? `Linux ${hostname} 6.12.48-simulated #1 SMP x86_64 GNU/Linux\n`
          : args.includes('-r')
            ? '6.12.48-simulated\n'
            : args.includes('-n')
              ? `${hostname}\n`
              : args.includes('-m')
                ? 'x86_64\n'
                : 'Linux\n',
      ),
      0
    ),
  ],
  ['tty', ({ out, terminal }) => (out(terminal === undefined ? 'not a tty\n' : '/dev/pts/0\n'), Number(terminal === undefined))],
  [
    'stty',
    ({ args, out, err, terminal }) => {
      if (terminal === undefined) return (err('stty: standard input: Inappropriate ioctl for device\n'), 1)
      if (args.length === 0 || args[0] === '-a')
        out(`speed 38400 baud; rows ${String(terminal.size.height)}; columns ${String(terminal.size.width)}; line = 0;\n`)
      else if (args[0] === 'size') out(`${String(terminal.size.height)} ${String(terminal.size.width)}\n`)
      return 0
    },
  ],
  ['clear', ({ out, terminal }) => (out(terminal === undefined ? '' : '\u001b[H\u001b[J'), 0)],
  [
    'seq',
    ({ args, out }) => {
      const [first = 1, last] = args.map(Number)
      for (let value = last === undefined ? 1 : first; value <= (last ?? first); value++) out(`${String(value)}\n`)
      return 0
    },
  ],
  [
    'env',
    (context) => {
      const assignments = context.args.filter((arg) => arg.includes('='))
      const argv = context.args.filter((arg) => !arg.includes('=') && !arg.startsWith('-'))
      for (const assignment of assignments) context.env.set(assignment.slice(0, assignment.indexOf('=')), assignment.slice(assignment.indexOf('=') + 1))
      if (argv.length > 0) return context.spawn(argv)
      context.out([...context.env].map(([name, value]) => `${name}=${value}\n`).join(''))
      return 0
    },
  ],
  [
    'printenv',
    ({ args, env, out }) => {
      const [name] = args
      if (name === undefined) out([...env].map(([key, value]) => `${key}=${value}\n`).join(''))
      else if (env.has(name)) out(`${env.get(name) ?? ''}\n`)
      else return 1
      return 0
    },
  ],
  ['basename', ({ args, out }) => (out(`${(args[0] ?? '').split('/').at(-1) ?? ''}\n`), 0)],
  ['dirname', ({ args, out }) => (out(`${(args[0] ?? '').split('/').slice(0, -1).join('/') || '.'}\n`), 0)],
])
