import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize, sep } from 'node:path'
import { WebSocketServer } from 'ws'
import type { Logger } from '#shared/base/logger.ts'
import type { Dispatcher } from './api/dispatcher.ts'
import { serveWebSocket } from './api/webSocket.ts'

export interface ServeOptions {
  dispatcher: Dispatcher
  /** The built page: index.html and its assets. */
  pageDir: string
  port: number
  logger: Logger
}

export interface ServedPage {
  /** With the one-time token. */
  url: string
  close(): Promise<void>
}

const COOKIE = 'drydock-session'
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.png': 'image/png',
  '.json': 'application/json',
  '.map': 'application/json',
}

/** What the page may load and reach: itself. Styles are set by scripts of the chart and editor libraries. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const SECURITY_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
const equal = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

/**
 * Serves the page to a browser on 127.0.0.1. Who has the one-time token gets a session cookie; everything but the page's own
 * files needs it. Requests of other hosts and origins are refused.
 */
export async function servePage({ dispatcher, pageDir, port, logger }: ServeOptions): Promise<ServedPage> {
  if (!existsSync(join(pageDir, 'index.html'))) throw new Error(`the page is not built: ${join(pageDir, 'index.html')} is missing. Run npm run build`)
  let token = randomBytes(32).toString('base64url')
  const session = randomBytes(32).toString('base64url')
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 8 * 2 ** 20 })
  const hosts = (): string[] => {
    const bound = String((server.address() as AddressInfo).port)
    return [`127.0.0.1:${bound}`, `localhost:${bound}`]
  }
  const refused = (request: IncomingMessage): string | null => {
    const { host = '', origin } = request.headers
    if (!hosts().includes(host)) return 'this address is not served'
    return origin !== undefined && !hosts().some((each) => origin === `http://${each}`) ? 'other pages may not ask' : null
  }
  const hasSession = (request: IncomingMessage): boolean => {
    const cookie = (request.headers.cookie ?? '')
      .split(';')
      .map((part) => part.trim())
      .find((part) => part.startsWith(`${COOKIE}=`))
    return cookie !== undefined && equal(cookie.slice(COOKIE.length + 1), session)
  }
  const server: Server = createServer((request, response) => {
    const why = refused(request)
    if (why !== null) answer(response, 403, why)
    else if (request.method === 'POST' && request.url === '/session') {
      const given = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
      if (!equal(given, token)) {
        answer(response, 403, 'the token is not valid (any more); open the address that drydock serve printed last')
        return
      }
      // Used once; a page that is opened anew has its cookie.
      token = randomBytes(32).toString('base64url')
      response.writeHead(204, { ...SECURITY_HEADERS, 'set-cookie': `${COOKIE}=${session}; HttpOnly; SameSite=Strict; Path=/` }).end()
    } else if (request.method === 'GET' && request.url === '/session') {
      // A browser cannot see why a WebSocket was refused; here it can.
      answer(response, hasSession(request) ? 200 : 401, hasSession(request) ? 'signed in' : 'not signed in')
    } else if (request.method === 'GET' || request.method === 'HEAD') sendFile(response, pageDir, request.url ?? '/')
    else answer(response, 405, 'this is not served')
  })
  server.on('upgrade', (request, socket, head) => {
    const why =
      refused(request) ??
      (request.headers.origin === undefined ? 'no origin' : null) ??
      (request.url !== '/contract' ? 'this is not served' : null) ??
      (hasSession(request) ? null : 'no session')
    if (why !== null) {
      socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${why}\n`)
      return
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      serveWebSocket(webSocket, dispatcher)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  server.on('error', (error) => {
    logger.error('the page server failed', { error: error.message })
  })
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/#token=${token}`,
    close: () =>
      new Promise((resolve) => {
        for (const client of sockets.clients) client.terminate()
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...SECURITY_HEADERS, 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
}

function sendFile(response: ServerResponse, pageDir: string, url: string): void {
  let path: string
  try {
    path = decodeURIComponent(new URL(url, 'http://page').pathname)
  } catch {
    answer(response, 400, 'the address cannot be read')
    return
  }
  const file = normalize(join(pageDir, path === '/' ? 'index.html' : path))
  if (!file.startsWith(pageDir + sep) || !existsSync(file) || !statSync(file).isFile()) {
    answer(response, 404, 'there is no such file')
    return
  }
  const type = TYPES[extname(file)] ?? 'application/octet-stream'
  // Assets carry a hash in their names.
  const cache = path.startsWith('/assets/') ? 'private, max-age=31536000, immutable' : 'no-store'
  response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': type, 'cache-control': cache, 'content-length': String(statSync(file).size) })
  createReadStream(file).pipe(response)
}
