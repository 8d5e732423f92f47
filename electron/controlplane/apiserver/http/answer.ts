import { promisify } from 'node:util'
import { constants, createGzip, gzip } from 'node:zlib'
import type { Logger } from '#shared/base/logger.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { ApiResponse } from '../request/apiRequest.ts'
import type { JoinedBody } from '../request/joinedBody.ts'
import type { AnswerHeaders, Exchange } from './exchange.ts'

const compress = promisify(gzip)
/** Upstream's: smaller answers are not worth it (apiserver, handlers/responsewriters). */
const GZIP_FROM_BYTES = 128 * 1024
const GZIP = { level: constants.Z_BEST_SPEED, chunkSize: 256 * 1024 }

/** Sends an answer, however large, at the client's pace. */
export async function sendAnswer(answer: ApiResponse, exchange: Exchange, logger: Logger): Promise<void> {
  if (exchange.gone.aborted) return
  const headers: AnswerHeaders = { 'cache-control': 'no-cache, private', ...answer.headers }
  if (answer.warnings !== undefined && answer.warnings.length > 0)
    headers['warning'] = [...new Set(answer.warnings)].map((text) => `299 - ${JSON.stringify(text)}`)
  const zips = exchange.headers['accept-encoding']?.includes('gzip') === true
  try {
    if (answer.stream !== undefined) {
      exchange.begin(answer.status, headers)
      await stream(answer.stream, exchange, logger)
    } else if (answer.joined !== undefined) await sendJoined(answer.joined, answer.status, headers, exchange, zips)
    else await sendBody(answer, headers, exchange, zips)
  } catch (error) {
    // The client went while it was being answered.
    logger.debug('answer not sent', { error: error instanceof Error ? error.message : String(error) })
    exchange.abandon()
  }
}

async function sendBody({ status, body }: ApiResponse, headers: AnswerHeaders, exchange: Exchange, zips: boolean): Promise<void> {
  let bytes = typeof body === 'string' ? Buffer.from(body) : body
  if (zips && bytes.length > GZIP_FROM_BYTES) {
    bytes = await compress(bytes, GZIP)
    headers['content-encoding'] = 'gzip'
  }
  if (status !== 304) headers['content-length'] = String(bytes.length)
  exchange.begin(status, headers)
  exchange.end(bytes)
}

async function sendJoined(body: JoinedBody, status: number, headers: AnswerHeaders, exchange: Exchange, zips: boolean): Promise<void> {
  const zipped = zips && body.byteLength > GZIP_FROM_BYTES
  if (zipped) headers['content-encoding'] = 'gzip'
  else headers['content-length'] = String(body.byteLength)
  exchange.begin(status, headers)
  if (exchange.method === 'HEAD') exchange.end()
  else if (zipped) await sendZipped(body, exchange)
  else {
    for (const chunk of body.chunks()) {
      if (exchange.gone.aborted) return
      if (!exchange.write(chunk)) await exchange.drained()
    }
    exchange.end()
  }
}

/** Compressed on another thread while it is sent. */
async function sendZipped(body: JoinedBody, exchange: Exchange): Promise<void> {
  const zip = createGzip(GZIP)
  const source = body.chunks()
  const feed = (): void => {
    const { value, done } = source.next()
    if (done === true) zip.end()
    else zip.write(value, feed)
  }
  feed()
  for await (const part of zip as AsyncIterable<Buffer>) {
    if (exchange.gone.aborted) return
    if (!exchange.write(part)) await exchange.drained()
  }
  exchange.end()
}

async function stream(parts: AsyncIterable<Uint8Array | string>, exchange: Exchange, logger: Logger): Promise<void> {
  try {
    for await (const part of parts) {
      if (exchange.gone.aborted) return
      if (!exchange.write(part)) await exchange.drained()
    }
  } catch (error) {
    if (!(error instanceof StatusError)) logger.debug('stream ended', { error: error instanceof Error ? error.message : String(error) })
  }
  exchange.end()
}
