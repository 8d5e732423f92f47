import type { Readable } from 'node:stream'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { MAX_BODY_BYTES } from '../request/body.ts'

const NOTHING = new Uint8Array(0)

/** The whole body of a request. @throws StatusError 413 when it is longer than requests may be; an Error when the client goes away */
export function readBody(request: Readable, method: string): Promise<Uint8Array> {
  if (method === 'GET' || method === 'HEAD') {
    // Whatever a client sends with it is passed over.
    request.resume()
    return Promise.resolve(NOTHING)
  }
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let length = 0
    let ended = false
    request.on('data', (part: Buffer) => {
      length += part.length
      if (length <= MAX_BODY_BYTES) parts.push(part)
      else {
        parts.length = 0
        reject(new StatusError(failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${String(MAX_BODY_BYTES)}`)))
      }
    })
    request.on('end', () => {
      ended = true
      const [only] = parts
      resolve(parts.length === 1 && only !== undefined ? only : Buffer.concat(parts))
    })
    request.on('error', reject)
    request.on('close', () => {
      // Every request is closed some time, and an error costs the trace of its stack.
      if (!ended) reject(new Error('the client went away'))
    })
  })
}
