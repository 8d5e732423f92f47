import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { DevTools } from './devTools.ts'

/** Longest wait for the browser's own end. */
const CLOSE_MS = 3000

/** The browser behind the windows, from `start` on. */
export class Chromium {
  #devTools: DevTools | null = null
  #kill: () => Promise<void> = () => Promise.resolve()

  get devTools(): DevTools {
    if (this.#devTools === null) throw new Error('Cannot create BrowserWindow before app is ready')
    return this.#devTools
  }

  /** @param announce print the line by which a test runner finds the browser */
  async start(options: { profileDir: string; switches: readonly string[]; announce: boolean }): Promise<void> {
    const program =
      process.env['DRYDOCK_CHROMIUM'] ??
      ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path)) ??
      'chromium'
    const child = spawn(
      program,
      [
        '--headless',
        '--no-startup-window',
        '--remote-debugging-port=0',
        `--user-data-dir=${options.profileDir}`,
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--hide-scrollbars=false',
        ...options.switches,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => {
        resolve()
      })
    })
    this.#kill = async () => {
      child.kill('SIGKILL')
      await exited
    }
    process.once('exit', () => child.kill('SIGKILL'))
    const said: string[] = []
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        said.push(line)
        const match = /^DevTools listening on (ws:\S+)$/.exec(line)
        if (match?.[1] === undefined) return
        if (options.announce) process.stderr.write(`${line}\n`)
        resolve(match[1])
      })
      child.once('error', reject)
      child.once('exit', (code) => {
        reject(new Error(`Chromium ended with ${String(code)}: ${said.slice(-5).join('\n')}`))
      })
    })
    this.#devTools = await DevTools.connect(url)
  }

  async stop(): Promise<void> {
    // So that what pages stored is on the disk; a browser that does not end is ended.
    const patience = new Promise<void>((done) => setTimeout(done, CLOSE_MS))
    await Promise.race([patience, this.#devTools?.send('Browser.close').catch(() => undefined)])
    this.#devTools?.close()
    await this.#kill()
  }
}
