import { duplexPair, type Duplex } from 'node:stream'
import type { Sockets } from './shell/process.ts'

type Accept = Parameters<Sockets['listen']>[1]
type Answer = Parameters<Sockets['receive']>[1]

/** The ports a container's programs listen on. No port of this machine is opened. */
export class ContainerPorts implements Sockets {
  readonly #accepting = new Map<number, Accept>()
  readonly #receiving = new Map<number, Answer>()

  has(port: number): boolean {
    return this.#accepting.has(port)
  }

  listen(port: number, accept: Accept): void {
    if (this.#accepting.has(port)) throw new Error(`listen tcp :${String(port)}: bind: address already in use`)
    this.#accepting.set(port, accept)
  }

  receive(port: number, answer: Answer): void {
    this.#receiving.set(port, answer)
  }

  /** @returns the client's end; null when nobody listens */
  connect(port: number, from: string): Duplex | null {
    const accept = this.#accepting.get(port)
    if (accept === undefined) return null
    const [client, server] = duplexPair()
    Object.defineProperty(server, 'remoteAddress', { value: from })
    server.on('error', () => undefined)
    server.on('close', () => {
      client.destroy()
    })
    client.on('close', () => {
      server.destroy()
    })
    accept(server)
    return client
  }

  /** @returns undefined when nobody receives */
  exchange(port: number, message: Buffer, from: string): Buffer | null | undefined {
    return this.#receiving.get(port)?.(message, from)
  }
}
