import { parse as parseYaml } from 'yaml'
import { decodeProtobuf, isProtobuf, PROTOBUF_MEDIA_TYPE } from '#shared/kubernetes/codec/codec.ts'
import { duplicateFields } from '#shared/kubernetes/codec/duplicateFields.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'

/** Upstream's limit of request bodies. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024

export interface DecodedBody {
  value: unknown
  /** Fields named twice, for strict validation: looked for when that asks. */
  duplicates(): string[]
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

const none = (): string[] => []

/** Reads a body by its Content-Type. @throws StatusError 400, 413 or 415 */
export function decodeBody(body: Uint8Array, contentType: string | undefined): DecodedBody {
  if (body.length > MAX_BODY_BYTES) throw new StatusError(failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${String(MAX_BODY_BYTES)}`))
  const type = (contentType ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? ''
  try {
    if (isProtobuf(body)) return { value: decodeProtobuf(body).object, duplicates: none }
    const text = utf8.decode(body)
    if (type === 'application/yaml' || type === 'text/yaml' || type.endsWith('+yaml'))
      return { value: parseYaml(text, { maxAliasCount: 100, logLevel: 'error' }), duplicates: none }
    if (type === 'application/json' || type.endsWith('+json') || type === '') return { value: JSON.parse(text), duplicates: () => duplicateFields(text) }
  } catch (cause) {
    throw new StatusError(
      failure(400, 'BadRequest', `couldn't get version/kind; json parse error: ${cause instanceof Error ? cause.message : String(cause)}`),
      { cause },
    )
  }
  throw new StatusError(
    failure(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, ${PROTOBUF_MEDIA_TYPE}`,
    ),
  )
}

/** A body that must be an object with metadata. */
export function asKubeObject(value: unknown): KubeObject {
  if (!isObject(value)) throw new StatusError(failure(400, 'BadRequest', 'the body of the request is no object'))
  const metadata: JsonObject = isObject(value['metadata']) ? value['metadata'] : {}
  return { ...value, metadata }
}
