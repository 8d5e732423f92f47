import type { FieldManagerContext } from '#shared/kubernetes/apply/fieldManager.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { ApiResource } from './apiResources.ts'
import { POD_SPECS } from './disabledFields.ts'

/** Releases from which on entries name the subresource, and writes own nothing that they cannot change. */
const SUBRESOURCES_SINCE = 22
/** The first release whose merge algorithm is not that of structured-merge-diff 4.0. */
const MERGED_ANEW_SINCE = 21

/** The first release whose JSON leaves out times that are not set. */
const TIMES_LEFT_OUT_SINCE = 34

const at = (value: unknown): JsonObject => (isObject(value) ? value : {})

/** With the time that is not set in a template's metadata. */
function withTime(template: JsonObject): JsonObject {
  return { ...template, metadata: { creationTimestamp: null, ...at(template['metadata']) } }
}

/** A controller's template is a pointer, so that even the time that is not set in it is new. */
function withTemplateTime(controller: JsonObject): JsonObject {
  const { spec } = controller
  if (!isObject(spec) || !isObject(spec['template'])) return controller
  return { ...controller, spec: { ...spec, template: withTime(spec['template']) } }
}

/** So is the template of a claim that lives as long as its pod. */
function withClaimTimes(holder: JsonObject, [step, ...rest]: readonly string[]): JsonObject {
  if (step !== undefined) {
    const inner = holder[step]
    const changed = isObject(inner) ? withClaimTimes(inner, rest) : inner
    return changed === inner ? holder : { ...holder, [step]: changed }
  }
  const { volumes } = holder
  if (!Array.isArray(volumes) || !volumes.some((each) => isObject(claimTemplateOf(each)))) return holder
  return { ...holder, volumes: (volumes as unknown[]).map(withClaimTime) }
}

const claimTemplateOf = (volume: unknown): unknown => at(at(volume)['ephemeral'])['volumeClaimTemplate']

function withClaimTime(volume: unknown): unknown {
  const template = claimTemplateOf(volume)
  if (!isObject(volume) || !isObject(template)) return volume
  return { ...volume, ephemeral: { ...at(volume['ephemeral']), volumeClaimTemplate: withTime(template) } }
}

/** What of an object releases before 1.34 write and the table's does not. */
function withUnsetTimes(object: JsonObject, { kind }: ApiResource): JsonObject {
  const path = POD_SPECS[kind]
  const claims = path === undefined ? object : withClaimTimes(object, path)
  return kind === 'ReplicationController' ? withTemplateTime(claims) : claims
}

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
    ...(custom === undefined && POD_SPECS[resource.kind] !== undefined && minor < TIMES_LEFT_OUT_SINCE
      ? { asWritten: (object: JsonObject) => withUnsetTimes(object, resource) }
      : {}),
  }
}

function resetFields(resource: ApiResource, subresource: string): string[][] {
  if (subresource === 'status') return resource.custom === undefined ? [['f:spec']] : [['f:metadata'], ['f:spec']]
  return subresource === '' && resource.subresources.includes('status') ? [['f:status']] : []
}
