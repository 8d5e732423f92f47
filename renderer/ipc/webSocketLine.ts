import { decodeServerFrame } from '#shared/contract/wire.ts'
import type { Line, LineListener } from './line.ts'

/** A line over a WebSocket to the server that served this page; the session cookie says who we are. */
export function openWebSocketLine(url: string, listener: LineListener): Line {
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  let ended = false
  const end = (message: string): void => {
    if (ended) return
    ended = true
    listener.onClose(message)
  }
  socket.onopen = () => {
    listener.onOpen()
  }
  socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
    listener.onFrame(decodeServerFrame(typeof event.data === 'string' ? event.data : new Uint8Array(event.data)))
  }
  socket.onclose = (event) => {
    end(event.reason === '' ? 'the connection to Drydock was lost' : event.reason)
  }
  return {
    send: (frame) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame))
    },
    close: () => {
      socket.close()
      end('closed')
    },
  }
}
