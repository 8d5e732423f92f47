import type { ClientFrame, ServerFrame } from '#shared/contract/wire.ts'

/** One connection to the main process, alive until it says `onClose`; over a WebSocket or a MessagePort. */
export interface Line {
  send(frame: ClientFrame): void
  close(): void
}

export interface LineListener {
  onOpen: () => void
  onFrame: (frame: ServerFrame) => void
  /** Called once; nothing follows. `message` says why, in words for the person. */
  onClose: (message: string) => void
}

/** Opens a line; the outcome comes by the listener. */
export type OpenLine = (listener: LineListener) => Line
