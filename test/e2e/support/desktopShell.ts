import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { _electron as electron } from '@playwright/test'
import { environment, START_MS, type Shell, type ShellOptions } from './shell.ts'

const top = fileURLToPath(new URL('../../..', import.meta.url))
const standin = join(top, 'test/standin')

/** Starts the desktop app by Playwright's own Electron driver; on the stand-in where that is asked for. */
export async function openDesktop(which: 'standin' | 'electron', { directory, env, watch }: ShellOptions): Promise<Shell> {
  // Read by the `electron` package in this process, when Playwright asks it for the executable.
  if (which === 'standin') process.env['ELECTRON_OVERRIDE_DIST_PATH'] = standin
  const userData = join(directory, 'app')
  const app = await electron.launch({ args: ['.', `--user-data-dir=${userData}`], cwd: top, env: environment(env), timeout: START_MS })
  app.on('window', watch)
  const page = await app.firstWindow({ timeout: START_MS })
  watch(page)
  // The window opens on an empty page; the app's own comes next.
  await page.waitForURL((url) => url.href !== 'about:blank')
  return {
    page,
    electron: app,
    dataDir: join(userData, 'data'),
    close: () => app.close(),
  }
}
