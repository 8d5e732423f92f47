import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'

export interface ProjectedFile {
  /** Below the volume, with `/`. */
  path: string
  content: Uint8Array
  /** Permission bits. */
  mode: number
}

const DATA = '..data'

/**
 * Makes a directory hold exactly these files, all at once for who reads it: they stand in a new directory of their own,
 * `..data` is turned to it, and each name in the volume leads through `..data`.
 *
 * @see kubernetes pkg/volume/util/atomic_writer.go
 */
export function writeAtomically(directory: string, files: readonly ProjectedFile[]): void {
  mkdirSync(directory, { recursive: true })
  chmodSync(directory, 0o777)
  const before = currentOf(directory)
  if (before !== null && holds(join(directory, before), files)) return
  const fresh = mkdtempSync(join(directory, '..'.concat('v')))
  chmodSync(fresh, 0o755)
  for (const { path, content, mode } of files) {
    const target = join(fresh, ...path.split('/'))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, content)
    chmodSync(target, mode)
  }
  const next = join(directory, '..data_tmp')
  rmSync(next, { force: true })
  symlinkSync(posix.basename(fresh.replaceAll('\\', '/')), next, 'junction')
  renameSync(next, join(directory, DATA))
  const names = new Set(files.map(({ path }) => path.split('/')[0] ?? ''))
  for (const name of names)
    if (lstatSync(join(directory, name), { throwIfNoEntry: false }) === undefined) symlinkSync(posix.join(DATA, name), join(directory, name))
  for (const name of readdirSync(directory)) if (!name.startsWith('..') && !names.has(name)) rmSync(join(directory, name), { force: true })
  if (before !== null) rmSync(join(directory, before), { recursive: true, force: true })
}

function currentOf(directory: string): string | null {
  try {
    return readlinkSync(join(directory, DATA))
  } catch {
    // The volume is new.
    return null
  }
}

function holds(directory: string, files: readonly ProjectedFile[]): boolean {
  const count = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length
  return (
    count === files.length &&
    files.every(({ path, content, mode }) => {
      const target = join(directory, ...path.split('/'))
      const stat = lstatSync(target, { throwIfNoEntry: false })
      return stat?.isFile() === true && (stat.mode & 0o777) === mode && readFileSync(target).equals(content)
    })
  )
}
