import { surface } from './surface.ts'

// What `electron` resolves to: names for `import`, and the same object for `require`.

export const app = surface.app
export const BrowserWindow = surface.BrowserWindow
export const webContents = surface.webContents
export const ipcMain = surface.ipcMain
export const protocol = surface.protocol
export const net = surface.net
export const session = surface.session
export const MessageChannelMain = surface.MessageChannelMain
export const Menu = surface.Menu
export const MenuItem = surface.MenuItem
export const dialog = surface.dialog
export const shell = surface.shell
export const nativeTheme = surface.nativeTheme
export const safeStorage = surface.safeStorage
export const powerMonitor = surface.powerMonitor
export const clipboard = surface.clipboard
export const screen = surface.screen
export const utilityProcess = surface.utilityProcess
export { surface as 'module.exports' }
export default surface
