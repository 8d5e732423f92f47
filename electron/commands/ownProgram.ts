import { readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import type { ProgramCommand } from '#electron/platform/programProcess.ts'

/** The folder of the project, or of the packaged app: the next one up that says what it is. */
export const top = topOf(import.meta.dirname)
const manifest = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string }
export const version = manifest.version

// Who runs as it was built starts others so, too: they are there sooner.
const isBuilt = import.meta.dirname.startsWith(join(top, 'out') + sep)

/** Another process of this program. */
export const ownProgram: ProgramCommand = {
  program: process.execPath,
  args: ['--disable-warning=ExperimentalWarning', join(top, isBuilt ? 'out/main/cli.js' : 'electron/cli.ts')],
}

function topOf(folder: string): string {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string }
    if (name === 'drydock') return folder
  } catch {
    // Most folders have no such file.
  }
  const above = dirname(folder)
  if (above === folder) throw new Error(`Drydock is not whole: no folder above ${import.meta.dirname} has its package.json`)
  return topOf(above)
}
