import type { Duplex } from 'node:stream'
import type { Clock } from '#shared/base/clock.ts'
import type { Status } from '#shared/kubernetes/status.ts'
import type { CommandChannels, CommandStreams } from './remoteCommand.ts'
import { SpdyConnection, type SpdyStream } from './spdyConnection.ts'

/** Versions of the remote command protocol over SPDY, best first. */
export const SPDY_COMMAND_PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const

/** Upstream's time for a client to open all its streams. */
const STREAM_CREATION_MS = 30_000

const NOTHING: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }) }

/**
 * Waits until the client opened the streams its request announced.
 *
 * @param run gets the channels; the connection is read beside it and ends with it
 */
export async function spdyCommand(
  duplex: Duplex,
  { streams, protocol, clock }: { streams: CommandStreams; protocol: string; clock: Clock },
  run: (channels: CommandChannels) => Promise<void>,
): Promise<void> {
  const opened = new Map<string, SpdyStream>()
  const wanted = new Set([
    'error',
    ...(streams.stdin ? ['stdin'] : []),
    ...(streams.stdout ? ['stdout'] : []),
    ...(streams.stderr ? ['stderr'] : []),
    ...(streams.tty && /^v[34]/.test(protocol) ? ['resize'] : []),
  ])
  let complete: () => void = () => undefined
  const all = new Promise<void>((resolve) => {
    complete = resolve
  })
  const connection = new SpdyConnection(duplex, (stream) => {
    const type = stream.headers.get('streamtype') ?? ''
    if (!wanted.has(type) || opened.has(type)) return false
    opened.set(type, stream)
    if (opened.size === wanted.size) complete()
    return true
  })
  const reading = connection.run()
  const cancel = clock.schedule(STREAM_CREATION_MS, () => {
    duplex.destroy()
  })
  await Promise.race([all, reading])
  cancel()
  if (opened.size === wanted.size)
    await run({
      stdin: opened.get('stdin')?.input ?? NOTHING,
      resize: opened.get('resize')?.input ?? NOTHING,
      write: (stream, bytes) => opened.get(stream)?.write(bytes) ?? Promise.resolve(),
      finish: async (status) => {
        await opened.get('stdout')?.end()
        await opened.get('stderr')?.end()
        await opened.get('error')?.write(errorBytes(status, protocol))
        await opened.get('error')?.end()
        await connection.close()
      },
    })
  else duplex.destroy()
  await reading
}

/** Version 4 tells a Status; the ones before it a message, and nothing on success. */
function errorBytes(status: Status, protocol: string): Uint8Array {
  const text = protocol.startsWith('v4') ? JSON.stringify(status) : status.status === 'Success' ? '' : (status.message ?? '')
  return new TextEncoder().encode(text)
}
