import { existsSync } from 'node:fs'
import { extname, join, normalize, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { net, protocol } from 'electron'

export const SCHEME = 'drydock'
export const ORIGIN = `${SCHEME}://app`

const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** Before the app is ready: the page's own scheme is as good as https. */
export function registerScheme(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } }])
}

/** Serves the built page, and nothing else, under the scheme. */
export function servePageFiles(pageDir: string): void {
  protocol.handle(SCHEME, async (request) => {
    const { host, pathname } = new URL(request.url)
    const file = normalize(join(pageDir, pathname === '/' ? 'index.html' : decodeURIComponent(pathname)))
    if (host !== 'app' || request.method !== 'GET' || !file.startsWith(pageDir + sep) || !existsSync(file))
      return new Response('there is no such file', { status: 404 })
    const answer = await net.fetch(pathToFileURL(file).href)
    return new Response(answer.body, {
      headers: {
        'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
        'content-security-policy': CONTENT_SECURITY_POLICY,
        'x-content-type-options': 'nosniff',
      },
    })
  })
}
