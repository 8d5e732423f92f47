import type { JsonObject } from '../json.ts'
import { invalid, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { genericMetadataErrors, genericMetadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { has, number, object } from './values.ts'

function* specErrors(spec: JsonObject): Iterable<FieldError> {
  const { leaseDurationSeconds, leaseTransitions } = spec
  if (has(leaseDurationSeconds) && number(leaseDurationSeconds) <= 0) yield invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0')
  // The words are upstream's own.
  if (has(leaseTransitions) && number(leaseTransitions) < 0) yield invalid('spec.leaseTransitions', leaseTransitions, 'must to greater or equal than 0')
}

export const leaseRules: Rules = {
  *create(lease) {
    yield* genericMetadataErrors(lease, { namespaced: true, name: subdomainName })
    yield* specErrors(object(lease['spec']))
  },
  *update(after, before) {
    yield* genericMetadataUpdateErrors(after, before)
    yield* specErrors(object(after['spec']))
  },
}
