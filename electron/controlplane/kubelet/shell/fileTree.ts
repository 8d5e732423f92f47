import { existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, normalize, posix, resolve, sep } from 'node:path'

/** A path that may not be used. */
export class FileFault extends Error {
  override readonly name = 'FileFault'
}

/** A directory or file of this machine that stands at another place of the tree. */
export interface Mount {
  /** Where it is seen, absolute. */
  path: string
  /** Where it is on this machine. */
  host: string
  readOnly: boolean
  /** As `mount` tells it: `ext4`, `tmpfs`. */
  fsType: string
}

/** A directory of this machine that a simulated node or container sees as `/`, with what is mounted in it. Nothing outside can be reached. */
export class FileTree {
  readonly root: string
  readonly readOnly: boolean
  /** The deepest first. */
  readonly mounts: readonly Mount[]

  constructor(root: string, { mounts = [], readOnly = false }: { mounts?: readonly Mount[]; readOnly?: boolean } = {}) {
    this.root = resolve(root)
    this.readOnly = readOnly
    this.mounts = [...mounts].sort((a, b) => b.path.length - a.path.length)
  }

  /** Absolute path inside the tree. */
  absolute(path: string, workingDirectory = '/'): string {
    return posix.normalize(posix.isAbsolute(path) ? path : posix.join(workingDirectory, path)).replace(/(.)\/$/, '$1')
  }

  /** What is mounted at or above an inside path; null for the tree itself. */
  mountOf(path: string, workingDirectory = '/'): Mount | null {
    const absolute = this.absolute(path, workingDirectory)
    return this.mounts.find((mount) => absolute === mount.path || absolute.startsWith(`${mount.path}/`)) ?? null
  }

  /** Where an inside path is on this machine. @throws FileFault when a symbolic link leads out of the tree */
  host(path: string, workingDirectory = '/'): string {
    const absolute = this.absolute(path, workingDirectory)
    const mount = this.mountOf(absolute)
    const base = mount === null ? this.root : mount.host
    const target = mount === null ? join(base, normalize(absolute)) : join(base, normalize(absolute.slice(mount.path.length)))
    let existing = target.replace(/(.)\/$/, '$1')
    // A link to nothing is there: what it points to would be made.
    const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined
    let found = isThere(existing)
    for (; !found && existing.length > base.length; found = isThere(existing)) existing = dirname(existing)
    if (found) {
      const real = realOf(existing)
      const root = realpathSync.native(base)
      if (real !== root && !real.startsWith(root + sep)) throw new FileFault(`${path}: Permission denied`)
    }
    return target.replace(/(.)\/$/, '$1')
  }

  /** As `host`, for a change there. @throws FileFault also where nothing may be changed */
  hostToChange(path: string, workingDirectory = '/'): string {
    if (this.mountOf(path, workingDirectory)?.readOnly ?? this.readOnly) throw new FileFault(`${path}: Read-only file system`)
    return this.host(path, workingDirectory)
  }

  /** The inside path of a file of this machine, for messages. */
  inside(host: string): string {
    for (const mount of this.mounts) if (host === mount.host || host.startsWith(mount.host + sep)) return mount.path + host.slice(mount.host.length)
    return host.startsWith(this.root) ? host.slice(this.root.length) || '/' : host
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

/** Where a path leads; '' for a link to nothing. Asked of the system in one call: Node's own way looks at each directory of the path. */
function realOf(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    return ''
  }
}
