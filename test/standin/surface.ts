import { App } from './app.ts'
import { BrowserWindow } from './browserWindow.ts'
import { Chromium } from './chromium.ts'
import { clipboard, dialog, Menu, MenuItem, nativeTheme, powerMonitor, safeStorage, screen, shell } from './desktopParts.ts'
import { guarded } from './guarded.ts'
import { ipcMain } from './ipcMain.ts'
import { MessageChannelMain } from './messagePorts.ts'
import { net, Protocol } from './schemes.ts'
import { Session } from './session.ts'
import { UtilityProcess } from './utilityProcess.ts'
import { WebContents } from './webContents.ts'

// Everything that `import … from 'electron'` gives here.

/** The stand-in's own parts, behind the surface. */
export const parts = { app: new App(), chromium: new Chromium(), protocol: new Protocol() }
const defaultSession = new Session(parts.protocol)

/** The objects behind the surface, without their guard. */
export const members = {
  app: parts.app,
  BrowserWindow,
  webContents: WebContents,
  ipcMain,
  protocol: parts.protocol,
  net,
  session: { defaultSession },
  MessageChannelMain,
  Menu,
  MenuItem,
  dialog,
  shell,
  nativeTheme,
  safeStorage,
  powerMonitor,
  clipboard,
  screen,
  utilityProcess: UtilityProcess,
}

export const surface = guarded('electron', {
  ...members,
  app: guarded('app', parts.app),
  ipcMain: guarded('ipcMain', ipcMain),
  protocol: guarded('protocol', parts.protocol),
  net: guarded('net', net),
  session: guarded('session', { defaultSession: guarded('session.defaultSession', defaultSession) }),
  dialog: guarded('dialog', dialog),
  shell: guarded('shell', shell),
  nativeTheme: guarded('nativeTheme', nativeTheme),
  safeStorage: guarded('safeStorage', safeStorage),
  powerMonitor: guarded('powerMonitor', powerMonitor),
  clipboard: guarded('clipboard', clipboard),
  screen: guarded('screen', screen),
})
