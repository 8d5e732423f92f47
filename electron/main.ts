import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { app, BrowserWindow, Menu } from 'electron'
import { SystemClock } from '#shared/base/clock.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { Application } from './application.ts'
import { stderrLogger } from './commands/stderrLogger.ts'
import { startUtility } from './desktop/clusterProcess.ts'
import { registerScheme, servePageFiles, stayOffTheNetwork } from './desktop/page.ts'
import { guard, openWindow, servePorts } from './desktop/window.ts'
import { quietWarnings } from './platform/warnings.ts'

// The desktop app. Everything but windows is the application, which knows nothing of Electron.

const outDir = join(app.getAppPath(), 'out')
quietWarnings()
registerScheme()
app.enableSandbox()
app.on('web-contents-created', (_event, contents) => {
  guard(contents)
})
if (!app.requestSingleInstanceLock()) app.quit()
else void run()

/** Electron's own, but for reloading and the developer tools, which a packaged app does not offer. */
function viewMenu(): Electron.MenuItemConstructorOptions {
  if (!app.isPackaged) return { role: 'viewMenu' }
  return { label: 'View', submenu: [{ role: 'resetZoom' }, { role: 'zoomIn' }, { role: 'zoomOut' }, { type: 'separator' }, { role: 'togglefullscreen' }] }
}

async function run(): Promise<void> {
  await app.whenReady()
  Menu.setApplicationMenu(
    Menu.buildFromTemplate(
      [{ role: 'appMenu' }, { role: 'editMenu' }, viewMenu(), { role: 'windowMenu' }].filter(
        ({ role }) => role !== 'appMenu' || process.platform === 'darwin',
      ) as Electron.MenuItemConstructorOptions[],
    ),
  )
  servePageFiles(join(outDir, 'renderer'))
  stayOffTheNetwork()
  const application = new Application({
    dataDir: join(app.getPath('userData'), 'data'),
    kubeconfigs: [],
    shell: 'desktop',
    version: app.getVersion(),
    clock: new SystemClock(),
    random: new SeededRandom(randomBytes(4).readUInt32LE()),
    logger: stderrLogger('warn'),
    clusterCommand: (args) => startUtility(join(outDir, 'main/cli.js'), args),
  })
  await application.start()
  servePorts(application.dispatcher)
  openWindow(outDir)
  app.on('activate', () => {
    if (BrowserWindow.getAllWindows().length === 0) openWindow(outDir)
  })
  app.on('second-instance', () => {
    BrowserWindow.getAllWindows()[0]?.focus()
  })
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit()
  })
  let stopped = false
  app.on('before-quit', (event) => {
    if (stopped) return
    event.preventDefault()
    void application.stop().finally(() => {
      stopped = true
      app.quit()
    })
  })
}
