import { isObject, type JsonObject } from './json.ts'
import type { KubeObject } from './object.ts'

const at = (value: unknown): JsonObject => (isObject(value) ? value : {})

/** The metadata of what an object holds templates of: pods, jobs, claims. Each is the object's own, to be read or changed in place. */
export function embeddedMetadata(object: KubeObject): JsonObject[] {
  const spec = at(object['spec'])
  const job = at(spec['jobTemplate'])
  const claims = Array.isArray(spec['volumeClaimTemplates']) ? spec['volumeClaimTemplates'].filter(isObject) : []
  return [spec['template'], object['template'], job, at(job['spec'])['template'], ...claims].map((holder) => at(holder)['metadata']).filter(isObject)
}
