import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { extname, posix } from 'node:path'
import { duplexPair, type Duplex } from 'node:stream'
import type { ServeBehaviour } from './behaviour.ts'
import type { FileTree } from './shell/fileTree.ts'

export interface ContainerServerOptions {
  serves: ServeBehaviour
  image: string
  tag: string
  hostname: string
  files: () => FileTree
  /** A request was answered. */
  served(request: { from: string; method: string; url: string; status: number; bytes: number; agent: string }): void
}

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'application/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.txt': 'text/plain',
}

/**
 * The HTTP server of a simulated container. It opens no port of this machine: connections are handed to it.
 *
 * Images of web servers answer with the files below their document root in the container, so a file that was put there
 * is served; all others answer every path with a line of text.
 */
export class ContainerServer {
  readonly #options: ContainerServerOptions
  readonly #server = createServer((request, response) => {
    this.#answer(request, response)
  })
  readonly #connections = new Set<Duplex>()

  constructor(options: ContainerServerOptions) {
    this.#options = options
  }

  /** @returns the client's end of a new connection */
  connect(from: string): Duplex {
    const [client, server] = duplexPair()
    Object.defineProperty(server, 'remoteAddress', { value: from })
    this.#connections.add(server)
    server.on('error', () => undefined)
    server.on('close', () => {
      this.#connections.delete(server)
      client.destroy()
    })
    client.on('close', () => {
      server.destroy()
    })
    this.#server.emit('connection', server)
    return client
  }

  close(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = 'GET', url = '/' } = request
    request.resume()
    const { status, type, body } = this.#content(method, url)
    const server = this.#options.serves.server?.replace('{tag}', this.#options.tag)
    response.writeHead(status, { 'content-type': type, 'content-length': body.length, ...(server === undefined ? {} : { server }) })
    response.end(method === 'HEAD' ? undefined : body)
    this.#options.served({ from: request.socket.remoteAddress ?? '-', method, url, status, bytes: body.length, agent: request.headers['user-agent'] ?? '-' })
  }

  #content(method: string, url: string): { status: number; type: string; body: Buffer } {
    const { serves, image, hostname } = this.#options
    if (serves.root === undefined)
      return {
        status: 200,
        type: 'text/plain',
        body: Buffer.from(serves.text ?? `${method} ${url}\nanswered by ${image} in pod ${hostname}, a simulated container of Drydock\n`),
      }
    if (method !== 'GET' && method !== 'HEAD') return page(405, 'Method Not Allowed')
    const path = pathOf(url)
    if (path === null) return page(400, 'Bad Request')
    try {
      let host = this.#options.files().host(posix.join(serves.root, path))
      if (existsSync(host) && statSync(host).isDirectory()) host = posix.join(host, 'index.html')
      if (!existsSync(host)) return page(404, 'Not Found')
      return { status: 200, type: TYPES[extname(host)] ?? 'application/octet-stream', body: readFileSync(host) }
    } catch {
      // A link out of the container.
      return page(403, 'Forbidden')
    }
  }
}

/** The first page of a web server's image, unless there is one already. */
export function seedDocumentRoot(files: FileTree, { root }: ServeBehaviour, { image, hostname }: { image: string; hostname: string }): void {
  if (root === undefined) return
  const directory = files.host(root)
  if (existsSync(directory)) return
  mkdirSync(directory, { recursive: true })
  writeFileSync(
    posix.join(directory, 'index.html'),
    `<!DOCTYPE html>\n<html>\n<head><title>${image}</title></head>\n<body>\n<h1>${image}</h1>\n<p>Served from ${root}/index.html in pod ${hostname}, a simulated container of Drydock.</p>\n</body>\n</html>\n`,
  )
}

/** Without the query, and never above the root. */
function pathOf(url: string): string | null {
  try {
    return posix.normalize(`/${decodeURIComponent(url.split('?')[0] ?? '/')}`)
  } catch {
    return null
  }
}

function page(status: number, text: string): { status: number; type: string; body: Buffer } {
  return {
    status,
    type: 'text/html',
    body: Buffer.from(`<!DOCTYPE html>\n<html><head><title>${String(status)} ${text}</title></head><body><h1>${String(status)} ${text}</h1></body></html>\n`),
  }
}
