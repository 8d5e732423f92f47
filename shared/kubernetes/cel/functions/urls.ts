import { CelFunctionError } from '../functionError.ts'
import type { CelFunction } from '../interface.ts'

/** A `url("https://host/path")` in an expression: Go's net/url of an absolute URI or an absolute path. */
export class CelUrl {
  readonly text: string
  readonly scheme: string
  readonly host: string
  readonly path: string
  readonly query: string

  constructor(text: string, parts: { scheme: string; host: string; path: string; query: string }) {
    this.text = text
    this.scheme = parts.scheme
    this.host = parts.host
    this.path = parts.path
    this.query = parts.query
  }

  equals(other: unknown): boolean {
    return other instanceof CelUrl && this.text === other.text
  }

  get hostname(): string {
    const literal = /^\[([^\]]*)\]/.exec(this.host)
    return literal === null ? this.host.replace(/:\d*$/, '') : (literal[1] ?? '')
  }

  get port(): string {
    return /:(\d*)$/.exec(this.host.replace(/^\[[^\]]*\]/, ''))?.[1] ?? ''
  }
}

/** @returns the message of Go's ParseRequestURI when the text is no URL */
export function parseUrl(text: string): CelUrl | string {
  const bad = (reason: string): string => `parse ${JSON.stringify(text)}: ${reason}`
  if (text === '') return bad('empty url')
  if (/[\x00-\x1f\x7f]/.test(text)) return bad('net/url: invalid control character in URL')
  const parts = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?]*))?([^?]*)(?:\?(.*))?$/s.exec(text)
  const [, scheme = '', authority, path = '', query = ''] = parts ?? []
  if (/^:/.test(text)) return bad('missing protocol scheme')
  if (scheme === '' && !text.startsWith('/')) return bad('invalid URI for request')
  if (scheme !== '' && authority === undefined && !path.startsWith('/')) return bad('invalid URI for request')
  const escape = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(path)
  if (escape !== null) return bad(`invalid URL escape ${JSON.stringify(escape[0])}`)
  const host = (authority ?? '').replace(/^.*@/s, '')
  const odd = /[ <>"\\^`{|}]/.exec(host)
  if (odd !== null) return bad(`invalid character ${JSON.stringify(odd[0])} in host name`)
  const port = /:([^:\]]*)$/.exec(host.replace(/^\[[^\]]*\]/, ''))
  if (port !== null && !/^\d*$/.test(port[1] ?? '')) return bad(`invalid port ${JSON.stringify(port[0])} after host`)
  return new CelUrl(text, { scheme: scheme.toLowerCase(), host, path, query })
}

/** Go's EscapedPath keeps a path that is validly escaped, and escapes what is not. */
function escapedPath({ path }: CelUrl): string {
  return /^(?:[A-Za-z0-9\-_.~!$&'()*+,;=:@/[\]]|%[0-9a-fA-F]{2})*$/.test(path)
    ? path
    : encodeURI(decodeURIComponent(path)).replace(/[?#]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)
}

function query({ query: text }: CelUrl): Map<string, string[]> {
  const values = new Map<string, string[]>()
  const decode = (part: string): string => {
    try {
      return decodeURIComponent(part.replaceAll('+', ' '))
    } catch {
      return part
    }
  }
  for (const pair of text.split('&')) {
    if (pair === '' || pair.includes(';')) continue
    const at = pair.indexOf('=')
    const [key, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
    values.set(decode(key), [...(values.get(decode(key)) ?? []), decode(value)])
  }
  return values
}

/** Kubernetes' URL library. */
export const urlFunctions: readonly CelFunction[] = [
  {
    signature: 'url(string): URL',
    call: (text: string) => {
      const url = parseUrl(text)
      if (typeof url === 'string') throw new CelFunctionError(`URL parse error during conversion from string: ${url}`)
      return url
    },
  },
  { signature: 'isURL(string): bool', call: (text: string) => typeof parseUrl(text) !== 'string' },
  { signature: 'URL.getScheme(): string', call: (url: CelUrl) => url.scheme },
  { signature: 'URL.getHost(): string', call: (url: CelUrl) => url.host },
  { signature: 'URL.getHostname(): string', call: (url: CelUrl) => url.hostname },
  { signature: 'URL.getPort(): string', call: (url: CelUrl) => url.port },
  { signature: 'URL.getEscapedPath(): string', call: escapedPath },
  { signature: 'URL.getQuery(): map<string, list<string>>', call: query },
]
