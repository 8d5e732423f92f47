import { connect, type TLSSocket } from 'node:tls'

export interface TlsTarget {
  port: number
  ca: string
  cert: string
  key: string
}

export interface Http1Answer {
  status: number
  /** Of the body as it came, compressed or not. */
  bytes: number
  /** Kept only when asked for. */
  body: Buffer | null
}

interface Waiting {
  keep: boolean
  resolve: (answer: Http1Answer) => void
  reject: (error: Error) => void
}

/**
 * One HTTP/1.1 connection that costs next to nothing, so that the load and not the client is measured: requests are bytes made
 * before the clock runs, bodies are counted and thrown away.
 */
export class Http1Connection {
  readonly #socket: TLSSocket
  #waiting: Waiting | null = null
  #head: Buffer = Buffer.alloc(0)
  #status = 0
  /** Bytes of the body or chunk still to come; -1 while the head is read, -2 while a chunk's size is read. */
  #left = -1
  #chunked = false
  #bytes = 0
  #parts: Buffer[] = []

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.on('data', (data: Buffer) => {
      this.#read(data)
    })
    const fail = (error: Error): void => {
      this.#waiting?.reject(error)
      this.#waiting = null
    }
    socket.on('error', fail)
    socket.on('close', () => {
      fail(new Error('the connection was closed'))
    })
  }

  static open({ port, ca, cert, key }: TlsTarget): Promise<Http1Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ca, cert, key, ALPNProtocols: ['http/1.1'] }, () => {
        resolve(new Http1Connection(socket))
      })
      socket.setNoDelay(true)
      socket.once('error', reject)
    })
  }

  /** One request at a time. */
  request(bytes: Buffer, keep = false): Promise<Http1Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { keep, resolve, reject }
      this.#socket.write(bytes)
    })
  }

  /** Hands over all that comes from now on: an endless answer. */
  stream(bytes: Buffer, onData: (data: Buffer) => void): void {
    this.#socket.removeAllListeners('data')
    this.#socket.on('data', onData)
    this.#socket.write(bytes)
  }

  close(): void {
    this.#socket.destroy()
  }

  #read(data: Buffer): void {
    let rest = data
    while (rest.length > 0) {
      if (this.#left >= 0 && !(this.#chunked && this.#left === 0)) rest = this.#take(rest)
      else {
        this.#head = this.#head.length === 0 ? rest : Buffer.concat([this.#head, rest])
        const next = this.#left === -1 ? this.#readHead() : this.#readChunkSize()
        if (next === null) return
        rest = next
      }
      if (this.#left === 0 && !this.#chunked) this.#done()
    }
  }

  #take(data: Buffer): Buffer {
    const count = Math.min(data.length, this.#left)
    // A chunk is followed by CRLF, which is counted in `left` and not in the body.
    const counted = this.#chunked ? Math.max(0, Math.min(count, this.#left - 2)) : count
    this.#bytes += counted
    if (this.#waiting?.keep === true) this.#parts.push(data.subarray(0, counted))
    this.#left -= count
    if (this.#chunked && this.#left === 0) this.#left = -2
    return data.subarray(count)
  }

  #readHead(): Buffer | null {
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) return null
    const head = this.#head.toString('latin1', 0, end).toLowerCase()
    const rest = this.#head.subarray(end + 4)
    this.#head = Buffer.alloc(0)
    this.#status = Number(head.slice(9, 12))
    this.#chunked = head.includes('transfer-encoding: chunked')
    this.#left = this.#chunked ? -2 : Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0)
    return rest
  }

  #readChunkSize(): Buffer | null {
    const end = this.#head.indexOf('\r\n')
    if (end < 0) return null
    const size = parseInt(this.#head.toString('latin1', 0, end), 16)
    if (size === 0 && this.#head.length < end + 4) return null
    const rest = this.#head.subarray(size === 0 ? end + 4 : end + 2)
    this.#head = Buffer.alloc(0)
    if (size === 0) {
      this.#chunked = false
      this.#left = 0
    } else this.#left = size + 2
    return rest
  }

  #done(): void {
    const waiting = this.#waiting
    const answer = { status: this.#status, bytes: this.#bytes, body: waiting?.keep === true ? Buffer.concat(this.#parts) : null }
    this.#waiting = null
    this.#left = -1
    this.#bytes = 0
    this.#parts = []
    waiting?.resolve(answer)
  }
}

/** A request as bytes. */
export function http1Request(method: string, path: string, options: { headers?: Record<string, string>; body?: string } = {}): Buffer {
  const body = Buffer.from(options.body ?? '')
  const headers: Record<string, string> = { host: '127.0.0.1', accept: 'application/json', 'user-agent': 'load/1', ...options.headers }
  if (options.body !== undefined) headers['content-length'] = String(body.length)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), body])
}
