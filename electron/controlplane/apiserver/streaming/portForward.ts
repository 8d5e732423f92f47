import type { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import type { Clock } from '#shared/base/clock.ts'
import { ByteQueue } from './byteQueue.ts'
import { SpdyConnection, type SpdyStream } from './spdyConnection.ts'

export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io'
/** WebSocket subprotocols that carry the bytes of a SPDY connection begin with this. */
export const TUNNEL_PREFIX = 'SPDY/3.1+'
/** Without SPDY: two channels for each port of the query, data and error. */
export const WEBSOCKET_PORT_PROTOCOLS = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'] as const

/** Upstream's time for the second stream of a pair. */
const PAIR_MS = 30_000

/** Opens a connection to a port of the pod. @throws Error with what the client is to read */
export type ConnectPort = (port: number, signal: AbortSignal) => Promise<Duplex>

interface Pair {
  data?: SpdyStream
  error?: SpdyStream
  /** Stops waiting for the other stream. */
  complete(): void
}

/** Forwards connections over SPDY until the client goes away: each is a pair of streams with one request id. */
export async function forwardOverSpdy(duplex: Duplex, { connect, clock, signal }: { connect: ConnectPort; clock: Clock; signal: AbortSignal }): Promise<void> {
  const pairs = new Map<string, Pair>()
  const connection = new SpdyConnection(duplex, (stream) => {
    const type = stream.headers.get('streamtype')
    const port = Number(stream.headers.get('port'))
    if ((type !== 'data' && type !== 'error') || !Number.isInteger(port) || port < 1 || port > 65_535) return false
    // Clients without request ids open the error stream first and the data stream next.
    const requestId = stream.headers.get('requestid') ?? String(type === 'error' ? stream.id : stream.id - 2)
    const waiting = pairs.get(requestId)
    if (waiting === undefined) {
      const complete = clock.schedule(PAIR_MS, () => {
        pairs.delete(requestId)
        void stream.reset()
      })
      pairs.set(requestId, { [type]: stream, complete })
      return true
    }
    if (waiting[type] !== undefined) return false
    waiting.complete()
    pairs.delete(requestId)
    const { data = stream, error = stream } = waiting
    void forward({ data, error }, port, connect, signal)
    return true
  })
  await connection.run()
  for (const { complete } of pairs.values()) complete()
}

/** One connection: `error` tells why there is none, and is ended at once when there is. */
async function forward({ data, error }: { data: SpdyStream; error: SpdyStream }, port: number, connect: ConnectPort, signal: AbortSignal): Promise<void> {
  let target: Duplex
  try {
    target = await connect(port, signal)
  } catch (failed) {
    await error.write(Buffer.from(failed instanceof Error ? failed.message : String(failed)))
    await error.end()
    await data.end()
    return
  }
  await carry(target, data.input, (bytes) => data.write(bytes))
  await data.end()
  await error.end()
}

/** Both directions at once; settles when the target wrote its last byte. */
async function carry(target: Duplex, input: ByteQueue, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  target.on('error', () => undefined)
  const sending = (async (): Promise<void> => {
    for await (const bytes of input) {
      if (target.destroyed) return
      if (!target.write(bytes))
        await new Promise<void>((resolve) => {
          target.once('drain', resolve).once('close', resolve)
        })
    }
    target.end()
  })()
  try {
    for await (const bytes of target as AsyncIterable<Uint8Array>) await write(bytes)
  } catch {
    // A connection that breaks ends as one that closes.
  }
  input.cancel()
  await sending
}

/** Forwards one connection for each port over WebSocket channels: 2n carries data, 2n+1 tells errors. Each begins with its port, little-endian. */
export async function forwardOverChannels(
  socket: WebSocket,
  { connect, ports, protocol, signal }: { connect: ConnectPort; ports: readonly number[]; protocol: string; signal: AbortSignal },
): Promise<void> {
  const base64 = protocol.includes('base64')
  const inputs = ports.map(() => new ByteQueue())
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
  socket.on('message', (raw: RawData) => {
    const message = Array.isArray(raw) ? Buffer.concat(raw) : Buffer.isBuffer(raw) ? raw : Buffer.from(raw)
    if (message.length === 0) return
    const channel = base64 ? (message[0] ?? 0) - 0x30 : (message[0] ?? 0)
    if (channel % 2 !== 0) return
    socket.pause()
    const payload = base64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1)
    void (inputs[channel / 2]?.push(payload) ?? Promise.resolve()).then(() => {
      socket.resume()
    })
  })
  socket.on('close', () => {
    for (const input of inputs) input.end()
  })
  for (const [index, port] of ports.entries()) {
    const announced = Buffer.alloc(2)
    announced.writeUInt16LE(port)
    await send(2 * index, announced)
    await send(2 * index + 1, announced)
  }
  await Promise.all(
    ports.map(async (port, index) => {
      try {
        await carry(await connect(port, signal), inputs[index] ?? new ByteQueue(), (bytes) => send(2 * index, bytes))
      } catch (failed) {
        await send(2 * index + 1, Buffer.from(failed instanceof Error ? failed.message : String(failed)))
      }
    }),
  )
  socket.close(1000)
}
