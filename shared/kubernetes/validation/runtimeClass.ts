import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { duplicate, invalid, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { genericMetadataErrors, genericMetadataUpdateErrors, immutable, labelErrors } from './metadata.ts'
import { dnsLabelErrors, subdomainName } from './names.ts'
import { requirementErrors } from './resources.ts'
import { tolerationErrors } from './selectors.ts'
import { object, objects, pointer, text } from './values.ts'

/** v1alpha1 keeps in a spec what later versions have beside the metadata. */
function handlerOf(runtimeClass: KubeObject): string {
  return text(runtimeClass['handler'] ?? object(runtimeClass['spec'])['runtimeHandler'])
}

function* schedulingErrors(scheduling: JsonObject): Iterable<FieldError> {
  const tolerations = objects(scheduling['tolerations'])
  yield* labelErrors(scheduling['nodeSelector'], 'scheduling.nodeSelector')
  // The doubled path is upstream's own.
  yield* tolerationErrors(tolerations, 'scheduling.tolerations.tolerations')
  const seen = new Set<string>()
  for (const [index, each] of tolerations.entries()) {
    const id = JSON.stringify(['key', 'operator', 'value', 'effect'].map((name) => text(each[name])))
    if (seen.has(id)) yield duplicate(`scheduling.tolerations[${String(index)}]`, typed('core.v1.Toleration', each))
    seen.add(id)
  }
}

function* errors(runtimeClass: KubeObject): Iterable<FieldError> {
  yield* genericMetadataErrors(runtimeClass, { namespaced: false, name: subdomainName })
  const handler = handlerOf(runtimeClass)
  for (const detail of dnsLabelErrors(handler)) yield invalid('handler', handler, detail)
  const overhead = pointer(runtimeClass['overhead'])
  if (overhead !== null) yield* requirementErrors({ limits: overhead['podFixed'] }, 'overhead')
  const scheduling = pointer(runtimeClass['scheduling'])
  if (scheduling !== null) yield* schedulingErrors(scheduling)
}

export const runtimeClassRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* errors(after)
    yield* genericMetadataUpdateErrors(after, before)
    yield* immutable(handlerOf(after), handlerOf(before), 'handler')
  },
}
