import type { ServerFrame } from '#shared/contract/wire.ts'
import type { Line, LineListener } from './line.ts'

/** A line over the port that the desktop shell's bridge hands the page. */
export function openMessagePortLine(port: MessagePort, listener: LineListener): Line {
  port.onmessage = (event: MessageEvent<ServerFrame>) => {
    listener.onFrame(event.data)
  }
  port.addEventListener('close', () => {
    listener.onClose('the main process closed the line')
  })
  port.start()
  queueMicrotask(listener.onOpen)
  return {
    send: (frame) => {
      // Vue's proxies cannot be cloned; frames are plain JSON anyway.
      port.postMessage(JSON.parse(JSON.stringify(frame)))
    },
    close: () => {
      port.close()
    },
  }
}
