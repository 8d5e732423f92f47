import type { KubeObject } from '../object.ts'
import { invalid, required, withGoText, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { IMMUTABLE, metadataErrors, metadataUpdateErrors, sameValue } from './metadata.ts'
import { subdomainName } from './names.ts'
import { nonNegative } from './resources.ts'
import { has } from './values.ts'

function* errors(revision: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(revision, { namespaced: true, name: subdomainName })
  if (!has(revision['data'])) yield required('data', 'data is mandatory')
  yield* nonNegative(revision['revision'], 'revision')
}

/** Upstream holds the data as the bytes that were sent, without looking into them. */
function goUnknown(data: unknown): string {
  const bytes = [...new TextEncoder().encode(JSON.stringify(data))].map((byte) => `0x${byte.toString(16)}`)
  return `runtime.Unknown{TypeMeta:runtime.TypeMeta{APIVersion:"", Kind:""}, Raw:[]uint8{${bytes.join(', ')}}, ContentEncoding:"", ContentType:"application/json"}`
}

export const controllerRevisionRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* errors(after)
    const { data } = after
    if (!sameValue(data, before['data'])) yield invalid('data', has(data) ? withGoText(data, goUnknown(data)) : null, IMMUTABLE)
  },
}
