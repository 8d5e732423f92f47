import type { Session } from './session.ts'

/** Chromium's `Fetch.requestPaused`. */
export interface PausedRequest {
  requestId: string
  frameId: string
  resourceType: string
  request: { url: string; method: string; headers: Record<string, string>; postData?: string }
}

interface Answering {
  session: Session
  mayNavigate: (url: string) => boolean
  send: (method: string, params: object) => Promise<unknown>
}

let lastId = 0

const RESOURCE_TYPES: Readonly<Record<string, string>> = {
  Document: 'mainFrame',
  Stylesheet: 'stylesheet',
  Script: 'script',
  Image: 'image',
  Font: 'font',
  XHR: 'xhr',
  Fetch: 'xhr',
  Ping: 'ping',
  CSPViolationReport: 'cspReport',
  Media: 'media',
  WebSocket: 'webSocket',
}

/** Answers one request of a page: from the app's own protocol, or not at all, since nothing outside is reached from here. */
export async function answerRequest({ requestId, resourceType, request }: PausedRequest, { session, mayNavigate, send }: Answering): Promise<void> {
  const url = session.protocol.real(request.url)
  const fail = (errorReason: string): Promise<unknown> => send('Fetch.failRequest', { requestId, errorReason })
  try {
    if (resourceType === 'Document' && !mayNavigate(url)) {
      await fail('Aborted')
      return
    }
    const details = { id: ++lastId, url, method: request.method, resourceType: RESOURCE_TYPES[resourceType] ?? 'other' }
    if (!(await session.webRequest.allows(details))) {
      await fail('BlockedByClient')
      return
    }
    const handler = session.protocol.handlerOf(url)
    if (handler === null) {
      await fail('InternetDisconnected')
      return
    }
    const body = request.postData === undefined ? {} : { body: request.postData }
    const response = await handler(new Request(url, { method: request.method, headers: request.headers, ...body }))
    await send('Fetch.fulfillRequest', {
      requestId,
      responseCode: response.status,
      responseHeaders: [...response.headers].map(([name, value]) => ({ name, value })),
      body: Buffer.from(await response.arrayBuffer()).toString('base64'),
    })
  } catch (error) {
    process.stderr.write(`stand-in: ${url}: ${String(error)}\n`)
    // As Electron when a handler throws: the page sees net::ERR_UNEXPECTED.
    await fail('Failed').catch(() => undefined)
  }
}
