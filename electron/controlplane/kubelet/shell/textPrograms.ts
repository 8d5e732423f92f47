import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { ProcessContext, Program } from './process.ts'

/** The text of the named files, or of the input when there are none; a missing file is told on stderr. */
async function sources(context: ProcessContext, paths: string[], program: string): Promise<{ text: string; bytes: number; path: string }[]> {
  const found: { text: string; bytes: number; path: string }[] = []
  const add = (content: Buffer, path: string): void => {
    found.push({ text: content.toString('utf8'), bytes: content.length, path })
  }
  if (paths.length === 0) {
    const parts: Buffer[] = []
    for (let bytes = await context.input.readBytes(); bytes !== null; bytes = await context.input.readBytes()) parts.push(bytes)
    add(Buffer.concat(parts), '-')
  }
  for (const path of paths) {
    const host = context.files.host(path, context.workingDirectory)
    if (!existsSync(host)) context.err(`${program}: ${path}: No such file or directory\n`)
    else if (context.files.isDirectory(context.files.absolute(path, context.workingDirectory))) context.err(`${program}: ${path}: Is a directory\n`)
    else add(readFileSync(host), path)
  }
  return found
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))

/** Byte for byte; its input is passed on as it comes. */
const cat: Program = async (context) => {
  const named = context.args.filter((arg) => !/^-./.test(arg))
  let code = 0
  for (const path of named.length === 0 ? ['-'] : named) {
    if (path === '-') {
      for (let bytes = await context.input.readBytes(); bytes !== null; bytes = await context.input.readBytes()) context.out(bytes)
      continue
    }
    const host = context.files.host(path, context.workingDirectory)
    const problem = !existsSync(host)
      ? 'No such file or directory'
      : context.files.isDirectory(context.files.absolute(path, context.workingDirectory))
        ? 'Is a directory'
        : null
    if (problem === null) context.out(readFileSync(host))
    else {
      context.err(`cat: ${path}: ${problem}\n`)
      code = 1
    }
  }
  return code
}

/** `head -c N`, `tail -c N` and `tail -c +N`, which begins at the Nth byte. */
async function sliceBytes(program: 'head' | 'tail', context: ProcessContext, { fromStart, count }: { fromStart: boolean; count: number }): Promise<number> {
  const paths = context.args.filter((arg, index) => !arg.startsWith('-') && context.args[index - 1] !== '-c')
  const parts: Buffer[] = paths.map((path) => (path === '/dev/zero' ? Buffer.alloc(count) : readFileSync(context.files.host(path, context.workingDirectory))))
  if (paths.length === 0) for (let bytes = await context.input.readBytes(); bytes !== null; bytes = await context.input.readBytes()) parts.push(bytes)
  const all = Buffer.concat(parts)
  context.out(program === 'head' ? all.subarray(0, count) : fromStart ? all.subarray(Math.max(0, count - 1)) : all.subarray(Math.max(0, all.length - count)))
  return 0
}

const FOLLOW_MS = 500

/** Tells what is appended to files, until it is ended. */
async function follow(context: ProcessContext, paths: string[]): Promise<void> {
  const files = paths.filter((path) => path !== '/dev/null').map((path) => context.files.host(path, context.workingDirectory))
  const lengthOf = (file: string): number => (existsSync(file) ? readFileSync(file).length : 0)
  const told = new Map(files.map((file) => [file, lengthOf(file)]))
  for (;;) {
    await context.clock.sleep(files.length === 0 ? 3_600_000 : FOLLOW_MS, { signal: context.signal })
    for (const file of files) {
      const length = lengthOf(file)
      const before = told.get(file) ?? 0
      if (length > before) context.out(readFileSync(file).subarray(before))
      told.set(file, length)
    }
  }
}

/** `head` and `tail` with -n N, -N; `tail -f` waits until it is ended. */
function slice(program: 'head' | 'tail'): Program {
  return async (context) => {
    const joined = context.args.join(' ')
    const bytes = /(?:^|\s)-c\s*(\+?)(\d+)/.exec(joined)
    if (bytes !== null) return sliceBytes(program, context, { fromStart: bytes[1] === '+', count: Number(bytes[2]) })
    const count = Number(/-n\s*(\d+)/.exec(joined)?.[1] ?? /(?:^|\s)-(\d+)/.exec(joined)?.[1] ?? 10)
    const paths = context.args.filter((arg, index) => !arg.startsWith('-') && context.args[index - 1] !== '-n')
    if (program === 'head' && paths.length === 0) {
      // The writer of a pipe ends when the wanted lines are there.
      for (let left = count; left > 0; left--) {
        const line = await context.input.readLine()
        if (line === null) break
        context.out(`${line}\n`)
      }
      return 0
    }
    for (const { text } of await sources(
      context,
      paths.filter((path) => path !== '/dev/null'),
      program,
    )) {
      const lines = linesOf(text)
      const kept = program === 'head' ? lines.slice(0, count) : lines.slice(Math.max(0, lines.length - count))
      context.out(kept.map((line) => `${line}\n`).join(''))
    }
    if (program === 'tail' && context.args.some((arg) => /^-\w*[fF]/.test(arg))) await follow(context, paths)
    return 0
  }
}

const grep: Program = async (context) => {
  const flags = context.args.filter((arg) => /^-[a-zA-Z]+$/.test(arg)).join('')
  const [pattern = '', ...paths] = context.args.filter((arg) => !/^-[a-zA-Z]+$/.test(arg))
  // Basic expressions write \| and \( where extended ones write | and (.
  const source = flags.includes('F')
    ? pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    : flags.includes('E')
      ? pattern
      : pattern.replace(/\\?([|(){}+?])/g, (whole, char: string) => (whole.length === 2 ? char : `\\${char}`))
  const matcher = new RegExp(source, flags.includes('i') ? 'i' : '')
  let matches = 0
  if (paths.length === 0 && !/[lcq]/.test(flags)) {
    // Lines are told as they come.
    let index = 0
    for (let line = await context.input.readLine(); line !== null; line = await context.input.readLine()) {
      index++
      if (matcher.test(line) === flags.includes('v')) continue
      matches++
      context.out(`${flags.includes('n') ? `${String(index)}:` : ''}${flags.includes('o') ? (matcher.exec(line)?.[0] ?? '') : line}\n`)
    }
    return matches > 0 ? 0 : 1
  }
  for (const { text, path } of await sources(context, paths, 'grep')) {
    const hits = linesOf(text).flatMap((line, index) => (matcher.test(line) !== flags.includes('v') ? [{ line, index }] : []))
    matches += hits.length
    if (flags.includes('q')) continue
    if (flags.includes('l')) context.out(hits.length > 0 ? `${path}\n` : '')
    else if (flags.includes('c')) context.out(`${String(hits.length)}\n`)
    else
      for (const { line, index } of hits)
        context.out(
          `${paths.length > 1 ? `${path}:` : ''}${flags.includes('n') ? `${String(index + 1)}:` : ''}${flags.includes('o') ? (matcher.exec(line)?.[0] ?? '') : line}\n`,
        )
  }
  return matches > 0 ? 0 : 1
}

const wc: Program = async (context) => {
  const flags = context.args.filter((arg) => arg.startsWith('-')).join('')
  for (const { text, bytes, path } of await sources(
    context,
    context.args.filter((arg) => !arg.startsWith('-')),
    'wc',
  )) {
    const counts = [
      [text.split('\n').length - 1, 'l'],
      [text.split(/\s+/).filter((word) => word !== '').length, 'w'],
      [bytes, 'c'],
    ] as const
    context.out(
      `${counts
        .filter(([, flag]) => flags === '' || flags.includes(flag))
        .map(([count]) => String(count))
        .join(' ')}${path === '-' ? '' : ` ${path}`}\n`,
    )
  }
  return 0
}

const sort: Program = async (context) => {
  const flags = context.args.filter((arg) => arg.startsWith('-')).join('')
  const all = (
    await sources(
      context,
      context.args.filter((arg) => !arg.startsWith('-')),
      'sort',
    )
  ).flatMap(({ text }) => linesOf(text))
  all.sort((a, b) => (flags.includes('n') ? Number.parseFloat(a) - Number.parseFloat(b) : 0) || (a < b ? -1 : Number(a > b)))
  if (flags.includes('r')) all.reverse()
  const lines = flags.includes('u') ? [...new Set(all)] : all
  context.out(lines.map((line) => `${line}\n`).join(''))
  return 0
}

const uniq: Program = async (context) => {
  const lines = linesOf(await context.input.readAll())
  context.out(
    lines
      .filter((line, index) => line !== lines[index - 1])
      .map((line) => `${line}\n`)
      .join(''),
  )
  return 0
}

const cut: Program = async (context) => {
  const joined = context.args.join(' ')
  const delimiter = /-d\s?(.)/.exec(joined)?.[1] ?? '\t'
  const fields = (/-f\s?([\d,-]+)/.exec(joined)?.[1] ?? '1').split(',').map(Number)
  context.out(
    linesOf(await context.input.readAll())
      .map((line) => `${fields.map((field) => line.split(delimiter)[field - 1] ?? '').join(delimiter)}\n`)
      .join(''),
  )
  return 0
}

const tr: Program = async (context) => {
  const [first = '', second = ''] = context.args
    .filter((arg) => !arg.startsWith('-'))
    .map((set) => set.replaceAll('\\n', '\n').replaceAll('\\t', '\t').replace('a-z', 'abcdefghijklmnopqrstuvwxyz').replace('A-Z', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'))
  const remove = context.args.includes('-d')
  context.out(
    [...(await context.input.readAll())]
      .map((char) => (first.includes(char) ? (remove ? '' : (second[Math.min(first.indexOf(char), second.length - 1)] ?? '')) : char))
      .join(''),
  )
  return 0
}

const tee: Program = async (context) => {
  const files = context.args.filter((arg) => !arg.startsWith('-')).map((path) => context.files.hostToChange(path, context.workingDirectory))
  if (!context.args.includes('-a')) for (const file of files) writeFileSync(file, '')
  for (let bytes = await context.input.readBytes(); bytes !== null; bytes = await context.input.readBytes()) {
    context.out(bytes)
    for (const file of files) appendFileSync(file, bytes)
  }
  return 0
}

/** Programs that read text and write text. */
export const textPrograms: ReadonlyMap<string, Program> = new Map<string, Program>([
  ['cat', cat],
  ['head', slice('head')],
  ['tail', slice('tail')],
  ['grep', grep],
  ['egrep', (context) => grep({ ...context, args: ['-E', ...context.args] })],
  ['wc', wc],
  ['sort', sort],
  ['uniq', uniq],
  ['cut', cut],
  ['tr', tr],
  ['tee', tee],
])
