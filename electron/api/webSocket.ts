import type { WebSocket } from 'ws'
import { encodeServerFrame } from '#shared/contract/wire.ts'
import type { Dispatcher } from './dispatcher.ts'
import { Line } from './line.ts'

/** Unsent bytes above which a page counts as slow and its subscriptions wait: two snapshots of 10,000 pods. */
const HIGH_WATER_BYTES = 4 * 2 ** 20

/** Serves the contract on a WebSocket until it closes. A page that talks nonsense is hung up on. */
export function serveWebSocket(socket: WebSocket, dispatcher: Dispatcher): void {
  const line = new Line(dispatcher, (frame) => {
    if (socket.readyState !== socket.OPEN) return Promise.resolve()
    return new Promise((resolve) => {
      // The callback comes when the bytes have gone to the kernel; below the mark nobody has to wait for that.
      socket.send(encodeServerFrame(frame), () => {
        resolve()
      })
      if (socket.bufferedAmount < HIGH_WATER_BYTES) resolve()
    })
  })
  socket.on('message', (data, isBinary) => {
    try {
      // Frames from the page are text; `data` is one Buffer in the default binary type.
      line.receive(isBinary ? null : (data as Buffer).toString('utf8'))
    } catch {
      socket.close(1008, 'not a frame')
    }
  })
  socket.on('close', () => {
    line.close()
  })
  socket.on('error', () => {
    socket.terminate()
  })
}
