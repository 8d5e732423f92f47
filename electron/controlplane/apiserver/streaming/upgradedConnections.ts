import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocketServer, type WebSocket } from 'ws'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import { forwardOverChannels, forwardOverSpdy, PORT_FORWARD_PROTOCOL, TUNNEL_PREFIX, WEBSOCKET_PORT_PROTOCOLS } from './portForward.ts'
import { internalStatus, serveCommand } from './remoteCommand.ts'
import { SPDY_COMMAND_PROTOCOLS, spdyCommand } from './spdyCommand.ts'
import type { StreamTarget } from './streamTarget.ts'
import { webSocketCommand, WEBSOCKET_COMMAND_PROTOCOLS } from './webSocketCommand.ts'

/** A connection that asks to be upgraded: nothing was answered yet. */
export interface UpgradeRequest {
  request: IncomingMessage
  socket: Duplex
  /** Bytes that came right after the request. */
  head: Buffer
  signal: AbortSignal
}

/** Why a connection was not upgraded: an answer in plain HTTP. */
export interface UpgradeRefusal {
  status: number
  text: string
}

/** Of streams that only the server writes. */
const WEBSOCKET_READER_PROTOCOLS = ['binary.k8s.io', 'base64.binary.k8s.io'] as const

/** A client may not send larger messages; kubectl's are 32 KiB. */
const MAX_MESSAGE_BYTES = 4 * 2 ** 20

/** Upgrades connections to SPDY/3.1 or WebSocket and joins them to containers. */
export class UpgradedConnections {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #agreed = new WeakMap<IncomingMessage, string>()
  readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, clientTracking: false })

  constructor({ clock, logger }: { clock: Clock; logger: Logger }) {
    this.#clock = clock
    this.#logger = logger
    // The subprotocols have characters that the header's grammar does not allow, so they are agreed on here.
    this.#webSockets.on('headers', (headers, request) => {
      const agreed = this.#agreed.get(request)
      if (agreed !== undefined) headers.push(`Sec-WebSocket-Protocol: ${agreed}`)
    })
  }

  /**
   * Settles when the connection ended.
   *
   * @returns why there was no upgrade, null when there was
   * @throws StatusError when the node could not be asked
   */
  async serve(target: StreamTarget, upgrade: UpgradeRequest): Promise<UpgradeRefusal | null> {
    const protocol = (upgrade.request.headers.upgrade ?? '').toLowerCase()
    if (protocol === 'websocket') return this.#webSocket(target, upgrade)
    if (protocol === 'spdy/3.1') return this.#spdy(target, upgrade)
    return { status: 400, text: `unable to upgrade: ${JSON.stringify(protocol)} is not served; use websocket or SPDY/3.1` }
  }

  async #spdy(target: StreamTarget, { request, socket, head, signal }: UpgradeRequest): Promise<UpgradeRefusal | null> {
    if (target.kind === 'bytes') return { status: 400, text: 'unable to upgrade: this is served over websocket only' }
    const served = target.kind === 'command' ? SPDY_COMMAND_PROTOCOLS : [PORT_FORWARD_PROTOCOL]
    const offered = listOf(request.headers['x-stream-protocol-version'])
    // Clients before there were versions name none.
    const agreed = offered.length === 0 ? served.at(-1) : offered.find((one) => (served as readonly string[]).includes(one))
    if (agreed === undefined)
      return {
        status: 403,
        text: `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${served.join(' ')}]`,
      }
    const accept = (): void => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${agreed}\r\n\r\n`)
      if (head.length > 0) socket.unshift(head)
    }
    if (target.kind === 'ports') {
      accept()
      await forwardOverSpdy(socket, { connect: target.connect, clock: this.#clock, signal })
      return null
    }
    let session
    try {
      session = await target.start(signal)
    } catch (error) {
      // The kubelet's own refusals come as text; that it does not answer is told by the API server.
      if (error instanceof StatusError && error.code !== 500) throw error
      return { status: 500, text: messageOf(error) }
    }
    accept()
    await spdyCommand(socket, { streams: target.streams, protocol: agreed, clock: this.#clock }, (channels) => serveCommand(session, channels))
    return null
  }

  async #webSocket(target: StreamTarget, upgrade: UpgradeRequest): Promise<UpgradeRefusal | null> {
    const offered = listOf(upgrade.request.headers['sec-websocket-protocol'])
    const tunnel = `${TUNNEL_PREFIX}${PORT_FORWARD_PROTOCOL}`
    const served: readonly string[] =
      target.kind === 'command' ? WEBSOCKET_COMMAND_PROTOCOLS : target.kind === 'ports' ? [tunnel, ...WEBSOCKET_PORT_PROTOCOLS] : WEBSOCKET_READER_PROTOCOLS
    const agreed = served.find((one) => offered.includes(one))
    if (agreed === undefined && offered.length > 0)
      return {
        status: 403,
        text: `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${served.join(' ')}]`,
      }
    const socket = await this.#accept(upgrade, agreed)
    socket.on('error', (error) => {
      this.#logger.debug('WebSocket failed', { error: error.message })
    })
    const gone = new Promise<void>((resolve) => {
      socket.once('close', () => {
        resolve()
      })
    })
    if (target.kind === 'bytes') await sendAll(socket, target.stream, agreed ?? '')
    else if (target.kind === 'command') {
      const channels = webSocketCommand(socket, { streams: target.streams, protocol: agreed ?? 'channel.k8s.io' })
      try {
        await serveCommand(await target.start(upgrade.signal), channels)
      } catch (error) {
        await channels.finish(
          error instanceof StatusError && error.code !== 500 ? error.status : internalStatus(`unable to upgrade connection: ${messageOf(error)}`),
        )
      }
    } else if (agreed === tunnel) await forwardOverSpdy(createWebSocketStream(socket), { connect: target.connect, clock: this.#clock, signal: upgrade.signal })
    else await forwardOverChannels(socket, { connect: target.connect, ports: target.ports, protocol: agreed ?? 'v4.channel.k8s.io', signal: upgrade.signal })
    await gone
    return null
  }

  #accept({ request, socket, head }: UpgradeRequest, agreed: string | undefined): Promise<WebSocket> {
    delete request.headers['sec-websocket-protocol']
    if (agreed !== undefined) this.#agreed.set(request, agreed)
    return new Promise((resolve) => {
      this.#webSockets.handleUpgrade(request, socket, head, resolve)
    })
  }
}

/** A message for each piece, an empty one first: that the connection stands. */
async function sendAll(socket: WebSocket, stream: AsyncIterable<Uint8Array | string>, protocol: string): Promise<void> {
  const send = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      if (socket.readyState !== socket.OPEN) resolve()
      else
        socket.send(protocol.startsWith('base64') ? Buffer.from(bytes).toString('base64') : bytes, () => {
          resolve()
        })
    })
  try {
    await send(new Uint8Array(0))
    for await (const piece of stream) await send(Buffer.from(piece))
  } finally {
    socket.close()
  }
}

function listOf(header: string | string[] | undefined): string[] {
  return (Array.isArray(header) ? header.join(',') : (header ?? ''))
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
