// `npm start`: the desktop app where an Electron binary can be had, else the same app in the browser.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureInstalled, root, run, say } from './environment.mjs'

/** Path of an Electron binary that is already on this machine, or null. Never downloads. */
function electronBinary() {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH
  if (override) return join(override, 'electron')
  const folder = join(root, 'node_modules', 'electron')
  const pathFile = join(folder, 'path.txt')
  if (!existsSync(pathFile)) return null
  const binary = join(folder, 'dist', readFileSync(pathFile, 'utf8').trim())
  return existsSync(binary) ? binary : null
}

await ensureInstalled()
const built = await run('node', ['build/build.mjs', '--if-stale'])
if (built !== 0) process.exit(built)
const binary = electronBinary()
if (binary !== null) process.exit(await run(binary, ['.', ...process.argv.slice(2)]))
say('no Electron binary on this machine (`npx install-electron` fetches one where GitHub can be reached): serving the same app to your browser')
process.exit(await run('node', ['--disable-warning=ExperimentalWarning', 'electron/cli.ts', 'serve', '--port', '0', ...process.argv.slice(2)]))
