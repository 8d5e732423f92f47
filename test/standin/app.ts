import { EventEmitter } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

/** Switches for Chromium, as the command line and the app set them. */
class CommandLine {
  readonly #switches = new Map<string, string>()

  appendSwitch(name: string, value = ''): void {
    this.#switches.set(name.toLowerCase(), value)
  }

  appendArgument(value: string): void {
    this.appendSwitch(value.replace(/^--/, ''))
  }

  hasSwitch(name: string): boolean {
    return this.#switches.has(name.toLowerCase())
  }

  getSwitchValue(name: string): string {
    return this.#switches.get(name.toLowerCase()) ?? ''
  }

  removeSwitch(name: string): void {
    this.#switches.delete(name.toLowerCase())
  }

  /** As arguments of a program. */
  get all(): string[] {
    return [...this.#switches].map(([name, value]) => (value === '' ? `--${name}` : `--${name}=${value}`))
  }
}

interface Windows {
  closeAll(): Promise<boolean>
}

/** electron.app */
export class App extends EventEmitter {
  readonly commandLine = new CommandLine()
  readonly isPackaged = false
  readonly #paths = new Map<string, string>()
  #appPath = process.cwd()
  #package: { name?: string; productName?: string; version?: string } = {}
  /** Apart from the event, which a test runner holds back until it has attached. */
  readonly #readiness = Promise.withResolvers<undefined>()
  #ready = false
  #sandboxEnabled = false
  #quitting = false
  #lockFile: string | null = null
  #windows: Windows = { closeAll: () => Promise.resolve(true) }
  #stop: () => Promise<void> = () => Promise.resolve()

  /** Before the app's own code runs. @param appPath the folder of its package.json */
  configure(appPath: string, parts: { windows: Windows; stop: () => Promise<void> }): void {
    this.#appPath = appPath
    this.#package = JSON.parse(readFileSync(join(appPath, 'package.json'), 'utf8')) as never
    this.#windows = parts.windows
    this.#stop = parts.stop
  }

  get name(): string {
    return this.#package.productName ?? this.#package.name ?? 'Electron'
  }

  getName(): string {
    return this.name
  }

  getVersion(): string {
    return this.#package.version ?? process.versions['electron'] ?? ''
  }

  getAppPath(): string {
    return this.#appPath
  }

  getLocale(): string {
    return 'en-US'
  }

  getPath(name: string): string {
    const set = this.#paths.get(name)
    if (set !== undefined) return set
    const appData = process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config')
    const userData = this.commandLine.getSwitchValue('user-data-dir')
    switch (name) {
      case 'home':
        return homedir()
      case 'temp':
        return tmpdir()
      case 'appData':
        return appData
      case 'userData':
      case 'sessionData':
        return userData === '' ? join(appData, this.name) : resolve(userData)
      case 'logs':
        return join(this.getPath('userData'), 'logs')
      case 'exe':
        return process.execPath
      case 'downloads':
      case 'documents':
      case 'desktop':
        return join(homedir(), name[0]?.toUpperCase() + name.slice(1))
      default:
        throw new Error(`Failed to get '${name}' path`)
    }
  }

  setPath(name: string, path: string): void {
    this.#paths.set(name, path)
  }

  enableSandbox(): void {
    if (this.#ready) throw new Error('app.enableSandbox() can only be called before app is ready')
    this.#sandboxEnabled = true
  }

  /** For windows: whether the app asked for sandboxes everywhere. */
  get sandboxEnabled(): boolean {
    return this.#sandboxEnabled
  }

  isReady(): boolean {
    return this.#ready
  }

  whenReady(): Promise<undefined> {
    return this.#readiness.promise
  }

  becomeReady(): void {
    this.#ready = true
    this.#readiness.resolve(undefined)
    this.emit('ready', {}, {})
  }

  focus(): void {
    // No desktop, no focus to take.
  }

  setAppUserModelId(): void {
    // Of Windows alone.
  }

  /** Whether this is the only instance on its data; the file names the process that is. */
  requestSingleInstanceLock(): boolean {
    const file = join(this.getPath('userData'), 'StandinLock')
    try {
      const owner = Number(readFileSync(file, 'utf8'))
      if (owner !== process.pid && isAlive(owner)) return false
    } catch {
      // Nobody holds it.
    }
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, String(process.pid))
    this.#lockFile = file
    return true
  }

  hasSingleInstanceLock(): boolean {
    return this.#lockFile !== null
  }

  /** As Electron: `before-quit` may refuse, then every window may, then `will-quit` may. */
  quit(): void {
    if (this.#quitting || !this.#unprevented('before-quit')) return
    this.#quitting = true
    void this.#windows.closeAll().then((closed) => {
      this.#quitting = false
      if (closed && this.#unprevented('will-quit')) this.exit(0)
    })
  }

  exit(code = 0): void {
    this.emit('quit', {}, code)
    if (this.#lockFile !== null) rmSync(this.#lockFile, { force: true })
    void this.#stop().finally(() => process.exit(code))
  }

  #unprevented(name: string): boolean {
    let prevented = false
    const event = {
      preventDefault: () => {
        prevented = true
      },
    }
    this.emit(name, event)
    return !prevented
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
