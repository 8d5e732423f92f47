import { failure, type Status } from '#shared/kubernetes/status.ts'
import type { ExecSession } from '../interface.ts'

/** What a client asked to be connected to. */
export interface CommandStreams {
  stdin: boolean
  stdout: boolean
  stderr: boolean
  tty: boolean
}

export interface TerminalSize {
  width: number
  height: number
}

/** The client's end of a remote command, whatever protocol carries it. */
export interface CommandChannels {
  stdin: AsyncIterable<Uint8Array>
  resize: AsyncIterable<Uint8Array>
  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>
  /** Tells how it ended and closes. */
  finish(status: Status): Promise<void>
}

const SUCCESS: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' }

/** How a command's end is told; kubectl takes its own exit code from the cause. */
export function exitStatus(exitCode: number): Status {
  if (exitCode === 0) return SUCCESS
  return {
    metadata: {},
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: `command terminated with non-zero exit code: command terminated with exit code ${String(exitCode)}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  }
}

/** A failure that is no exit code, as in front of kubectl's `error:`. */
export function internalStatus(message: string): Status {
  return failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
}

/** Carries bytes between a running session and its client until the command ended and all output was sent. Never rejects. */
export async function serveCommand(session: ExecSession, channels: CommandChannels): Promise<void> {
  const input = (async (): Promise<void> => {
    for await (const bytes of channels.stdin) await session.write(bytes)
    session.closeStdin()
  })()
  const sizes = (async (): Promise<void> => {
    for await (const size of terminalSizes(channels.resize)) session.resize(size)
  })()
  for (const reading of [input, sizes]) reading.catch(() => undefined)
  let status: Status
  try {
    for await (const { stream, bytes } of session.output()) await channels.write(stream, bytes)
    status = exitStatus(await session.exitCode)
  } catch (error) {
    status = internalStatus(`error executing command in container: ${error instanceof Error ? error.message : String(error)}`)
  }
  await channels.finish(status).catch(() => undefined)
}

/** Sizes come as JSON objects one after the other, cut anywhere. */
async function* terminalSizes(resize: AsyncIterable<Uint8Array>): AsyncGenerator<TerminalSize> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const bytes of resize) {
    text += decoder.decode(bytes, { stream: true })
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const size = parseSize(text.slice(0, end + 1))
      text = text.slice(end + 1)
      if (size !== null) yield size
    }
    // Whole objects were taken out: what is left of a real one is short.
    if (text.length > 1024) return
  }
}

function parseSize(text: string): TerminalSize | null {
  const width = /"Width"\s*:\s*(\d+)/i.exec(text)?.[1]
  const height = /"Height"\s*:\s*(\d+)/i.exec(text)?.[1]
  return width === undefined || height === undefined ? null : { width: Number(width), height: Number(height) }
}
