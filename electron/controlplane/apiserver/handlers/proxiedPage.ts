import type { ApiResponse } from '../request/apiRequest.ts'

/** Pages beyond this are passed on as they are. */
const MAX_PAGE_BYTES = 8 * 2 ** 20
/** Attributes that hold an address, with a path from the server's root. */
const LINK = /(<[a-z][^>]*?\s(?:href|src|action|cite|longdesc|background|poster|data|formaction)\s*=\s*["']?)(\/(?!\/)[^"'\s>]*)/gi

/**
 * Makes the links and redirections of a proxied page stay below the proxy's own path.
 *
 * @see kubernetes apimachinery/pkg/util/proxy/transport.go
 */
export async function belowPrefix(answer: ApiResponse, prefix: string): Promise<ApiResponse> {
  const location = answer.headers['location']
  const headers = location?.startsWith('/') === true && !location.startsWith('//') ? { ...answer.headers, location: `${prefix}${location}` } : answer.headers
  if (!(headers['content-type'] ?? '').startsWith('text/html') || headers['content-encoding'] !== undefined || answer.stream === undefined)
    return { ...answer, headers }
  const parts: Buffer[] = []
  let length = 0
  const rest = answer.stream[Symbol.asyncIterator]()
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    parts.push(Buffer.from(next.value))
    length += next.value.length
    if (length > MAX_PAGE_BYTES) return { ...answer, headers, stream: joined(parts, { [Symbol.asyncIterator]: () => rest }) }
  }
  const page = Buffer.concat(parts)
    .toString('utf8')
    .replace(LINK, (_, before: string, path: string) => `${before}${prefix}${path}`)
  const { stream: _stream, ...whole } = answer
  return { ...whole, headers, body: page }
}

async function* joined(first: readonly Uint8Array[], rest: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array | string> {
  yield* first
  yield* rest
}
