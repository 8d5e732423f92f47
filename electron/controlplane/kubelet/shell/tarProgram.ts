import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { ProcessContext, Program } from './process.ts'
import { decodeTar, encodeTar, TarFault, type TarEntry } from '../../../platform/tarArchive.ts'

interface TarOptions {
  mode: 'c' | 'x' | 't'
  archive: string
  directory: string
  gzip: boolean
  verbose: boolean
  /** Extracted files get the present time. */
  touch: boolean
  /** What a link leads to goes in in its place. */
  follow: boolean
  toStdout: boolean
  paths: string[]
}

const VALUED = new Set(['f', 'C'])

/** `tar` with c, x and t, and -f -C -h -z -v -m -O; what it needs for `kubectl cp` in both directions. */
export const tar: Program = async (context) => {
  const options = parse(context)
  if (typeof options === 'string') {
    context.err(`tar: ${options}\n`)
    return 1
  }
  try {
    if (options.mode === 'c') return create(context, options)
    const sent = options.archive === '-' ? await readAll(context) : readFileSync(context.files.host(options.archive, context.workingDirectory))
    // gzip's magic: the flag is not needed to read.
    return read(context, options, sent[0] === 0x1f && sent[1] === 0x8b ? gunzipSync(sent) : sent)
  } catch (error) {
    context.err(`tar: ${error instanceof TarFault ? error.message : reason(error)}\n`)
    return 1
  }
}

function parse({ args, workingDirectory }: ProcessContext): TarOptions | string {
  const options: TarOptions = {
    mode: 't',
    archive: '-',
    directory: workingDirectory,
    gzip: false,
    verbose: false,
    touch: false,
    follow: false,
    toStdout: false,
    paths: [],
  }
  let mode: string | undefined
  const rest = [...args]
  for (let first = true; rest.length > 0; first = false) {
    const arg = rest.shift() ?? ''
    if (arg === '--') {
      options.paths.push(...rest.splice(0))
      continue
    }
    // Ownership and permissions of others do not exist here.
    if (arg.startsWith('--')) continue
    if (arg === '-' || (!arg.startsWith('-') && !first)) {
      options.paths.push(arg)
      continue
    }
    const letters = [...arg.replace(/^-/, '')]
    for (const [index, letter] of letters.entries()) {
      const value = VALUED.has(letter) ? letters.slice(index + 1).join('') || (rest.shift() ?? '') : ''
      if (letter === 'c' || letter === 'x' || letter === 't') mode = letter
      else if (letter === 'f') options.archive = value
      else if (letter === 'C') options.directory = posix.resolve(options.directory, value)
      else if (letter === 'z') options.gzip = true
      else if (letter === 'v') options.verbose = true
      else if (letter === 'm') options.touch = true
      else if (letter === 'h') options.follow = true
      else if (letter === 'O') options.toStdout = true
      else if (!'pokS'.includes(letter)) return `invalid option -- '${letter}'`
      if (VALUED.has(letter)) break
    }
  }
  if (mode !== 'c' && mode !== 'x' && mode !== 't') return 'must specify one of -c, -x, -t'
  return { ...options, mode }
}

async function readAll({ input }: ProcessContext): Promise<Buffer> {
  const parts: Buffer[] = []
  for (let bytes = await input.readBytes(); bytes !== null; bytes = await input.readBytes()) parts.push(bytes)
  return Buffer.concat(parts)
}

function create(context: ProcessContext, { archive, directory, gzip, verbose, follow, paths }: TarOptions): number {
  const { files, out, err } = context
  let code = 0
  const entries: TarEntry[] = []
  const add = (path: string): void => {
    const absolute = files.absolute(path, directory)
    // Where it is, without following a link at its end unless that is asked for.
    const host = follow ? files.host(absolute) : posix.join(files.host(posix.dirname(absolute)), posix.basename(absolute))
    const stat = (follow ? statSync : lstatSync)(host, { throwIfNoEntry: false })
    if (stat === undefined) {
      err(`tar: ${path}: No such file or directory\n`)
      code = 1
      return
    }
    // Members are below where they are extracted.
    const name = path.replace(/^(\/|(\.\.\/)+)+/, '') || '.'
    const common = { mode: stat.mode, modifiedMs: stat.mtimeMs, content: Buffer.alloc(0), target: '' }
    if (verbose) err(`${name}\n`)
    if (stat.isSymbolicLink()) entries.push({ ...common, name, kind: 'link', target: readlinkSync(host) })
    else if (stat.isFile()) entries.push({ ...common, name, kind: 'file', content: readFileSync(host) })
    else if (stat.isDirectory()) {
      entries.push({ ...common, name: name.endsWith('/') ? name : `${name}/`, kind: 'directory' })
      for (const child of readdirSync(host).sort()) add(`${path.replace(/\/+$/, '')}/${child}`)
    }
  }
  if (paths.some((path) => path.startsWith('/'))) err("tar: removing leading '/' from member names\n")
  for (const path of paths) add(path)
  const bytes = encodeTar(entries)
  const sent = gzip ? gzipSync(bytes) : bytes
  if (archive === '-') out(sent)
  else writeFileSync(files.hostToChange(archive, context.workingDirectory), sent)
  return code
}

function read(context: ProcessContext, options: TarOptions, archive: Buffer): number {
  const { files, out, err } = context
  const { mode, directory, verbose, touch, toStdout, paths } = options
  if (!files.isDirectory(directory)) {
    err(`tar: can't change directory to '${directory}': No such file or directory\n`)
    return 1
  }
  let code = 0
  for (const entry of decodeTar(archive)) {
    if (paths.length > 0 && !paths.some((path) => entry.name === path || entry.name.startsWith(`${path.replace(/\/$/, '')}/`))) continue
    if (mode === 't' || verbose) out(`${entry.name}\n`)
    if (mode === 't') continue
    if (toStdout) {
      if (entry.kind === 'file') out(entry.content)
      continue
    }
    try {
      extract(context, entry, { directory, touch })
    } catch (error) {
      err(`tar: can't create ${entry.name}: ${reason(error)}\n`)
      code = 1
    }
  }
  return code
}

function extract({ files, clock }: ProcessContext, entry: TarEntry, { directory, touch }: { directory: string; touch: boolean }): void {
  if (entry.name.split('/').includes('..')) throw new Error('member name has ..')
  const path = files.absolute(`./${entry.name}`, directory)
  const host = files.hostToChange(path)
  if (entry.kind === 'directory') {
    mkdirSync(host, { recursive: true })
    return
  }
  mkdirSync(posix.dirname(host), { recursive: true })
  if (entry.kind === 'link') {
    const target = files.absolute(entry.target, posix.dirname(path))
    // Links are kept relative: an absolute one would point out of the container.
    rmSync(host, { force: true })
    symlinkSync(posix.relative(posix.dirname(path), target), host)
    return
  }
  writeFileSync(host, entry.content)
  chmodSync(host, entry.mode & 0o777)
  const atSeconds = (touch ? clock.now() : entry.modifiedMs) / 1000
  utimesSync(host, atSeconds, atSeconds)
}

/** As the C library says it. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const known: Record<string, string> = {
    ENOENT: 'No such file or directory',
    EISDIR: 'Is a directory',
    ENOTDIR: 'Not a directory',
    EACCES: 'Permission denied',
    EEXIST: 'File exists',
  }
  return known[/^(E[A-Z]+):/.exec(message)?.[1] ?? ''] ?? message
}
