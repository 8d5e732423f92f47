import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { required, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { labelsOf, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { alwaysRestartedErrors, podTemplateErrors, readOnlyDiskErrors, unmatchedTemplate } from './podSpec.ts'
import { replicaStatus } from './replicaSet.ts'
import { nonNegative } from './resources.ts'
import { entries, number, object, pointer } from './values.ts'

function* specErrors(spec: JsonObject): Iterable<FieldError> {
  const selector = entries(spec['selector'])
  const template = pointer(spec['template'])
  yield* nonNegative(spec['minReadySeconds'], 'spec.minReadySeconds')
  if (selector.length === 0) yield required('spec.selector')
  yield* nonNegative(spec['replicas'], 'spec.replicas')
  if (template === null) {
    yield required('spec.template')
    return
  }
  const labels = labelsOf(template)
  if (selector.some(([key, value]) => labels[key] !== value)) yield unmatchedTemplate(template, 'spec.template')
  yield* podTemplateErrors(template, 'spec.template')
  if (number(spec['replicas']) > 1) yield* readOnlyDiskErrors(template, 'spec.template')
  yield* alwaysRestartedErrors(template, 'spec.template', 'ReplicationController')
}

function* errors(controller: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(controller, { namespaced: true, name: subdomainName })
  yield* specErrors(object(controller['spec']))
}

export const replicationControllerRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* errors(after)
    yield* metadataUpdateErrors(after, before)
    yield* specErrors(object(after['spec']))
  },
  status: replicaStatus,
}
