import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'
import type { ProcessContext, Program } from './process.ts'

const isFlag = (arg: string): boolean => /^-./.test(arg)

function split({ args }: ProcessContext): { flags: string; paths: string[] } {
  return { flags: args.filter(isFlag).join(''), paths: args.filter((arg) => !isFlag(arg)) }
}

const hostOf = (context: ProcessContext, path: string): string => context.files.host(path, context.workingDirectory)
const hostToChange = (context: ProcessContext, path: string): string => context.files.hostToChange(path, context.workingDirectory)

function missing(context: ProcessContext, program: string, path: string): number {
  context.err(`${program}: cannot access '${path}': No such file or directory\n`)
  return program === 'ls' ? 2 : 1
}

const ls: Program = (context) => {
  const { flags, paths } = split(context)
  let code = 0
  const wanted = paths.length === 0 ? ['.'] : paths
  for (const path of wanted) {
    const host = hostOf(context, path)
    if (!existsSync(host)) {
      code = missing(context, 'ls', path)
      continue
    }
    const directory = statSync(host).isDirectory() && !flags.includes('d')
    const names = directory
      ? readdirSync(host)
          .sort()
          .filter((name) => flags.includes('a') || flags.includes('A') || !name.startsWith('.'))
      : [path]
    if (wanted.length > 1 && directory) context.out(`${path}:\n`)
    if (!flags.includes('l')) {
      context.out(names.map((name) => `${name}\n`).join(''))
      continue
    }
    if (directory) context.out(`total ${String(names.length * 4)}\n`)
    for (const name of names) {
      const file = directory ? posix.join(host, name) : host
      const stat = lstatSync(file)
      const link = stat.isSymbolicLink() ? ` -> ${readlinkSync(file)}` : ''
      const mode = [...(stat.mode & 0o777).toString(2).padStart(9, '0')].map((bit, index) => (bit === '1' ? 'rwx'.charAt(index % 3) : '-')).join('')
      const at = stat.mtime.toISOString()
      const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][stat.mtime.getUTCMonth()] ?? ''
      context.out(
        `${stat.isDirectory() ? 'd' : link === '' ? '-' : 'l'}${mode} ${String(stat.isDirectory() ? 2 : 1)} root root ${String(stat.size).padStart(6)} ${month} ${String(stat.mtime.getUTCDate()).padStart(2)} ${at.slice(11, 16)} ${name}${link}\n`,
      )
    }
  }
  return code
}

/** cp and mv: into a directory, or onto a name. */
function transfer(program: 'cp' | 'mv'): Program {
  return (context) => {
    const { flags, paths } = split(context)
    const target = paths.at(-1)
    if (target === undefined || paths.length < 2) {
      context.err(`${program}: missing file operand\n`)
      return 1
    }
    const into = existsSync(hostOf(context, target)) && statSync(hostOf(context, target)).isDirectory()
    if (paths.length > 2 && !into) {
      context.err(`${program}: target '${target}' is not a directory\n`)
      return 1
    }
    for (const path of paths.slice(0, -1)) {
      const from = hostOf(context, path)
      if (!existsSync(from)) {
        context.err(`${program}: cannot stat '${path}': No such file or directory\n`)
        return 1
      }
      const to = into ? posix.join(hostToChange(context, target), posix.basename(posix.normalize(path))) : hostToChange(context, target)
      if (!existsSync(posix.dirname(to))) {
        context.err(`${program}: cannot ${program === 'mv' ? 'move' : 'create'} '${path}' to '${target}': No such file or directory\n`)
        return 1
      }
      if (program === 'mv') move(hostToChange(context, path), to)
      else if (statSync(from).isDirectory() && !/[raR]/.test(flags)) {
        context.err(`cp: -r not specified; omitting directory '${path}'\n`)
        return 1
      } else cpSync(from, to, { recursive: true, preserveTimestamps: flags.includes('a') || flags.includes('p') })
    }
    return 0
  }
}

/** Also from one mounted directory to another, which may be another disk. */
function move(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EXDEV')) throw error
    cpSync(from, to, { recursive: true, preserveTimestamps: true })
    rmSync(from, { recursive: true, force: true })
  }
}

const rm: Program = (context) => {
  const { flags, paths } = split(context)
  let code = 0
  for (const path of paths) {
    const host = hostOf(context, path)
    if (!existsSync(host)) {
      if (flags.includes('f')) continue
      context.err(`rm: cannot remove '${path}': No such file or directory\n`)
      code = 1
    } else if (statSync(host).isDirectory() && !/[rR]/.test(flags)) {
      context.err(`rm: cannot remove '${path}': Is a directory\n`)
      code = 1
    } else if (host === context.files.root) {
      context.err("rm: it is dangerous to operate recursively on '/'\n")
      code = 1
    } else rmSync(hostToChange(context, path), { recursive: true, force: true })
  }
  return code
}

const mkdir: Program = (context) => {
  const { flags, paths } = split(context)
  for (const path of paths) {
    const host = hostOf(context, path)
    if (existsSync(host) && !flags.includes('p')) {
      context.err(`mkdir: cannot create directory '${path}': File exists\n`)
      return 1
    }
    if (!flags.includes('p') && !existsSync(posix.dirname(host))) {
      context.err(`mkdir: cannot create directory '${path}': No such file or directory\n`)
      return 1
    }
    if (!existsSync(host)) mkdirSync(hostToChange(context, path), { recursive: true })
  }
  return 0
}

const touch: Program = (context) => {
  for (const path of split(context).paths) writeFileSync(hostToChange(context, path), '', { flag: 'a' })
  return 0
}

const chmod: Program = (context) => {
  const [mode = '', ...paths] = split(context).paths
  if (/^[0-7]{3,4}$/.test(mode)) for (const path of paths) chmodSync(hostToChange(context, path), Number.parseInt(mode, 8))
  return 0
}

const find: Program = (context) => {
  const start = context.args[0] === undefined || isFlag(context.args[0]) ? '.' : context.args[0]
  const option = (name: string): string | undefined => (context.args.includes(name) ? context.args[context.args.indexOf(name) + 1] : undefined)
  const name = option('-name')
  const matcher =
    name === undefined
      ? null
      : new RegExp(
          `^${name
            .replace(/[.+^${}()|[\]\\]/g, '\\$&')
            .replaceAll('*', '.*')
            .replaceAll('?', '.')}$`,
        )
  const type = option('-type')
  const walk = (path: string): void => {
    const host = hostOf(context, path)
    const directory = statSync(host).isDirectory()
    if ((matcher === null || matcher.test(posix.basename(path))) && (type === undefined || (type === 'd') === directory)) context.out(`${path}\n`)
    if (directory) for (const child of readdirSync(host).sort()) walk(posix.join(path, child))
  }
  if (!existsSync(hostOf(context, start))) {
    context.err(`find: '${start}': No such file or directory\n`)
    return 1
  }
  walk(start)
  return 0
}

/** `test` and `[`. */
const test: Program = (context) => {
  const args = context.args.at(-1) === ']' ? context.args.slice(0, -1) : context.args
  const negated = args[0] === '!'
  const [first = '', second, third] = negated ? args.slice(1) : args
  const exists = (path: string | undefined): boolean => path !== undefined && existsSync(hostOf(context, path))
  const holds = (): boolean => {
    if (third !== undefined) {
      const compare: Record<string, boolean> = {
        '=': first === third,
        '==': first === third,
        '!=': first !== third,
        '-eq': Number(first) === Number(third),
        '-ne': Number(first) !== Number(third),
        '-lt': Number(first) < Number(third),
        '-le': Number(first) <= Number(third),
        '-gt': Number(first) > Number(third),
        '-ge': Number(first) >= Number(third),
      }
      return compare[second ?? ''] ?? false
    }
    if (first === '-z') return (second ?? '') === ''
    if (first === '-n') return (second ?? '') !== ''
    if (first === '-d') return exists(second) && statSync(hostOf(context, second ?? '')).isDirectory()
    if (first === '-f') return exists(second) && statSync(hostOf(context, second ?? '')).isFile()
    if (first === '-s') return exists(second) && statSync(hostOf(context, second ?? '')).size > 0
    if (/^-[erwx]$/.test(first)) return exists(second)
    return first !== ''
  }
  return Number(holds() === negated)
}

/** Programs that work on files. */
export const filePrograms: ReadonlyMap<string, Program> = new Map<string, Program>([
  ['ls', ls],
  ['ll', (context) => ls({ ...context, args: ['-la', ...context.args] })],
  ['cp', transfer('cp')],
  ['mv', transfer('mv')],
  ['rm', rm],
  ['mkdir', mkdir],
  ['touch', touch],
  ['chmod', chmod],
  ['chown', () => 0],
  ['sync', () => 0],
  ['find', find],
  ['test', test],
  ['[', test],
  ['[[', (context) => test({ ...context, args: context.args.at(-1) === ']]' ? context.args.slice(0, -1) : context.args })],
])
