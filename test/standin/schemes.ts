import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

// Chromium knows no custom schemes: `drydock://app/x` is shown to it as `https://app.drydock.standin.test/x`.

const SUFFIX = '.standin.test'
type Handler = (request: Request) => Response | Promise<Response>

/** electron.protocol: schemes of the app's own, and who answers for them. */
export class Protocol {
  readonly #privileged = new Set<string>()
  readonly #handlers = new Map<string, Handler>()
  #ready = false

  /** The app is ready: too late for new privileges. */
  becomeReady(): void {
    this.#ready = true
  }

  registerSchemesAsPrivileged(schemes: { scheme: string; privileges?: { standard?: boolean } }[]): void {
    if (this.#ready) throw new Error('protocol.registerSchemesAsPrivileged should be called before app is ready')
    for (const { scheme, privileges } of schemes) if (privileges?.standard === true) this.#privileged.add(scheme)
  }

  handle(scheme: string, handler: Handler): void {
    if (this.#handlers.has(scheme)) throw new Error(`The scheme has been intercepted: ${scheme}`)
    if (!this.#privileged.has(scheme)) throw new Error(`the stand-in shows only standard schemes, and ${scheme} is none`)
    this.#handlers.set(scheme, handler)
  }

  unhandle(scheme: string): void {
    this.#handlers.delete(scheme)
  }

  isProtocolHandled(scheme: string): boolean {
    return this.#handlers.has(scheme)
  }

  handlerOf(url: string): Handler | null {
    return this.#handlers.get(url.slice(0, url.indexOf(':'))) ?? null
  }

  /** The address that Chromium is given for one of the app's. */
  shown(url: string): string {
    const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]+)(.*)$/i.exec(url)
    if (match === null || !this.#privileged.has((match[1] ?? '').toLowerCase())) return url
    return `https://${match[2] ?? ''}.${(match[1] ?? '').toLowerCase()}${SUFFIX}${match[3] ?? ''}`
  }

  /** The app's address for one of Chromium's. */
  real(url: string): string {
    const match = /^https:\/\/([^/?#]+)\.([a-z][a-z0-9+-]*)\.standin\.test(.*)$/.exec(url)
    return match === null ? url : `${match[2] ?? ''}://${match[1] ?? ''}${match[3] ?? ''}`
  }
}

/** electron.net: files alone, since a test reaches for nothing outside. */
export const net = {
  async fetch(input: string | Request): Promise<Response> {
    const url = typeof input === 'string' ? input : input.url
    if (!url.startsWith('file:')) throw new Error(`the stand-in fetches files only, not ${url}`)
    const path = fileURLToPath(url)
    if (!statSync(path).isFile()) throw new Error('net::ERR_FILE_NOT_FOUND')
    return new Response(await readFile(path))
  },
}
