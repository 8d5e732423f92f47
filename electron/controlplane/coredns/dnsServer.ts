import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Logger } from '#shared/base/logger.ts'
import type { DnsAnswer } from '#shared/planning/cluster-dns/records.ts'
import { readQuery, writeResponse, type DnsQuestion } from './wireFormat.ts'

export interface DnsServerOptions {
  /** @throws when nothing can be told now: the client is answered SERVFAIL */
  ask(name: string, type: string, signal: AbortSignal): Promise<DnsAnswer>
  logger: Logger
}

const HOST = '127.0.0.1'
/** Tries for a port that is free for both protocols. */
const MAX_TRIES = 20
const MAX_CONNECTIONS = 128
const IDLE_MS = 30_000
const LENGTH_BYTES = 2

/** DNS over UDP and TCP on one loopback port. */
export class DnsServer {
  readonly #options: DnsServerOptions
  readonly #end = new AbortController()
  #udp: DatagramSocket | null = null
  #tcp: Server | null = null
  readonly #connections = new Set<Socket>()

  constructor(options: DnsServerOptions) {
    this.#options = options
  }

  /** @param port 0 picks one that is free for both. @returns the port. @throws Error when it is taken */
  async listen(port: number): Promise<number> {
    for (let tries = 1; ; tries++) {
      try {
        const udp = await this.#listenUdp(port)
        this.#udp = udp
        this.#tcp = await this.#listenTcp(udp.address().port)
        return udp.address().port
      } catch (error) {
        this.#udp?.close()
        this.#udp = null
        if (port !== 0 || tries >= MAX_TRIES) throw error
      }
    }
  }

  async close(): Promise<void> {
    this.#end.abort(new Error('the DNS server is closing'))
    this.#udp?.close()
    for (const connection of this.#connections) connection.destroy()
    const tcp = this.#tcp
    if (tcp !== null)
      await new Promise<void>((resolve) =>
        tcp.close(() => {
          resolve()
        }),
      )
  }

  async #listenUdp(port: number): Promise<DatagramSocket> {
    const socket = createSocket('udp4')
    socket.on('message', (bytes, from) => {
      void this.#respond(bytes, false).then((response) => {
        if (response === null || this.#end.signal.aborted) return
        socket.send(response, from.port, from.address, () => undefined)
      })
    })
    const bound = once(socket, 'listening')
    socket.bind(port, HOST)
    await bound
    socket.on('error', (error) => {
      this.#options.logger.warn('DNS over UDP failed', { error: error.message })
    })
    return socket
  }

  async #listenTcp(port: number): Promise<Server> {
    const server = createServer((connection) => {
      this.#connections.add(connection)
      connection.setTimeout(IDLE_MS, () => connection.destroy())
      connection.on('error', () => connection.destroy())
      connection.on('close', () => this.#connections.delete(connection))
      void this.#serve(connection).catch(() => connection.destroy())
    })
    server.maxConnections = MAX_CONNECTIONS
    const listening = once(server, 'listening')
    server.listen(port, HOST)
    await listening
    return server
  }

  /** Messages of one connection, one after the other, each with its length before it. */
  async #serve(connection: Socket): Promise<void> {
    let rest = Buffer.alloc(0)
    for await (const part of connection as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, part])
      while (rest.length >= LENGTH_BYTES && rest.length >= LENGTH_BYTES + rest.readUInt16BE(0)) {
        const end = LENGTH_BYTES + rest.readUInt16BE(0)
        const response = await this.#respond(rest.subarray(LENGTH_BYTES, end), true)
        rest = rest.subarray(end)
        // What is no query ends the connection: the next length would be anybody's guess.
        if (response === null) {
          connection.destroy()
          return
        }
        const length = Buffer.alloc(LENGTH_BYTES)
        length.writeUInt16BE(response.length)
        if (!connection.write(Buffer.concat([length, response]))) await once(connection, 'drain', { signal: this.#end.signal })
      }
    }
  }

  /** Null: nothing is answered. */
  async #respond(bytes: Buffer, overTcp: boolean): Promise<Buffer | null> {
    const received = readQuery(bytes)
    if ('ignored' in received) return null
    if ('refusal' in received) return received.refusal
    return writeResponse(received.question, await this.#ask(received.question), overTcp)
  }

  async #ask(question: DnsQuestion): Promise<DnsAnswer | { status: 'SERVFAIL' }> {
    if (question.class !== 'IN') return { status: 'REFUSED', answers: [], authority: [], additional: [] }
    try {
      return await this.#options.ask(question.asked, question.type, this.#end.signal)
    } catch (error) {
      this.#options.logger.warn('a DNS question was not answered', { name: question.asked, error: error instanceof Error ? error.message : String(error) })
      return { status: 'SERVFAIL' }
    }
  }
}
