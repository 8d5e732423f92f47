// `npm start`: the desktop app where an Electron binary can be had, else the same app in the browser.
import { electronBinary, ensureInstalled, run, say } from './environment.mjs'

await ensureInstalled()
const built = await run('node', ['build/build.mjs', '--if-stale'])
if (built !== 0) process.exit(built)
const binary = electronBinary()
if (binary !== null) process.exit(await run(binary, ['.', ...process.argv.slice(2)]))
say('no Electron binary on this machine (`npx install-electron` fetches one where GitHub can be reached): serving the same app to your browser')
process.exit(await run('node', ['--disable-warning=ExperimentalWarning', 'out/main/cli.js', 'serve', '--port', '0', ...process.argv.slice(2)]))
