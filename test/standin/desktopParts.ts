import { EventEmitter } from 'node:events'
import type { MenuItemConstructorOptions } from 'electron'

// What a desktop has and a test does not: menus that nobody sees, dialogs that a test answers, a clipboard in memory.

class MenuItem {
  readonly label: string
  readonly role: string | undefined
  readonly accelerator: string | undefined
  readonly enabled: boolean
  readonly visible: boolean
  readonly type: string
  readonly submenu: Menu | undefined
  readonly id: string | undefined
  checked: boolean
  readonly #options: MenuItemConstructorOptions

  constructor(options: MenuItemConstructorOptions) {
    this.#options = options
    this.id = options.id
    this.label = options.label ?? options.role ?? ''
    this.role = options.role?.toLowerCase()
    this.accelerator = options.accelerator as string | undefined
    this.enabled = options.enabled ?? true
    this.visible = options.visible ?? true
    this.checked = options.checked ?? false
    this.type = options.type ?? (options.submenu === undefined ? 'normal' : 'submenu')
    this.submenu = Array.isArray(options.submenu) ? Menu.buildFromTemplate(options.submenu) : undefined
  }

  click(): void {
    this.#options.click?.(this as never, undefined, {} as never)
  }
}

let applicationMenu: Menu | null = null

export class Menu {
  readonly items: MenuItem[] = []

  static buildFromTemplate(template: (MenuItemConstructorOptions | MenuItem)[]): Menu {
    const menu = new Menu()
    for (const each of template) menu.append(each instanceof MenuItem ? each : new MenuItem(each))
    return menu
  }

  static setApplicationMenu(menu: Menu | null): void {
    applicationMenu = menu
  }

  static getApplicationMenu(): Menu | null {
    return applicationMenu
  }

  append(item: MenuItem): void {
    this.items.push(item)
  }

  getMenuItemById(id: string): MenuItem | null {
    for (const item of this.items) {
      const found = item.id === id ? item : (item.submenu?.getMenuItemById(id) ?? null)
      if (found !== null) return found
    }
    return null
  }

  popup(): void {
    // Nobody sees it.
  }
}

export { MenuItem }

/** A test puts its own answers in the place of these. */
export const dialog = {
  showOpenDialog: () => Promise.resolve({ canceled: true, filePaths: [] as string[] }),
  showSaveDialog: () => Promise.resolve({ canceled: true, filePath: '' }),
  showMessageBox: () => Promise.resolve({ response: 0, checkboxChecked: false }),
  showErrorBox: (title: string, content: string) => {
    process.stderr.write(`stand-in: error box: ${title}: ${content}\n`)
  },
}

export const shell = {
  openExternal: (_url: string) => Promise.resolve(),
  openPath: (_path: string) => Promise.resolve(''),
  showItemInFolder: (_path: string) => undefined,
  beep: () => undefined,
}

class NativeTheme extends EventEmitter {
  themeSource: 'system' | 'light' | 'dark' = 'system'

  get shouldUseDarkColors(): boolean {
    return this.themeSource === 'dark'
  }
}

export const nativeTheme = new NativeTheme()

/** Keeps nothing safe, and says so as Linux without a keyring does. */
export const safeStorage = {
  isEncryptionAvailable: () => false,
  getSelectedStorageBackend: () => 'basic_text' as const,
}

class PowerMonitor extends EventEmitter {
  isOnBatteryPower(): boolean {
    return false
  }
}

export const powerMonitor = new PowerMonitor()

let copied = ''

export const clipboard = {
  readText: () => Promise.resolve(copied),
  writeText: (text: string) => {
    copied = text
    return Promise.resolve()
  },
}

export const screen = {
  getPrimaryDisplay: () => ({ id: 1, workArea: { x: 0, y: 0, width: 1920, height: 1080 }, bounds: { x: 0, y: 0, width: 1920, height: 1080 }, scaleFactor: 1 }),
  getAllDisplays: () => [screen.getPrimaryDisplay()],
  getDisplayMatching: () => screen.getPrimaryDisplay(),
}
