// What every npm script needs before it can start, on a machine with nothing but Node >= 20.19 and npm. Plain JavaScript
// without dependencies, as it runs before they are installed and on the machine's own Node.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's top folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The environment in which `node` is the project's own Node 24. */
export const projectEnvironment = () => ({ ...process.env, PATH: join(root, 'node_modules', '.bin') + delimiter + (process.env.PATH ?? '') })

/** One line to the person at the terminal. */
export function say(text) {
  process.stdout.write(`drydock: ${text}\n`)
}

/**
 * Runs a command with its output shown; resolves to its exit code. SIGINT and SIGTERM reach it.
 * @param started is given the process, e.g. to read the output that `stdio` pipes
 */
export function run(command, args, { started, ...options } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: projectEnvironment(), ...options })
    started?.(child)
    const forward = (signal) => child.kill(signal)
    process.on('SIGINT', forward)
    process.on('SIGTERM', forward)
    child.on('error', (error) => {
      process.stderr.write(`drydock: cannot run ${command}: ${error.message}\n`)
      resolve(127)
    })
    child.on('close', (code, signal) => {
      process.off('SIGINT', forward)
      process.off('SIGTERM', forward)
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143))
    })
  })
}

/** Whether node_modules holds what package-lock.json says; npm writes its own copy of the lock after each install. */
function installed() {
  const marker = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(marker) || !existsSync(join(root, 'node_modules', '.bin', 'node'))) return false
  if (statSync(marker).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs) return true
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const present = JSON.parse(readFileSync(marker, 'utf8')).packages
  return Object.entries(wanted).every(([path, entry]) => path === '' || entry.optional === true || present[path]?.version === entry.version)
}

/** Installs the locked dependencies when they are missing or old. Exits with a reason when that fails. */
export async function ensureInstalled() {
  if (installed()) return
  say('installing dependencies (npm ci, about a minute) …')
  const code = await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  if (code === 0) return
  process.stderr.write('drydock: npm ci failed. See its message above; a registry that cannot be reached is the usual cause.\n')
  process.exit(code)
}

/** Whether a program is on the PATH. */
export function has(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0
}

/** Path of an Electron binary that is already on this machine, or null. Never downloads. */
export function electronBinary() {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH
  if (override) return join(override, 'electron')
  const folder = join(root, 'node_modules', 'electron')
  const pathFile = join(folder, 'path.txt')
  if (!existsSync(pathFile)) return null
  const binary = join(folder, 'dist', readFileSync(pathFile, 'utf8').trim())
  return existsSync(binary) ? binary : null
}
