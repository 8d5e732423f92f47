import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { closeAllWindows, setSurroundings } from './browserWindow.ts'
import { parts, surface } from './surface.ts'

// What Electron's executable does before and after the app's main script: reads the command line, loads what `-r` names, starts the browser,
// and says that the app is ready.

const require = createRequire(import.meta.url)
const electronVersion = (require('electron/package.json') as { version: string }).version
const own = process.argv.slice(2)
const { app, chromium, protocol } = parts

process.env['DRYDOCK_STANDIN_NODE'] = process.execPath
const executable = process.env['DRYDOCK_STANDIN'] ?? fileURLToPath(new URL('./electron', import.meta.url))
process.execPath = executable
process.argv.splice(0, process.argv.length, executable, ...own)
Object.defineProperty(process.versions, 'electron', { value: electronVersion, enumerable: true })
Object.defineProperty(process.versions, 'chrome', { value: '0.0.0.0', enumerable: true })
Object.defineProperty(process, 'type', { value: 'browser' })
Object.defineProperty(process, 'defaultApp', { value: true })
Object.defineProperty(process, 'resourcesPath', { value: join(dirname(executable), 'resources') })

const required: string[] = []
let appArgument: string | null = null
for (let at = 0; at < own.length; at++) {
  const each = own[at] ?? ''
  if (each === '-r' || each === '--require') required.push(own[++at] ?? '')
  else if (each.startsWith('--')) {
    const [, name = '', value = ''] = /^--([^=]*)=?(.*)$/s.exec(each) ?? []
    app.commandLine.appendSwitch(name, value)
  } else appArgument ??= each
}
if (appArgument === null) throw new Error('say which app: electron PATH')
const given = resolve(appArgument)
const appPath = statSync(given).isDirectory() ? given : dirname(given)
const main = appPath === given ? join(given, (JSON.parse(readFileSync(join(given, 'package.json'), 'utf8')) as { main: string }).main) : given

app.configure(appPath, { windows: { closeAll: closeAllWindows }, stop: () => chromium.stop() })
setSurroundings({
  devTools: () => chromium.devTools,
  session: surface.session.defaultSession,
  created: (window, contents) => {
    app.emit('browser-window-created', {}, window)
    app.emit('web-contents-created', {}, contents)
  },
  allClosed: () => {
    if (app.listenerCount('window-all-closed') === 0) app.quit()
    else app.emit('window-all-closed')
  },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    app.quit()
  })

for (const each of required) require(resolve(each))
await import(pathToFileURL(main).href)
const profileDir = join(app.getPath('userData'), 'StandinProfile')
mkdirSync(profileDir, { recursive: true })
// The data directory is the app's and the ports are this process's own.
const ownSwitches = new Set(['user-data-dir', 'remote-debugging-port', 'inspect', 'no-sandbox'])
const switches = app.commandLine.all.filter((each) => !ownSwitches.has(/^--([^=]*)/.exec(each)?.[1] ?? ''))
await chromium.start({ profileDir, switches, announce: app.commandLine.hasSwitch('remote-debugging-port') })
protocol.becomeReady()
app.becomeReady()
