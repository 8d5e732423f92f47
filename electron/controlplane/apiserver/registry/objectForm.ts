import { canonicalize, emptiedPaths } from '#shared/kubernetes/codec/canonical.ts'
import { applyDefaults } from '#shared/kubernetes/defaults/defaults.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ApiResource } from './apiResources.ts'
import { POD_SPECS } from './disabledFields.ts'

/** Defaults the object itself. */
export function complete(object: KubeObject, resource: ApiResource): KubeObject {
  if (resource.custom !== undefined) {
    resource.custom.applyDefaults(object)
    return object
  }
  applyDefaults(object, resource.kubernetesMinor)
  return asWritten(object, resource)
}

/** Upstream defaults again when it reads what it has written, and what was written empty is not there then. */
export function asRead(object: KubeObject, resource: ApiResource): KubeObject {
  const { custom, group, version, storage } = resource
  if (custom !== undefined || group !== storage.group || version !== storage.version || emptiedPaths(object).length === 0) return object
  // A copy does not know what was written empty.
  return complete({ ...object }, resource)
}

/** What Go's types make of an object; a custom resource has none, and was pruned when it was read. */
export function inForm(object: KubeObject, resource: ApiResource): KubeObject {
  return resource.custom === undefined ? asWritten(canonicalize(object, resource.struct).object, resource) : object
}

/** 1.20 leaves out the address of an alias that has none, which 1.36 writes; of the releases between it is not known. */
const ALIASES_WRITTEN_SINCE = 21

/** Takes out of an object what the release leaves out where the newest does not. */
function asWritten(object: KubeObject, { kind, kubernetesMinor }: ApiResource): KubeObject {
  const path = kubernetesMinor < ALIASES_WRITTEN_SINCE ? POD_SPECS[kind] : undefined
  const spec = path?.reduce<unknown>((holder, step) => (isObject(holder) ? holder[step] : undefined), object)
  const aliases = isObject(spec) && Array.isArray(spec['hostAliases']) ? (spec['hostAliases'] as unknown[]) : []
  for (const alias of aliases) if (isObject(alias) && alias['ip'] === '') delete alias['ip']
  return object
}
