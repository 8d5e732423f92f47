import { join } from 'node:path'
import { BrowserWindow, ipcMain, MessageChannelMain, shell, type WebContents } from 'electron'
import type { ServerFrame } from '#shared/contract/wire.ts'
import type { Dispatcher } from '../api/dispatcher.ts'
import { Line } from '../api/line.ts'
import { isOwnPage, ORIGIN } from './page.ts'

/** Makes the window that shows the page. @param outDir the folder of the built files */
export function openWindow(outDir: string): BrowserWindow {
  const window = new BrowserWindow({
    width: 1440,
    height: 900,
    minWidth: 800,
    minHeight: 500,
    show: false,
    title: 'Drydock',
    webPreferences: {
      preload: join(outDir, 'preload/preload.cjs'),
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webSecurity: true,
      spellcheck: false,
    },
  })
  window.once('ready-to-show', () => {
    window.show()
  })
  void window.loadURL(`${ORIGIN}/`)
  return window
}

/** No page leaves the app's own, opens windows, or gets a permission. Links to the web open in the user's browser. */
export function guard(contents: WebContents): void {
  const stay = (event: { url: string; preventDefault: () => void }): void => {
    if (!isOwnPage(event.url)) event.preventDefault()
  }
  contents.on('will-navigate', stay)
  contents.on('will-frame-navigate', stay)
  contents.on('will-redirect', stay)
  contents.on('will-attach-webview', (event) => {
    event.preventDefault()
  })
  contents.setWindowOpenHandler(({ url }) => {
    if (url.startsWith('https://')) void shell.openExternal(url)
    return { action: 'deny' }
  })
  contents.session.setDevicePermissionHandler(() => false)
  contents.session.setPermissionRequestHandler((_contents, permission, answer) => {
    answer(permission === 'clipboard-sanitized-write')
  })
  contents.session.setPermissionCheckHandler((_contents, permission) => permission === 'clipboard-sanitized-write')
}

/** Gives a page that asks its port, if it is the app's own main frame. */
export function servePorts(dispatcher: Dispatcher): void {
  ipcMain.on('drydock:request-port', (event) => {
    const { senderFrame } = event
    if (senderFrame === null || senderFrame.parent !== null || !isOwnPage(senderFrame.url)) return
    const { port1, port2 } = new MessageChannelMain()
    const line = new Line(dispatcher, (frame: ServerFrame) => {
      port1.postMessage(frame)
      return Promise.resolve()
    })
    port1.on('message', ({ data }) => {
      try {
        line.receive(data)
      } catch {
        port1.close()
      }
    })
    port1.on('close', () => {
      line.close()
    })
    port1.start()
    senderFrame.postMessage('drydock:port', null, [port2])
  })
}
