import { contextBridge, ipcRenderer } from 'electron'

// The bridge: the page may ask for its port, and gets it as a window message. Nothing else of Electron is on the page.

ipcRenderer.on('drydock:port', (event) => {
  window.postMessage('drydock:port', window.location.origin, event.ports as unknown as MessagePort[])
})
contextBridge.exposeInMainWorld('drydock', {
  requestPort: () => {
    ipcRenderer.send('drydock:request-port')
  },
})
