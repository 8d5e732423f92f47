import { existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, normalize, posix, resolve, sep } from 'node:path'

/** A path that may not be used. */
export class FileFault extends Error {
  override readonly name = 'FileFault'
}

/** A directory of this machine that a simulated node or container sees as `/`. Nothing outside can be reached. */
export class FileTree {
  readonly root: string

  constructor(root: string) {
    this.root = resolve(root)
  }

  /** Absolute path inside the tree. */
  absolute(path: string, workingDirectory = '/'): string {
    return posix.normalize(posix.isAbsolute(path) ? path : posix.join(workingDirectory, path)).replace(/(.)\/$/, '$1')
  }

  /** Where an inside path is on this machine. @throws when a symbolic link leads out of the tree */
  host(path: string, workingDirectory = '/'): string {
    const target = join(this.root, normalize(this.absolute(path, workingDirectory)))
    let existing = target
    // A link to nothing is there: what it points to would be made.
    const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined
    while (!isThere(existing) && existing.length > this.root.length) existing = dirname(existing)
    if (isThere(existing)) {
      const real = realOf(existing)
      const root = realpathSync(this.root)
      if (real !== root && !real.startsWith(root + sep)) throw new FileFault(`${path}: Permission denied`)
    }
    return target
  }

  isDirectory(path: string): boolean {
    const host = this.host(path)
    return existsSync(host) && statSync(host).isDirectory()
  }

  /** Inside paths that match a shell pattern with `*` and `?`, sorted; empty when none does. */
  glob(pattern: string, workingDirectory: string): string[] {
    const absolute = posix.isAbsolute(pattern)
    let found = [absolute ? '/' : '']
    for (const segment of pattern.split('/').filter((part) => part !== '')) {
      const next: string[] = []
      const matcher = /[*?]/.test(segment) ? patternExpression(segment) : null
      for (const base of found) {
        const host = this.host(base === '' ? '.' : base, workingDirectory)
        if (matcher === null) {
          if (existsSync(join(host, segment))) next.push(posix.join(base, segment))
          continue
        }
        if (!existsSync(host) || !statSync(host).isDirectory()) continue
        for (const name of readdirSync(host).sort())
          if (matcher.test(name) && (!name.startsWith('.') || segment.startsWith('.'))) next.push(posix.join(base, name))
      }
      found = next
    }
    return found
  }
}

/** A shell pattern with `*`, `?` and `[…]`. */
export function patternExpression(pattern: string): RegExp {
  const source = pattern.replace(/\[!?[^\]]+\]|[.+^${}()|[\]\\*?]/g, (part) =>
    part === '*' ? '.*' : part === '?' ? '.' : part.length > 2 ? part.replace(/^\[!/, '[^') : `\\${part}`,
  )
  return new RegExp(`^${source}$`, 's')
}

/** Where a path leads; '' for a link to nothing. */
function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return ''
  }
}
