import type { RawData, WebSocket } from 'ws'
import type { Status } from '#shared/kubernetes/status.ts'
import { ByteQueue } from './byteQueue.ts'
import type { CommandChannels, CommandStreams } from './remoteCommand.ts'

/** Versions of the remote command protocol over WebSocket, best first; the base64 ones are for clients without binary messages. */
export const WEBSOCKET_COMMAND_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const

/** The first byte (in base64 protocols: the first digit) of every message. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const
/** Version 5: the byte after this one names a channel that ends. */
const CLOSE_CHANNEL = 255

const CODE_NORMAL = 1000

/** The channels of a WebSocket whose subprotocol was agreed on. */
export function webSocketCommand(socket: WebSocket, { streams, protocol }: { streams: CommandStreams; protocol: string }): CommandChannels {
  const queues = new Map<number, ByteQueue>([
    [CHANNEL.stdin, new ByteQueue()],
    [CHANNEL.resize, new ByteQueue()],
  ])
  const base64 = protocol.includes('base64')
  socket.on('message', (data: RawData, binary) => {
    const message = bytesOf(data)
    if (message.length === 0) return
    // A text message names its channel with a digit.
    const channel = binary && !base64 ? (message[0] ?? 0) : (message[0] ?? 0) - 0x30
    const payload = base64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1)
    if (binary && message[0] === CLOSE_CHANNEL) {
      if (protocol.startsWith('v5')) queues.get(message[1] ?? -1)?.end()
      return
    }
    const queue = queues.get(channel)
    if (queue === undefined) return
    // A program that does not read makes its client wait.
    socket.pause()
    void queue.push(payload).then(() => {
      socket.resume()
    })
  })
  const ended = (): void => {
    for (const queue of queues.values()) queue.end()
  }
  socket.on('close', ended)
  socket.on('error', ended)
  const send = (channel: number, bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      if (socket.readyState !== socket.OPEN) resolve()
      else if (base64)
        socket.send(`${String(channel)}${Buffer.from(bytes).toString('base64')}`, () => {
          resolve()
        })
      else
        socket.send(Buffer.concat([Buffer.of(channel), bytes]), { binary: true }, () => {
          resolve()
        })
    })
  // Says that the connection stands, on the lowest channel that is written.
  void send(streams.stdout ? CHANNEL.stdout : streams.stderr ? CHANNEL.stderr : CHANNEL.error, new Uint8Array(0))
  return {
    stdin: queues.get(CHANNEL.stdin) ?? new ByteQueue(),
    resize: queues.get(CHANNEL.resize) ?? new ByteQueue(),
    write: async (stream, bytes) => {
      if (streams[stream]) await send(CHANNEL[stream], bytes)
    },
    finish: async (status) => {
      for (const queue of queues.values()) queue.cancel()
      const text = errorText(status, protocol)
      if (text !== '') await send(CHANNEL.error, Buffer.from(text))
      socket.close(CODE_NORMAL)
    },
  }
}

/** From version 4 on a Status; before it a message, and nothing on success. */
function errorText(status: Status, protocol: string): string {
  if (/^v[45]/.test(protocol)) return JSON.stringify(status)
  return status.status === 'Success' ? '' : (status.message ?? '')
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return Buffer.isBuffer(data) ? data : Buffer.from(data)
}
