import type { FieldManagerContext } from '#shared/kubernetes/apply/fieldManager.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { ApiResource } from './apiResources.ts'

/** Releases from which on entries name the subresource, and writes own nothing that they cannot change. */
const SUBRESOURCES_SINCE = 22
/** The first release whose merge algorithm is not that of structured-merge-diff 4.0. */
const MERGED_ANEW_SINCE = 21

/** The first release whose JSON leaves out times that are not set. */
const TIMES_LEFT_OUT_SINCE = 34

/** A controller's template is a pointer, so that even the time that is not set in it is new. */
function withTemplateTime(controller: JsonObject): JsonObject {
  const { spec } = controller
  if (!isObject(spec) || !isObject(spec['template'])) return controller
  const { template } = spec
  return { ...controller, spec: { ...spec, template: { ...template, metadata: { ...at(template['metadata']), creationTimestamp: null } } } }
}

const at = (value: unknown): JsonObject => (isObject(value) ? value : {})

/** How ownership of a resource's fields is tracked, by the release that is served. */
export function mergeContext(resource: ApiResource, subresource: string): FieldManagerContext {
  const { mergeType: type, zero, kubernetesMinor: minor, custom } = resource
  const early = custom === undefined && minor < SUBRESOURCES_SINCE
  return {
    type,
    zero,
    resetFields: early ? [] : resetFields(resource, subresource),
    version4: custom === undefined && minor < MERGED_ANEW_SINCE,
    withoutSubresource: early,
    ...(resource.kind === 'ReplicationController' && minor < TIMES_LEFT_OUT_SINCE ? { asWritten: withTemplateTime } : {}),
  }
}

function resetFields(resource: ApiResource, subresource: string): string[][] {
  if (subresource === 'status') return resource.custom === undefined ? [['f:spec']] : [['f:metadata'], ['f:spec']]
  return subresource === '' && resource.subresources.includes('status') ? [['f:status']] : []
}
