import type { KubeObject } from '../object.ts'
import { required, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { immutable, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { nonNegative } from './resources.ts'
import { has } from './values.ts'

function* errors(revision: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(revision, { namespaced: true, name: subdomainName })
  if (!has(revision['data'])) yield required('data', 'data is mandatory')
  yield* nonNegative(revision['revision'], 'revision')
}

export const controllerRevisionRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* errors(after)
    yield* immutable(after['data'], before['data'], 'data')
  },
}
