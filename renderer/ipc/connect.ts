import type { Clock } from '#shared/base/clock.ts'
import { openMessagePortLine } from './messagePortLine.ts'
import { ReconnectingClient } from './reconnectingClient.ts'
import { openWebSocketLine } from './webSocketLine.ts'

/** What the desktop shell's preload script puts on the page: it asks main for a port, which arrives as a window message. */
interface Bridge {
  requestPort(): void
}

/** The message with which the port arrives. */
export const PORT_MESSAGE = 'drydock:port'

/** Whether the server takes this browser's cookie; unknown (taken for yes) while the server does not answer. */
async function signedIn(): Promise<boolean> {
  try {
    return (await fetch('session')).status !== 401
  } catch {
    return true
  }
}

/**
 * The client for the shell that shows this page: a MessagePort in the desktop app, a WebSocket where the page was served. There the
 * token of the first address is changed into a session cookie, and taken out of the address and the history.
 */
export async function connect(config: { clock: Clock; random: () => number }): Promise<ReconnectingClient> {
  const bridge = (window as { drydock?: Bridge }).drydock
  if (bridge !== undefined) {
    return new ReconnectingClient({
      ...config,
      open: (listener) => {
        let close: () => void = () => undefined
        const onMessage = (event: MessageEvent<unknown>): void => {
          const port = event.ports[0]
          if (event.source !== window || event.data !== PORT_MESSAGE || port === undefined) return
          window.removeEventListener('message', onMessage)
          line = openMessagePortLine(port, listener)
        }
        let line: ReturnType<typeof openMessagePortLine> | null = null
        window.addEventListener('message', onMessage)
        close = () => {
          window.removeEventListener('message', onMessage)
          line?.close()
        }
        bridge.requestPort()
        return {
          send: (frame) => line?.send(frame),
          close: () => {
            close()
          },
        }
      },
    })
  }
  const token = /(?:^#|&)token=([^&]+)/.exec(window.location.hash)?.[1]
  if (token !== undefined) {
    window.history.replaceState(null, '', `${window.location.pathname}#/`)
    await fetch('session', { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  }
  const url = new URL('contract', window.location.href.split('#')[0])
  url.protocol = url.protocol.replace('http', 'ws')
  return new ReconnectingClient({ ...config, open: (listener) => openWebSocketLine(url.href, listener), signedIn })
}
