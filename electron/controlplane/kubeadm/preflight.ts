import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { KubeadmError } from './flags.ts'

/** A check with kubeadm's name for it, and what is wrong; null when nothing is. */
export interface Check {
  name: string
  failure: string | null
}

const PREFLIGHT_CODE = 2
const IGNORE_HINT = '[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`'

const nameOf = (kind: string, path: string): string => `${kind}-${path.replaceAll('/', '-')}`

export function fileAvailable(rootDir: string, path: string): Check {
  return { name: nameOf('FileAvailable', path), failure: existsSync(join(rootDir, path)) ? `${path} already exists` : null }
}

export function directoryAvailable(rootDir: string, path: string): Check {
  const directory = join(rootDir, path)
  return { name: nameOf('DirAvailable', path), failure: existsSync(directory) && readdirSync(directory).length > 0 ? `${path} is not empty` : null }
}

export function portFree(port: number, inUse: boolean): Check {
  return { name: `Port-${String(port)}`, failure: inUse ? `Port ${String(port)} is in use` : null }
}

/**
 * Prints what was ignored as warnings.
 *
 * @param ignored names of checks in any case, or `all`
 * @throws KubeadmError with every other failure
 */
export function runChecks(checks: readonly Check[], ignored: readonly string[], err: (text: string) => void): void {
  const skipped = new Set(ignored.map((name) => name.toLowerCase()))
  let failures = ''
  for (const { name, failure } of checks) {
    if (failure === null) continue
    if (skipped.has('all') || skipped.has(name.toLowerCase())) err(`\t[WARNING ${name}]: ${failure}\n`)
    else failures += `\t[ERROR ${name}]: ${failure}\n`
  }
  if (failures !== '')
    throw new KubeadmError(`error execution phase preflight: [preflight] Some fatal errors occurred:\n${failures}${IGNORE_HINT}`, PREFLIGHT_CODE)
}
