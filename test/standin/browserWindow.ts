import { EventEmitter } from 'node:events'
import type { BrowserWindowConstructorOptions } from 'electron'
import { guarded } from './guarded.ts'
import { WebContents, type Surroundings } from './webContents.ts'

interface Rectangle {
  x: number
  y: number
  width: number
  height: number
}

/** What every window is made with; set once the app runs. */
export interface WindowSurroundings extends Surroundings {
  /** `web-contents-created` and `browser-window-created` are the app's events. */
  created: (window: BrowserWindow, contents: WebContents) => void
  allClosed: () => void
}

let surroundings: WindowSurroundings | null = null
let lastId = 0
const all = new Map<number, BrowserWindow>()

export function setSurroundings(given: WindowSurroundings): void {
  surroundings = given
}

/** Closes every window, unless one refuses. */
export async function closeAllWindows(): Promise<boolean> {
  for (const window of [...all.values()]) {
    if (!(await window.closed(true))) return false
  }
  return true
}

/** electron.BrowserWindow */
export class BrowserWindow extends EventEmitter {
  readonly id = ++lastId
  readonly webContents: WebContents
  readonly #self: BrowserWindow
  #bounds: Rectangle
  #title: string
  #visible: boolean
  #minimized = false
  #maximized = false
  #fullScreen = false
  #focused = false
  #destroyed = false

  constructor(options: BrowserWindowConstructorOptions = {}) {
    super()
    if (surroundings === null) throw new Error('Cannot create BrowserWindow before app is ready')
    const { width = 800, height = 600, x = 0, y = 0, title = 'Electron', show = true, webPreferences = {} } = options
    this.#bounds = { x, y, width, height }
    this.#title = title
    this.#visible = show
    this.#self = guarded('BrowserWindow', this)
    this.webContents = WebContents.create(surroundings, { width, height, preferences: webPreferences })
    all.set(this.id, this.#self)
    const { created, allClosed } = surroundings
    this.webContents.once('did-finish-load', () => this.emit('ready-to-show'))
    this.webContents.once('destroyed', () => {
      this.#destroyed = true
      all.delete(this.id)
      this.emit('closed')
      if (all.size === 0) allClosed()
    })
    created(this.#self, this.webContents)
    return this.#self
  }

  loadURL(url: string): Promise<void> {
    return this.webContents.loadURL(url)
  }

  show(): void {
    this.#visible = true
    this.#focused = true
    this.emit('show')
    this.emit('focus')
  }

  showInactive(): void {
    this.#visible = true
    this.emit('show')
  }

  hide(): void {
    this.#visible = false
    this.emit('hide')
  }

  focus(): void {
    this.#focused = true
    this.emit('focus')
  }

  blur(): void {
    this.#focused = false
    this.emit('blur')
  }

  minimize(): void {
    this.#minimized = true
    this.emit('minimize')
  }

  restore(): void {
    this.#minimized = false
    this.emit('restore')
  }

  maximize(): void {
    this.#maximized = true
    this.emit('maximize')
  }

  unmaximize(): void {
    this.#maximized = false
    this.emit('unmaximize')
  }

  setFullScreen(flag: boolean): void {
    this.#fullScreen = flag
    this.emit(flag ? 'enter-full-screen' : 'leave-full-screen')
  }

  isVisible(): boolean {
    return this.#visible
  }

  isFocused(): boolean {
    return this.#focused
  }

  isMinimized(): boolean {
    return this.#minimized
  }

  isMaximized(): boolean {
    return this.#maximized
  }

  isFullScreen(): boolean {
    return this.#fullScreen
  }

  isDestroyed(): boolean {
    return this.#destroyed
  }

  getBounds(): Rectangle {
    return { ...this.#bounds }
  }

  getNormalBounds(): Rectangle {
    return this.getBounds()
  }

  setBounds(bounds: Partial<Rectangle>): void {
    this.#bounds = { ...this.#bounds, ...bounds }
    this.emit('resize')
  }

  getTitle(): string {
    return this.#title
  }

  setTitle(title: string): void {
    this.#title = title
  }

  setBackgroundColor(): void {
    // Chromium's page paints its own.
  }

  setMenuBarVisibility(): void {
    // There is no menu bar here.
  }

  close(): void {
    void this.closed(false)
  }

  destroy(): void {
    this.webContents.close()
  }

  /** `close` may refuse. Resolves when the window is gone; false when it stays. @param wait until the page is gone too */
  async closed(wait: boolean): Promise<boolean> {
    if (this.#destroyed) return true
    let prevented = false
    this.emit('close', {
      preventDefault: () => {
        prevented = true
      },
    })
    if (prevented) return false
    const gone = new Promise<void>((done) => this.once('closed', () => done()))
    this.webContents.close()
    if (wait) await gone
    return true
  }

  static getAllWindows(): BrowserWindow[] {
    return [...all.values()]
  }

  static getFocusedWindow(): BrowserWindow | null {
    return [...all.values()].find((each) => each.isFocused()) ?? null
  }

  static fromId(id: number): BrowserWindow | null {
    return all.get(id) ?? null
  }

  static fromWebContents(contents: WebContents): BrowserWindow | null {
    return [...all.values()].find((each) => each.webContents.id === contents.id) ?? null
  }
}
