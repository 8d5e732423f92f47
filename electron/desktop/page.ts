import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'
import { protocol, session } from 'electron'

export const SCHEME = 'drydock'
export const ORIGIN = `${SCHEME}://app`

/** Whether an address is the app's own page. Not by `origin`, which is "null" for schemes that URL does not know. */
export function isOwnPage(url: string): boolean {
  const { protocol, host } = URL.parse(url) ?? { protocol: '', host: '' }
  return `${protocol}//${host}` === ORIGIN
}

const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
const HEADERS = { 'content-security-policy': CONTENT_SECURITY_POLICY, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' }
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

/** The file that an address of the page stands for, or null: nothing outside the built page, no folders. */
function fileOf(url: string, pageDir: string): string | null {
  const parsed = URL.parse(url)
  if (parsed === null || !isOwnPage(url)) return null
  try {
    const path = decodeURIComponent(parsed.pathname)
    const file = normalize(join(pageDir, path === '/' ? 'index.html' : path))
    return file.startsWith(pageDir + sep) && (statSync(file, { throwIfNoEntry: false })?.isFile() ?? false) ? file : null
  } catch {
    // Names that cannot be decoded, or that no file can have.
    return null
  }
}

/** Serves the built page, and nothing else, under the scheme. */
export function servePageFiles(pageDir: string): void {
  protocol.handle(SCHEME, async (request) => {
    const file = request.method === 'GET' ? fileOf(request.url, pageDir) : null
    if (file === null) return new Response('there is no such file', { status: 404, headers: HEADERS })
    // Electron's own fs reads from the package's archive too.
    return new Response(await readFile(file), { headers: { ...HEADERS, 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' } })
  })
}

/** The page has no business on the network: what is not the app's own is cancelled before it leaves. DevTools load their own parts. */
export function stayOffTheNetwork(): void {
  session.defaultSession.webRequest.onBeforeRequest(({ url }, answer) => {
    answer({ cancel: !isOwnPage(url) && !/^(devtools|data|blob):/.test(url) })
  })
}
