import type { KubeObject } from '../object.ts'
import { invalid, tooLong, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { configKeyErrors, subdomainName } from './names.ts'
import { encodedLength, immutableDataErrors, MAX_DATA_BYTES } from './secret.ts'
import { byteLength, entries, object } from './values.ts'

function* errors(configMap: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(configMap, { namespaced: true, name: subdomainName })
  const binary = object(configMap['binaryData'])
  let bytes = 0
  for (const [key, value] of entries(configMap['data'])) {
    for (const detail of configKeyErrors(key)) yield invalid(`data[${key}]`, key, detail)
    if (Object.hasOwn(binary, key)) yield invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')
    bytes += byteLength(value)
  }
  for (const [key, value] of entries(binary)) {
    for (const detail of configKeyErrors(key)) yield invalid(`binaryData[${key}]`, key, detail)
    bytes += encodedLength(value)
  }
  if (bytes > MAX_DATA_BYTES) yield tooLong('[]', MAX_DATA_BYTES)
}

export const configMapRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* immutableDataErrors(after, before, ['data', 'binaryData'])
    yield* errors(after)
  },
}
