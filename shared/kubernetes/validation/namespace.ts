import { invalid, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import type { KubeObject } from '../object.ts'
import { metadataErrors, metadataUpdateErrors, namespaceFinalizerErrors } from './metadata.ts'
import { labelName } from './names.ts'
import { object, text, texts } from './values.ts'

function* errors(namespace: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(namespace, { namespaced: false, name: labelName })
  for (const finalizer of texts(object(namespace['spec'])['finalizers'])) yield* namespaceFinalizerErrors(finalizer, 'spec.finalizers')
}

export const namespaceRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* errors(after)
    yield* metadataUpdateErrors(after, before)
  },
  *status(after, before) {
    yield* metadataUpdateErrors(after, before)
    const phase = text(object(after['status'])['phase'])
    const deleted = after.metadata.deletionTimestamp !== undefined
    if (!deleted && phase !== 'Active') yield invalid('status.Phase', phase, "may only be 'Active' if `deletionTimestamp` is empty")
    if (deleted && phase !== 'Terminating') yield invalid('status.Phase', phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")
  },
  subresources: {
    *finalize(after, before) {
      yield* metadataUpdateErrors(after, before)
      for (const [index, finalizer] of texts(object(after['spec'])['finalizers']).entries())
        yield* namespaceFinalizerErrors(finalizer, `spec.finalizers[${String(index)}]`)
    },
  },
}
