import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { storedForm } from './storedForm.ts'

/**
 * An object as reading makes it: what {@link storedForm} sets, and the kinds of objects within it. Protobuf has no place for the kind of an object within another. Upstream's defaults put it back each time a set is read; without
 * it a set read from disk would differ from one just written, in a field that may not change.
 *
 * @see pkg/apis/apps/v1/defaults.go SetDefaults_StatefulSet
 */
export function withNestedKinds(stored: KubeObject): KubeObject {
  const object = storedForm(stored)
  if (object.kind !== 'StatefulSet' || !isObject(object['spec']) || !Array.isArray(object['spec']['volumeClaimTemplates'])) return object
  for (const claim of object['spec']['volumeClaimTemplates'] as unknown[])
    if (isObject(claim)) {
      claim['kind'] = 'PersistentVolumeClaim'
      claim['apiVersion'] = 'v1'
    }
  return object
}
