import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { Program } from '../../shell/process.ts'
import { certificateOf, json, reviewIn } from './admissionWebhook.ts'
import { parseFlags } from './flags.ts'
import { serveHttp, untilExit, type HttpSaid } from './httpServer.ts'

/** Of the kind that the tests define, v1 has `hostPort`, v2 `host` and `port`. @throws Error when an object cannot be converted */
function converted(object: JsonObject, desired: string): JsonObject {
  const from = String(object['apiVersion'])
  if (from === desired) throw new Error(`conversion from a version to itself should not call the webhook: ${desired}`)
  const { hostPort, host, port, ...rest } = object
  const own = { ...rest, apiVersion: desired }
  if (from.endsWith('/v1')) {
    if (hostPort === undefined) return own
    const [name, number, ...more] = String(hostPort).split(':')
    if (number === undefined || more.length > 0) throw new Error(`invalid hostPort value \`${String(hostPort)}\``)
    return { ...own, host: name, port: number }
  }
  return host === undefined && port === undefined ? own : { ...own, hostPort: `${String(host ?? '')}:${String(port ?? '')}` }
}

function outcome(request: JsonObject): JsonObject {
  const objects = Array.isArray(request['objects']) ? request['objects'].filter(isObject) : []
  try {
    const convertedObjects = objects.map((each) => converted(each, String(request['desiredAPIVersion'])))
    return { uid: request['uid'], convertedObjects, result: { metadata: {}, status: 'Success' } }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { uid: request['uid'], convertedObjects: [], result: { metadata: {}, status: 'Failure', message } }
  }
}

/** A conversion webhook over TLS at `/crdconvert`. */
export const conversionWebhook: Program = (context) => {
  const { flags } = parseFlags(context.args)
  const tls = certificateOf(context, flags)
  return untilExit(context, (failed) => {
    serveHttp(
      context,
      Number(flags.get('port') ?? 9443),
      ({ url, body }): HttpSaid => {
        if (url.pathname === '/readyz') return { body: 'ok' }
        if (url.pathname !== '/crdconvert') return { status: 404, body: '404 page not found\n' }
        const review = reviewIn(body)
        if (review === null) return { status: 400, body: 'no conversion review\n' }
        const { kind, apiVersion } = review
        return json({ kind, apiVersion, response: outcome(isObject(review['request']) ? review['request'] : {}) })
      },
      { failed, tls },
    )
  })
}
