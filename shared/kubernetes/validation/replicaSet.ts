import type { JsonObject } from '../json.ts'
import { selectedTemplateErrors, selectorFixed } from './deployment.ts'
import type { FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { nonNegative } from './resources.ts'
import { object } from './values.ts'
import { availableErrors, statusCountErrors } from './workloads.ts'

function* specErrors(spec: JsonObject): Iterable<FieldError> {
  yield* nonNegative(spec['replicas'], 'spec.replicas')
  yield* nonNegative(spec['minReadySeconds'], 'spec.minReadySeconds')
  yield* selectedTemplateErrors(spec)
}

const SCOPE = { namespaced: true, name: subdomainName }
const COUNTS = ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration']

/** Also a replication controller's. */
export const replicaStatus: NonNullable<Rules['status']> = function* (after, before) {
  const status = object(after['status'])
  yield* metadataUpdateErrors(after, before)
  yield* statusCountErrors(status, COUNTS, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'])
  yield* availableErrors(status)
}

export const replicaSetRules: Rules = {
  *create(replicaSet) {
    yield* metadataErrors(replicaSet, SCOPE)
    yield* specErrors(object(replicaSet['spec']))
  },
  *update(after, before, { version }) {
    yield* metadataErrors(after, SCOPE)
    yield* specErrors(object(after['spec']))
    yield* metadataUpdateErrors(after, before)
    yield* specErrors(object(after['spec']))
    if (version !== 'v1beta1') yield* selectorFixed(after, before)
  },
  status: replicaStatus,
}
