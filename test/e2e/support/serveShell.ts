import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Browser, BrowserContextOptions } from '@playwright/test'
import { environment, type Shell, type ShellOptions } from './shell.ts'

/** As `npm start` runs it: what build/build.mjs made, which build/e2e.mjs keeps fresh. */
const cli = join(import.meta.dirname, '../../../out/main/cli.js')
const READY = /^drydock: ready (http:\/\/127\.0\.0\.1:\d+\/#token=\S+)$/

/** Starts `drydock serve` and opens its page as a person does: by the address that it prints. */
export async function openServed(browser: Browser, options: ShellOptions & { context?: BrowserContextOptions }): Promise<Shell & { url: string }> {
  const dataDir = join(options.directory, 'data')
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', cli, 'serve', '--port', '0', '--data-dir', dataDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(options.env),
  })
  const ended = once(child, 'exit')
  let stderr = ''
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString()
  })
  const first = await Promise.race([once(createInterface({ input: child.stdout }), 'line').then(([line]) => String(line)), ended.then(() => '')])
  const url = READY.exec(first)?.[1]
  if (url === undefined) throw new Error(`drydock serve did not become ready: ${first} ${stderr}`)
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options.context })
  const page = await context.newPage()
  options.watch(page)
  await page.goto(url)
  return {
    page,
    url,
    electron: null,
    dataDir,
    close: async () => {
      await context.close()
      child.kill('SIGTERM')
      await ended
    },
  }
}
