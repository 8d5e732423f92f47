import { PROTOBUF_MEDIA_TYPE } from '#shared/kubernetes/codec/codec.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'

/** How the answer is wanted. */
export interface Negotiated {
  encoding: 'json' | 'protobuf' | 'yaml'
  as: '' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList'
  /** meta.k8s.io version of `as`. */
  version: string
}

const SERVED = ['application/json', 'application/yaml', PROTOBUF_MEDIA_TYPE]

interface Accepted {
  type: string
  parameters: Map<string, string>
}

function parseAccept(header: string): Accepted[] {
  return header
    .split(',')
    .map((part) => {
      const [type = '', ...pairs] = part.split(';').map((piece) => piece.trim())
      return { type: type.toLowerCase(), parameters: new Map(pairs.map((pair) => pair.split('=', 2) as [string, string])) }
    })
    .filter(({ type }) => type !== '')
}

/**
 * The first acceptable form, in the client's order.
 *
 * @param plain only the object itself can be answered, no table of it
 * @throws StatusError 406 when there is none
 */
export function negotiate(accept: string | undefined, { plain = false }: { plain?: boolean } = {}): Negotiated {
  const accepted = accept === undefined || accept.trim() === '' ? [{ type: '*/*', parameters: new Map<string, string>() }] : parseAccept(accept)
  // JSON is cheaper to make here, and every client that takes protobuf with JSON reads it.
  const jsonToo = accepted.some(({ type, parameters }) => type === 'application/json' && !parameters.has('as'))
  for (const { type, parameters } of accepted) {
    const as = parameters.get('as') ?? ''
    const version = parameters.get('v') ?? 'v1'
    const encoding = encodingOf(type)
    if (encoding === null || (encoding === 'protobuf' && jsonToo && as === '')) continue
    if (as === '') return { encoding, as: '', version: '' }
    const known =
      !plain &&
      (as === 'Table' || as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') &&
      (version === 'v1' || version === 'v1beta1') &&
      parameters.get('g') === 'meta.k8s.io'
    if (known && encoding !== 'protobuf') return { encoding, as, version }
    if (as === 'APIGroupDiscoveryList' && (version === 'v2' || version === 'v2beta1') && encoding === 'json') return { encoding, as, version }
  }
  if (jsonToo) return { encoding: 'json', as: '', version: '' }
  throw new StatusError(failure(406, 'NotAcceptable', `only the following media types are accepted: ${SERVED.join(', ')}`))
}

function encodingOf(type: string): Negotiated['encoding'] | null {
  if (type === 'application/json' || type === '*/*' || type === 'application/*') return 'json'
  if (type === PROTOBUF_MEDIA_TYPE) return 'protobuf'
  return type === 'application/yaml' || type === 'text/yaml' ? 'yaml' : null
}
