import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, expect, test as base, type Browser, type Page } from '@playwright/test'
import { runProgram, type CommandResult } from '#test/support/peers.ts'
import { Frame } from '../pages/frame.ts'
import { chromiumArgs, chromiumPath } from './chromium.ts'
import { openDesktop } from './desktopShell.ts'
import { openServed } from './serveShell.ts'
import type { Mode, Shell } from './shell.ts'

/** The app under test, from its first start to its end; specs of one worker share it. */
export class App {
  readonly mode: Mode
  readonly directory: string
  /** Page errors, console errors and violations of the content security policy since the last `takeProblems`. */
  #problems: string[] = []
  readonly #open: (app: App) => Promise<Shell>
  readonly #watched = new WeakSet<Page>()
  #shell: Shell | null = null

  constructor(options: { mode: Mode; directory: string; open: (app: App) => Promise<Shell> }) {
    this.mode = options.mode
    this.directory = options.directory
    this.#open = options.open
  }

  get shell(): Shell {
    if (this.#shell === null) throw new Error('the app is not running')
    return this.#shell
  }

  get running(): boolean {
    return this.#shell !== null
  }

  get page(): Page {
    return this.shell.page
  }

  get frame(): Frame {
    return new Frame(this.page)
  }

  /** The embedded cluster's kubeconfig, on the control-plane node where kubeadm puts it. */
  get kubeconfig(): string {
    return join(this.shell.dataDir, 'cluster/nodes/controlplane/etc/kubernetes/admin.conf')
  }

  async start(): Promise<void> {
    this.#shell = await this.#open(this)
  }

  async close(): Promise<void> {
    const shell = this.#shell
    this.#shell = null
    await shell?.close()
  }

  async restart(): Promise<void> {
    await this.close()
    await this.start()
  }

  readonly watch = (page: Page): void => {
    if (this.#watched.has(page)) return
    this.#watched.add(page)
    page.on('pageerror', (error) => this.#problems.push(`page error: ${error.message}`))
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.#problems.push(`console ${message.type()}: ${message.text()}`)
    })
  }

  takeProblems(): string[] {
    const problems = this.#problems
    this.#problems = []
    return problems
  }

  /** Real kubectl on the embedded cluster. @throws when it fails */
  async kubectl(args: string[], options: { input?: string } = {}): Promise<string> {
    const result = await this.tryKubectl(args, options)
    if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`)
    return result.stdout
  }

  tryKubectl(args: string[], options: { input?: string } = {}): Promise<CommandResult> {
    return runProgram('kubectl', ['--kubeconfig', this.kubeconfig, '--cache-dir', join(this.directory, 'kubectl-cache'), ...args], options)
  }
}

export interface Setup {
  /** Specs with another label have another app. */
  label?: string
  /** Fills the app's own directory before its first start; gives variables of its process. */
  prepare?: (directory: string) => Promise<Record<string, string>>
}

interface WorkerFixtures {
  mode: Mode
  setup: Setup
  app: App
}

/** A home of its own, so that nobody's kubeconfig is read. */
const ownHome = (directory: string): Record<string, string> => ({ HOME: directory, XDG_CONFIG_HOME: join(directory, '.config'), KUBECONFIG: '' })

interface TestFixtures {
  /** Runs around every spec: what is left of one that failed. */
  evidence: undefined
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  mode: ['serve', { option: true, scope: 'worker' }],
  setup: [{}, { option: true, scope: 'worker' }],
  app: [
    async ({ mode, setup }, use) => {
      const directory = mkdtempSync(join(tmpdir(), 'drydock-e2e-'))
      const env = { ...ownHome(directory), ...(await setup.prepare?.(directory)) }
      const browser = mode === 'serve' ? await chromium.launch({ executablePath: chromiumPath, args: chromiumArgs }) : null
      const app = new App({
        mode,
        directory,
        open: async ({ watch }) => {
          return mode === 'serve' ? openServed(browser as Browser, { directory, env, watch }) : openDesktop(mode, { directory, env, watch })
        },
      })
      await app.start()
      await use(app)
      await app.close()
      await browser?.close()
      rmSync(directory, { recursive: true, force: true })
    },
    { scope: 'worker', timeout: 180_000 },
  ],
  evidence: [
    async ({ app }, use, info) => {
      app.takeProblems()
      // Playwright records what its own browser shows; of the desktop app it is asked for.
      const desktop = app.shell.electron !== null
      const traced = desktop && (info.retry > 0 || process.env['DRYDOCK_TRACE'] !== undefined)
      if (traced) await app.page.context().tracing.start({ screenshots: true, snapshots: true })
      await use(undefined)
      if (info.status === info.expectedStatus) {
        if (traced && app.running) await app.page.context().tracing.stop()
        return
      }
      await info.attach('problems', { body: [...app.takeProblems(), ''].join('\n'), contentType: 'text/plain' })
      if (!desktop || !app.running) return
      if (traced) {
        const trace = info.outputPath('trace.zip')
        await app.page.context().tracing.stop({ path: trace })
        await info.attach('trace', { path: trace, contentType: 'application/zip' })
      }
      const screenshot = info.outputPath('screenshot.png')
      await app.page.screenshot({ path: screenshot })
      await info.attach('screenshot', { path: screenshot, contentType: 'image/png' })
    },
    { auto: true, timeout: 60_000 },
  ],
})

export { expect }
